// Trials out of Optuna's tables.

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <limits>
#include <memory>
#include <unordered_map>
#include <utility>

#include "hpo/rdb_sql.h"

namespace tw::hpo {
namespace {

// A group of statements: the trials, then what belongs to them. Nothing is sorted there: a database
// could take the order for a reason to walk through the whole table.
constexpr std::array<std::string_view, 5> kChildren = {
    "SELECT c.trial_id, c.objective, c.value, c.value_type FROM {}",
    "SELECT c.trial_id, c.param_name, c.param_value, c.distribution_json, c.param_id FROM {}",
    "SELECT c.trial_id, c.\"key\", c.value_json FROM {}",
    "SELECT c.trial_id, c.\"key\", c.value_json FROM {}",
    "SELECT c.trial_id, c.step, c.intermediate_value, c.intermediate_value_type FROM {}"};
constexpr std::array<std::string_view, 5> kChildTables = {
    "trial_values", "trial_params", "trial_user_attributes", "trial_system_attributes",
    "trial_intermediate_values"};
constexpr std::size_t kGroup = 1 + kChildren.size();

void AppendGroup(const std::string& where, const std::vector<db::Value>& params,
                 std::vector<SqlCommand>& commands) {
  commands.push_back({fmt::format("SELECT t.trial_id, t.number, t.state, t.datetime_start, "
                                  "t.datetime_complete FROM trials t WHERE {}",
                                  where),
                      params});
  for (std::size_t i = 0; i < kChildren.size(); ++i) {
    const std::string from = fmt::format("trials t JOIN {} c ON c.trial_id = t.trial_id WHERE {}",
                                         kChildTables[i], where);
    commands.push_back({fmt::format(fmt::runtime(kChildren[i]), from), params});
  }
}

std::string IdList(std::span<const TrialId> ids, char open, char close) {
  std::string text(1, open);
  for (const TrialId id : ids) text += fmt::format("{}{}", text.size() == 1 ? "" : ",", id);
  return text + close;
}

Result<double> ReadNumber(const SqlRows& rows, std::size_t row, int value, int type) {
  const std::string name = rows.Text(row, type);
  if (name == "FINITE") {
    if (!rows.IsNull(row, value)) return rows.Number(row, value);
  } else if (name == "INF_POS") {
    return std::numeric_limits<double>::infinity();
  } else if (name == "INF_NEG") {
    return -std::numeric_limits<double>::infinity();
  } else if (name == "NAN") {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return Error{ErrorCode::kBadData,
               fmt::format("trial with id {}: value of type '{}' cannot be read",
                           rows.Integer(row, 0), name)};
}

Result<std::optional<UnixNanos>> ReadTime(const SqlRows& rows, std::size_t row, int column) {
  if (rows.IsNull(row, column)) return std::optional<UnixNanos>();
  return std::optional<UnixNanos>(
      TW_TRY_CTX(ParseIso(rows.Text(row, column)),
                 fmt::format("trial with id {}: time", rows.Integer(row, 0))));
}

/// One group's trials. Rows of children whose trial is not in the group cannot occur: all
/// statements saw one state.
class Assembler {
 public:
  Status Add(std::span<const SqlRows> group) {
    const std::size_t begin = trials_.size();
    TW_TRY(AddTrials(group[0]));
    by_id_.clear();
    by_id_.reserve(trials_.size() - begin);
    for (std::size_t i = begin; i < trials_.size(); ++i) by_id_.emplace(trials_[i]->id, i);
    TW_TRY(AddValues(group[1]));
    TW_TRY(AddParams(group[2]));
    AddAttributes(group[3], &FrozenTrial::user_attrs);
    AddAttributes(group[4], &FrozenTrial::system_attrs);
    return AddIntermediate(group[5]);
  }

  std::vector<TrialPtr> Take() && {
    std::ranges::sort(trials_, {}, [](const auto& trial) { return trial->id; });
    return {std::make_move_iterator(trials_.begin()), std::make_move_iterator(trials_.end())};
  }

 private:
  FrozenTrial* Find(const SqlRows& rows, std::size_t row) {
    const auto found = by_id_.find(rows.Integer(row, 0));
    return found == by_id_.end() ? nullptr : trials_[found->second].get();
  }

  Status AddTrials(const SqlRows& rows) {
    for (std::size_t row = 0; row < rows.size(); ++row) {
      auto trial = std::make_shared<FrozenTrial>();
      trial->id = rows.Integer(row, 0);
      trial->number = rows.IsNull(row, 1) ? -1 : rows.Integer(row, 1);
      trial->state =
          TW_TRY_CTX(TrialStateFrom(rows.Text(row, 2)), fmt::format("trial with id {}", trial->id));
      trial->start = TW_TRY(ReadTime(rows, row, 3));
      trial->complete = TW_TRY(ReadTime(rows, row, 4));
      trials_.push_back(std::move(trial));
    }
    return {};
  }

  /// The rows in the order of an integer column.
  static std::vector<std::size_t> Sorted(const SqlRows& rows, int column) {
    std::vector<std::pair<std::int64_t, std::size_t>> order(rows.size());
    for (std::size_t row = 0; row < rows.size(); ++row) {
      order[row] = {rows.Integer(row, column), row};
    }
    std::ranges::sort(order);
    std::vector<std::size_t> sorted(rows.size());
    std::ranges::transform(order, sorted.begin(), [](const auto& entry) { return entry.second; });
    return sorted;
  }

  Status AddValues(const SqlRows& rows) {
    for (const std::size_t row : Sorted(rows, 1)) {
      FrozenTrial* trial = Find(rows, row);
      if (trial == nullptr) continue;
      const std::int64_t objective = rows.Integer(row, 1);
      if (objective != static_cast<std::int64_t>(trial->values.size())) {
        return Error{ErrorCode::kBadData,
                     fmt::format("trial {}: value of objective {} where {} was due", trial->number,
                                 objective, trial->values.size())};
      }
      trial->values.push_back(TW_TRY(ReadNumber(rows, row, 2, 3)));
    }
    return {};
  }

  /// In the order in which they were written.
  Status AddParams(const SqlRows& rows) {
    for (const std::size_t row : Sorted(rows, 4)) {
      FrozenTrial* trial = Find(rows, row);
      if (trial == nullptr) continue;
      std::string name = rows.Text(row, 1);
      Distribution distribution =
          TW_TRY_CTX(ReadDistribution(rows.Text(row, 3)),
                     fmt::format("trial {}: parameter '{}'", trial->number, name));
      const double internal = rows.Number(row, 2);
      if (distribution.kind() == DistributionKind::kCategorical &&
          !distribution.Contains(internal)) {
        return Error{ErrorCode::kBadData,
                     fmt::format("trial {}: parameter '{}': {} is no index of a choice",
                                 trial->number, name, internal)};
      }
      trial->params.push_back({std::move(name), std::move(distribution), internal});
    }
    return {};
  }

  /// Few distinct texts, each read once.
  Result<Distribution> ReadDistribution(const std::string& json) {
    const auto found = distributions_.find(json);
    if (found != distributions_.end()) return found->second;
    return distributions_.emplace(json, TW_TRY(Distribution::FromJson(json))).first->second;
  }

  void AddAttributes(const SqlRows& rows, Attributes FrozenTrial::*member) {
    for (std::size_t row = 0; row < rows.size(); ++row) {
      FrozenTrial* trial = Find(rows, row);
      if (trial != nullptr) (trial->*member).insert_or_assign(rows.Text(row, 1), rows.Text(row, 2));
    }
  }

  Status AddIntermediate(const SqlRows& rows) {
    for (std::size_t row = 0; row < rows.size(); ++row) {
      FrozenTrial* trial = Find(rows, row);
      if (trial == nullptr) continue;
      trial->intermediate.insert_or_assign(rows.Integer(row, 1),
                                           TW_TRY(ReadNumber(rows, row, 2, 3)));
    }
    return {};
  }

  std::vector<std::shared_ptr<FrozenTrial>> trials_;
  std::unordered_map<TrialId, std::size_t> by_id_;  // looked up only
  std::unordered_map<std::string, Distribution> distributions_;
};

}  // namespace

std::vector<SqlCommand> ReadCommands(StudyId study, std::span<const TrialId> ids, TrialId after,
                                     bool postgres) {
  std::vector<SqlCommand> commands;
  commands.push_back({"SELECT count(*) FROM studies WHERE study_id = $1", {db::Value(study)}});
  const std::string of_study = OfStudy("t", postgres);
  AppendGroup(of_study + " AND t.trial_id > $2", {db::Value(study), db::Value(after)}, commands);
  std::vector<TrialId> known;
  std::ranges::copy_if(ids, std::back_inserter(known), [after](TrialId id) { return id <= after; });
  if (known.empty()) return commands;
  AppendGroup(
      of_study + (postgres ? " AND t.trial_id = ANY($2::int[])"
                           : " AND t.trial_id IN (SELECT value FROM json_each($2))"),
      {db::Value(study), db::Value(postgres ? IdList(known, '{', '}') : IdList(known, '[', ']'))},
      commands);
  return commands;
}

std::vector<SqlCommand> ReadOneCommands(TrialId trial) {
  std::vector<SqlCommand> commands;
  commands.push_back({"SELECT count(*) FROM trials WHERE trial_id = $1", {db::Value(trial)}});
  AppendGroup("t.trial_id = $1", {db::Value(trial)}, commands);
  return commands;
}

Result<std::vector<TrialPtr>> AssembleTrials(std::span<const SqlRows> rows) {
  Assembler assembler;
  for (std::size_t begin = 1; begin + kGroup <= rows.size(); begin += kGroup) {
    TW_TRY(assembler.Add(rows.subspan(begin, kGroup)));
  }
  return std::move(assembler).Take();
}

}  // namespace tw::hpo
