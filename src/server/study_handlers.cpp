#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "hpo/importance.h"
#include "hpo/multi_objective.h"
#include "server/internal/handlers.h"

namespace tw::server::internal {
namespace {

using hpo::TrialPtr;
using hpo::TrialState;

Json NumberOrNull(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

Json ValueJson(const hpo::ParamValue& value) {
  if (std::holds_alternative<bool>(value)) return std::get<bool>(value);
  if (std::holds_alternative<std::int64_t>(value)) return std::get<std::int64_t>(value);
  if (std::holds_alternative<double>(value)) return NumberOrNull(std::get<double>(value));
  if (std::holds_alternative<std::string>(value)) return std::get<std::string>(value);
  return nullptr;
}

Json InstantJson(const std::optional<UnixNanos>& time) {
  return time ? Json(FormatIso(*time)) : Json(nullptr);
}

Json TrialJson(const hpo::FrozenTrial& trial) {
  Json values = Json::array();
  for (const double value : trial.values) values.push_back(NumberOrNull(value));
  Json params = Json::object();
  for (const hpo::Param& param : trial.params) params[param.name] = ValueJson(param.value());
  Json steps = Json::array();
  Json reports = Json::array();
  for (const auto& [step, value] : trial.intermediate) {
    steps.push_back(step);
    reports.push_back(NumberOrNull(value));
  }
  return {{"number", trial.number},
          {"state", hpo::NameOf(trial.state)},
          {"start", InstantJson(trial.start)},
          {"complete", InstantJson(trial.complete)},
          {"values", std::move(values)},
          {"feasible", hpo::ViolationOf(trial) == 0},
          {"params", std::move(params)},
          {"intermediate", {{"steps", std::move(steps)}, {"values", std::move(reports)}}}};
}

// Complete and feasible; the best first, or the Pareto front by number.
std::vector<TrialPtr> BestOf(const hpo::StudyInfo& study, const std::vector<TrialPtr>& trials) {
  constexpr std::size_t kBest = 10;
  std::vector<TrialPtr> good;
  for (const TrialPtr& trial : trials) {
    if (trial->state == TrialState::kComplete && hpo::ViolationOf(*trial) == 0 &&
        trial->values.size() == study.directions.size())
      good.push_back(trial);
  }
  // All to be minimised.
  const auto sign = [&](std::size_t i) {
    return study.directions[i] == hpo::Direction::kMaximize ? -1.0 : 1.0;
  };
  if (study.directions.size() == 1) {
    std::ranges::stable_sort(good, [&](const TrialPtr& a, const TrialPtr& b) {
      return sign(0) * a->values[0] < sign(0) * b->values[0];
    });
    if (good.size() > kBest) good.resize(kBest);
    return good;
  }
  hpo::PointSet points;
  points.objectives = study.directions.size();
  for (const TrialPtr& trial : good) {
    for (std::size_t i = 0; i < points.objectives; ++i)
      points.values.push_back(sign(i) * trial->values[i]);
  }
  std::vector<TrialPtr> front;
  const std::vector<std::size_t> ranks = hpo::NonDominationRanks(points, 1);
  for (std::size_t i = 0; i < good.size(); ++i) {
    if (ranks[i] == 0) front.push_back(good[i]);
  }
  return front;
}

Json StudyJson(const hpo::StudyInfo& study, const std::vector<TrialPtr>& trials) {
  Json directions = Json::array();
  for (const hpo::Direction direction : study.directions)
    directions.push_back(hpo::NameOf(direction));
  const auto count = [&](TrialState state) {
    return std::ranges::count_if(trials,
                                 [&](const TrialPtr& trial) { return trial->state == state; });
  };
  std::optional<UnixNanos> started;
  for (const TrialPtr& trial : trials) {
    if (trial->start && (!started || *trial->start < *started)) started = trial->start;
  }
  Json best = nullptr;
  if (study.directions.size() == 1) {
    const std::vector<TrialPtr> ranked = BestOf(study, trials);
    if (!ranked.empty()) best = NumberOrNull(ranked.front()->values[0]);
  }
  return {{"study_id", study.id},
          {"name", study.name},
          {"directions", std::move(directions)},
          {"complete", count(TrialState::kComplete)},
          {"pruned", count(TrialState::kPruned)},
          {"failed", count(TrialState::kFail)},
          {"running", count(TrialState::kRunning)},
          {"waiting", count(TrialState::kWaiting)},
          {"best_value", std::move(best)},
          {"started", InstantJson(started)}};
}

std::string_view NameOf(hpo::DistributionKind kind) {
  switch (kind) {
    case hpo::DistributionKind::kFloat:
      return "float";
    case hpo::DistributionKind::kInt:
      return "int";
    case hpo::DistributionKind::kCategorical:
      break;
  }
  return "categorical";
}

Json ParamsJson(const std::vector<TrialPtr>& trials) {
  std::vector<std::string> order;
  std::map<std::string, Json> params;
  for (const TrialPtr& trial : trials) {
    for (const hpo::Param& param : trial->params) {
      const hpo::Distribution& from = param.distribution;
      auto [found, is_new] = params.try_emplace(param.name);
      Json& json = found->second;
      if (is_new) {
        order.push_back(param.name);
        json = {{"name", param.name}, {"kind", NameOf(from.kind())}, {"low", nullptr},
                {"high", nullptr},    {"log", from.is_log()},        {"choices", Json::array()}};
        for (const hpo::ParamValue& choice : from.choices())
          json["choices"].push_back(ValueJson(choice));
      }
      if (!from.is_numeric()) continue;
      if (json["low"].is_null() || from.low() < json["low"]) json["low"] = from.low();
      if (json["high"].is_null() || from.high() > json["high"]) json["high"] = from.high();
    }
  }
  Json list = Json::array();
  for (const std::string& name : order) list.push_back(std::move(params[name]));
  return list;
}

Json ImportancesJson(const hpo::StudyInfo& study, const std::vector<TrialPtr>& trials) {
  constexpr std::ptrdiff_t kTrialsMin = 4;
  Json list = Json::array();
  const auto complete = std::ranges::count_if(
      trials, [](const TrialPtr& trial) { return trial->state == TrialState::kComplete; });
  if (complete < kTrialsMin) return list;
  // A study that has none (no parameter, one value only) has an empty list.
  const auto importances = hpo::ParamImportances(study, trials);
  if (!importances.ok()) return list;
  for (const auto& [name, importance] : *importances) {
    if (std::isfinite(importance)) list.push_back({{"name", name}, {"importance", importance}});
  }
  return list;
}

}  // namespace

Result<std::vector<TrialPtr>> Handlers::TrialsOf(hpo::StudyId study) {
  constexpr std::size_t kStudiesMax = 32;
  const std::scoped_lock lock(trials_mutex_);
  if (trials_.size() >= kStudiesMax && !trials_.contains(study)) trials_.clear();
  hpo::TrialCache& cache = trials_[study];
  TW_TRY(cache.Refresh(*services().studies, study));
  return cache.all();
}

Result<hpo::StudyInfo> Handlers::StudyOf(const Call& call) const {
  const std::string& text = call.at("study_id");
  hpo::StudyId id = -1;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (code != std::errc() || end != text.data() + text.size() || id < 0) {
    return Error{ErrorCode::kUsage,
                 fmt::format("path.study_id: '{}' is no number of a study", text.substr(0, 60))};
  }
  if (services().studies == nullptr)
    return Error{ErrorCode::kNotFound, "path.study_id: there is no storage of studies"};
  auto study = services().studies->GetStudy(id);
  if (!study.ok() && study.error().code == ErrorCode::kNotFound)
    return study.error().WithContext("path.study_id");
  return study;
}

Answer Handlers::ListStudies(Call& call) {
  TW_TRY(call.query.Finish());
  Json list = Json::array();
  if (services().studies != nullptr) {
    auto studies = TW_TRY(services().studies->ListStudies());
    std::ranges::reverse(studies);
    for (const hpo::StudyInfo& study : studies)
      list.push_back(StudyJson(study, TW_TRY(TrialsOf(study.id))));
  }
  return Reply({{"studies", std::move(list)}});
}

Answer Handlers::GetStudy(Call& call) {
  TW_TRY(call.query.Finish());
  const hpo::StudyInfo study = TW_TRY(StudyOf(call));
  const std::vector<TrialPtr> trials = TW_TRY(TrialsOf(study.id));
  Json best = Json::array();
  for (const TrialPtr& trial : BestOf(study, trials)) best.push_back(TrialJson(*trial));
  Json attributes = Json::object();
  for (const auto& [key, text] : study.user_attrs) attributes[key] = text;
  return Reply({{"study", StudyJson(study, trials)},
                {"params", ParamsJson(trials)},
                {"importances", ImportancesJson(study, trials)},
                {"best", std::move(best)},
                {"user_attrs", std::move(attributes)}});
}

Answer Handlers::ListStudyTrials(Call& call) {
  const std::string state =
      call.query.Choice("state", "", {"RUNNING", "COMPLETE", "PRUNED", "FAIL", "WAITING"});
  const auto offset = static_cast<std::size_t>(call.query.Integer("offset", 0, {0, 1'000'000}));
  const auto limit = static_cast<std::size_t>(call.query.Integer("limit", 100, {1, 1000}));
  TW_TRY(call.query.Finish());
  const hpo::StudyInfo study = TW_TRY(StudyOf(call));
  std::vector<TrialPtr> trials = TW_TRY(TrialsOf(study.id));
  std::erase_if(trials, [&](const TrialPtr& trial) {
    return !state.empty() && hpo::NameOf(trial->state) != state;
  });
  Json list = Json::array();
  for (std::size_t i = offset; i < std::min(trials.size(), offset + limit); ++i)
    list.push_back(TrialJson(*trials[i]));
  return Reply({{"total", trials.size()}, {"trials", std::move(list)}});
}

}  // namespace tw::server::internal
