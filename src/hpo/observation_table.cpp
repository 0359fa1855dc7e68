#include "hpo/observation_table.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <tuple>

#include "hpo/multi_objective.h"
#include "hpo/relative_params.h"

namespace tw::hpo::internal {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
constexpr std::size_t kGammaMaxSingle = 25;

std::size_t Gamma(std::size_t n, bool single_objective) {
  const auto tenth = static_cast<std::size_t>(std::ceil(0.1 * static_cast<double>(n)));
  return single_objective ? std::min(tenth, kGammaMaxSingle) : tenth;
}

}  // namespace

bool ObservationTable::Score::operator<(const Score& other) const {
  return std::tie(group, first, second) < std::tie(other.group, other.first, other.second);
}

void ObservationTable::Reset(std::uint64_t serial) {
  *this = ObservationTable();
  serial_ = serial;
}

std::size_t ObservationTable::Column(const std::string& name) {
  const auto [found, inserted] = column_of_.try_emplace(name, columns_.size());
  if (inserted) {
    column_names_.push_back(name);
    columns_.emplace_back(order_.size(), kMissing);
  }
  return found->second;
}

std::uint32_t ObservationTable::NewRow(std::int64_t number) {
  order_.push_back(number);
  scores_.emplace_back();
  is_below_.push_back(0);
  present_.push_back(0);
  if (objectives_ > 1) losses_.emplace_back();
  for (auto& column : columns_) column.push_back(kMissing);
  return static_cast<std::uint32_t>(order_.size() - 1);
}

bool ObservationTable::ScoredBefore(std::uint32_t a, std::uint32_t b) const {
  if (scores_[a] < scores_[b]) return true;
  if (scores_[b] < scores_[a]) return false;
  return order_[a] < order_[b];
}

void ObservationTable::AddFinished(const StudyView& study, const FrozenTrial& trial) {
  const std::uint32_t row = NewRow(trial.number);
  for (std::size_t i = 0; i < trial.params.size(); ++i) {
    const Param& param = trial.params[i];
    // Trials mostly suggest in one order: the column is then found without hashing.
    const bool usual = i < column_names_.size() && column_names_[i] == param.name;
    const std::size_t column = usual ? i : Column(param.name);
    columns_[column][row] = param.internal;
    if (!usual || trial.number < 2) distributions_.try_emplace(param.name, param.distribution);
  }
  present_[row] = trial.params.size();
  Score& score = scores_[row];
  const double violation = trial.system_attrs.empty() ? 0 : ViolationOf(trial);
  if (violation > 0) {
    score = {2, violation, 0};
  } else if (trial.state == TrialState::kComplete) {
    if (objectives_ == 1) {
      score = {0, study.maximises() ? -trial.values[0] : trial.values[0], 0};
    } else {
      for (std::size_t k = 0; k < objectives_; ++k) {
        losses_[row].push_back(study.maximises(k) ? -trial.values[k] : trial.values[k]);
      }
    }
  } else if (trial.intermediate.empty()) {
    score = {1, 1, 0};
  } else {
    const auto& [step, value] = *trial.intermediate.rbegin();
    const double loss = std::isnan(value) ? kInfinity : study.maximises() ? -value : value;
    score = {1, -static_cast<double>(step), loss};
  }
  const auto by_number = [&](std::uint32_t a, std::uint32_t b) { return order_[a] < order_[b]; };
  by_number_.insert(std::upper_bound(by_number_.begin(), by_number_.end(), row, by_number), row);
  by_score_.insert(
      std::upper_bound(by_score_.begin(), by_score_.end(), row,
                       [&](std::uint32_t a, std::uint32_t b) { return ScoredBefore(a, b); }),
      row);
}

std::vector<std::pair<std::size_t, double>> ObservationTable::RunningValues(
    const FrozenTrial& trial, bool relative_params) {
  std::vector<std::pair<std::size_t, double>> values;
  values.reserve(trial.params.size());
  for (const Param& param : trial.params) values.emplace_back(Column(param.name), param.internal);
  if (!relative_params) return values;
  for (const auto& [name, value] : ReadRelativeParams(trial)) {
    const auto known = distributions_.find(name);
    if (known == distributions_.end() || trial.Find(name) != nullptr) continue;
    const Result<double> internal = known->second.ToInternal(value);
    if (internal.ok()) values.emplace_back(Column(name), *internal);
  }
  return values;
}

void ObservationTable::UpdateRunning(const StudyView& study, TrialId self, bool relative_params) {
  std::vector<Running> now;
  for (const TrialPtr& trial : study.trials.Unfinished()) {
    if (trial->state != TrialState::kRunning || trial->id == self) continue;
    Running entry{trial->id, 0, RunningValues(*trial, relative_params)};
    const auto before = std::find_if(running_.begin(), running_.end(), [&](const Running& other) {
      return other.id == entry.id && other.values == entry.values;
    });
    if (before != running_.end()) {
      entry.row = before->row;
    } else {
      entry.row = NewRow(trial->number);
      present_[entry.row] = entry.values.size();
      for (const auto& [column, value] : entry.values) columns_[column][entry.row] = value;
    }
    now.push_back(std::move(entry));
  }
  running_ = std::move(now);
  above_extra_.clear();
  for (const Running& entry : running_) above_extra_.push_back(entry.row);
  std::sort(above_extra_.begin(), above_extra_.end(),
            [&](std::uint32_t a, std::uint32_t b) { return order_[a] < order_[b]; });
}

Status ObservationTable::Update(const StudyView& study, TrialId self, bool liar,
                                bool relative_params) {
  if (serial_ != study.trials.serial()) {
    Reset(study.trials.serial());
    objectives_ = study.info.directions.size();
  }
  bool changed = false;
  for (; seen_ < study.trials.finished().size(); ++seen_) {
    const FrozenTrial& trial = *study.trials.finished()[seen_];
    if (trial.state == TrialState::kFail) continue;
    if (trial.state == TrialState::kComplete && trial.values.size() != objectives_) {
      return Error{ErrorCode::kBadData,
                   fmt::format("trial {} is COMPLETE with {} values for {} objectives",
                               trial.number, trial.values.size(), objectives_)};
    }
    AddFinished(study, trial);
    changed = true;
  }
  if (liar) UpdateRunning(study, self, relative_params);
  if (changed) {
    const std::size_t below = Gamma(finished(), objectives_ == 1);
    if (objectives_ == 1)
      SplitByScore(below);
    else
      SplitByRank(below);
  }
  return {};
}

void ObservationTable::SplitByScore(std::size_t below) {
  for (const std::uint32_t row : below_) is_below_[row] = 0;
  below_.assign(by_score_.begin(), by_score_.begin() + static_cast<std::ptrdiff_t>(below));
  for (const std::uint32_t row : below_) is_below_[row] = 1;
}

void ObservationTable::SplitByRank(std::size_t below) {
  for (const std::uint32_t row : below_) is_below_[row] = 0;
  below_.clear();
  PointSet points{objectives_, {}};
  std::vector<std::uint32_t> complete;
  for (const std::uint32_t row : by_number_) {
    if (scores_[row].group != 0) continue;
    complete.push_back(row);
    points.values.insert(points.values.end(), losses_[row].begin(), losses_[row].end());
  }
  for (const std::size_t i : BestByRank(points, below)) below_.push_back(complete[i]);
  // Pruned and infeasible trials fill what is left.
  for (const std::uint32_t row : by_score_) {
    if (below_.size() >= below) break;
    if (scores_[row].group != 0) below_.push_back(row);
  }
  for (const std::uint32_t row : below_) is_below_[row] = 1;
}

void ObservationTable::Select(std::span<const std::size_t> columns,
                              std::vector<std::uint32_t>& below,
                              std::vector<std::uint32_t>& above) const {
  below.clear();
  above.clear();
  const auto has_all = [&](std::uint32_t row) {
    if (present_[row] == columns_.size()) return true;
    return std::none_of(columns.begin(), columns.end(),
                        [&](std::size_t column) { return std::isnan(columns_[column][row]); });
  };
  auto extra = above_extra_.begin();
  const auto add_running_before = [&](std::int64_t number) {
    for (; extra != above_extra_.end() && order_[*extra] < number; ++extra) {
      if (has_all(*extra)) above.push_back(*extra);
    }
  };
  for (const std::uint32_t row : by_number_) {
    add_running_before(order_[row]);
    if (has_all(row)) (is_below_[row] != 0 ? below : above).push_back(row);
  }
  add_running_before(std::numeric_limits<std::int64_t>::max());
}

}  // namespace tw::hpo::internal
