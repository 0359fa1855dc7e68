#include "hpo/grid_sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/log.h"
#include "base/rng.h"
#include "hpo/json_codec.h"
#include "hpo/uniform_source.h"

namespace tw::hpo {
namespace {

constexpr std::string_view kGridIdKey = "grid_id";
constexpr std::string_view kSpaceKey = "search_space";
constexpr std::size_t kPointsMax = 1'000'000;

/// numpy's legacy integer in [0, max]: masked words until one fits.
std::uint32_t Interval(LegacyNumpyRng& rng, std::uint32_t max) {
  std::uint32_t mask = max;
  for (unsigned shift = 1; shift < 32; shift *= 2) mask |= mask >> shift;
  while (true) {
    const std::uint32_t value = rng.NextU32() & mask;
    if (value <= max) return value;
  }
}

std::string JsonOf(const GridSampler::Grid& grid) {
  std::string json = "{";
  for (const auto& [name, values] : grid) {
    if (json.size() > 1) json += ", ";
    json += JsonString(name) + ": [";
    for (std::size_t i = 0; i < values.size(); ++i) json += (i > 0 ? ", " : "") + ToJson(values[i]);
    json += "]";
  }
  return json + "}";
}

bool SameGrid(const GridSampler::Grid& grid, std::string_view json) {
  const Result<internal::Json> parsed = internal::ParseJson(json);
  if (!parsed.ok() || !parsed->is_object() || parsed->size() != grid.size()) return false;
  return std::all_of(grid.begin(), grid.end(), [&](const auto& entry) {
    const auto found = parsed->find(entry.first);
    if (found == parsed->end() || !found->is_array() || found->size() != entry.second.size()) {
      return false;
    }
    for (std::size_t i = 0; i < entry.second.size(); ++i) {
      const Result<ParamValue> value = internal::AsValue((*found)[i]);
      if (!value.ok() || !SameValue(*value, entry.second[i])) return false;
    }
    return true;
  });
}

}  // namespace

Result<std::shared_ptr<GridSampler>> GridSampler::Create(Grid grid, std::uint32_t seed) {
  std::sort(grid.begin(), grid.end(),
            [](const auto& a, const auto& b) { return a.first < b.first; });
  if (grid.empty()) return Error{ErrorCode::kUsage, "grid: no parameter"};
  std::size_t points = 1;
  for (std::size_t i = 0; i < grid.size(); ++i) {
    const auto& [name, values] = grid[i];
    if (values.empty())
      return Error{ErrorCode::kUsage, fmt::format("grid: '{}' has no value", name)};
    if (i > 0 && grid[i - 1].first == name) {
      return Error{ErrorCode::kUsage, fmt::format("grid: '{}' is given twice", name)};
    }
    points *= values.size();
    if (points > kPointsMax) {
      return Error{ErrorCode::kUsage, fmt::format("grid: more than {} points", kPointsMax)};
    }
  }
  return std::shared_ptr<GridSampler>(new GridSampler(std::move(grid), seed));
}

GridSampler::GridSampler(Grid grid, std::uint32_t seed)
    : grid_(std::move(grid)), seed_(seed), json_(JsonOf(grid_)) {
  std::vector<std::uint32_t> point(grid_.size(), 0);
  while (true) {
    points_.push_back(point);
    std::size_t digit = grid_.size();
    while (digit > 0 && ++point[digit - 1] == grid_[digit - 1].second.size()) point[--digit] = 0;
    if (digit == 0) break;
  }
  LegacyNumpyRng rng(seed);
  for (std::size_t i = points_.size() - 1; i > 0; --i) {
    std::swap(points_[i], points_[Interval(rng, static_cast<std::uint32_t>(i))]);
  }
  visited_.assign(points_.size(), 0);
}

std::optional<std::size_t> GridSampler::GridIdOf(const FrozenTrial& trial) const {
  const auto id = trial.system_attrs.find(kGridIdKey);
  if (id == trial.system_attrs.end()) return std::nullopt;
  const auto space = trial.system_attrs.find(kSpaceKey);
  if (space == trial.system_attrs.end()) return std::nullopt;
  if (space->second != json_ && !SameGrid(grid_, space->second)) return std::nullopt;
  const Result<double> number = NumberFromJson(id->second);
  if (!number.ok() || !(*number >= 0 && *number < static_cast<double>(points_.size()))) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(*number);
}

std::vector<std::size_t> GridSampler::Open(const TrialCache& trials) {
  if (serial_ != trials.serial()) {
    serial_ = trials.serial();
    seen_ = 0;
    visited_.assign(points_.size(), 0);
  }
  for (; seen_ < trials.finished().size(); ++seen_) {
    if (const auto id = GridIdOf(*trials.finished()[seen_])) visited_[*id] = 1;
  }
  std::vector<char> running(points_.size(), 0);
  for (const TrialPtr& trial : trials.Unfinished()) {
    if (trial->state != TrialState::kRunning) continue;
    if (const auto id = GridIdOf(*trial)) running[*id] = 1;
  }
  std::vector<std::size_t> open;
  std::vector<std::size_t> unfinished;
  for (std::size_t id = 0; id < points_.size(); ++id) {
    if (visited_[id] != 0) continue;
    unfinished.push_back(id);
    if (running[id] == 0) open.push_back(id);
  }
  return open.empty() ? unfinished : open;
}

Status GridSampler::BeforeTrial(SamplerCall& call) {
  const Attributes& known = call.trial.system_attrs;
  if (known.contains(kGridIdKey) || known.contains(kFixedParamsKey)) return {};
  auto id = static_cast<std::size_t>(call.trial.number);
  if (id >= points_.size()) {
    const std::vector<std::size_t> open = Open(call.study.trials);
    Rng rng(seed_, "hpo.grid", static_cast<std::uint64_t>(call.trial.number));
    if (open.empty()) {
      LogWarn("hpo.grid", "trial={}: the grid is exhausted; a point is tried again",
              call.trial.number);
      id = rng.Below(points_.size());
    } else {
      id = open[rng.Below(open.size())];
    }
  }
  call.writes.system_attrs.insert_or_assign(std::string(kSpaceKey), json_);
  call.writes.system_attrs.insert_or_assign(std::string(kGridIdKey), fmt::format("{}", id));
  return {};
}

Result<double> GridSampler::SampleIndependent(SamplerCall& call, const std::string& name,
                                              const Distribution& distribution) {
  const auto found = std::find_if(grid_.begin(), grid_.end(),
                                  [&](const auto& entry) { return entry.first == name; });
  if (found == grid_.end()) {
    return Error{ErrorCode::kUsage, fmt::format("the grid has no parameter '{}'", name)};
  }
  const std::optional<std::size_t> id = GridIdOf(call.trial);
  if (!id) {
    return Error{ErrorCode::kUsage,
                 "a queued trial must fix all parameters when a grid is searched"};
  }
  const auto column = static_cast<std::size_t>(found - grid_.begin());
  const ParamValue& value = found->second[points_[*id][column]];
  const double internal = TW_TRY(distribution.ToInternal(value));
  if (!distribution.Contains(internal)) {
    LogWarn("hpo.grid", "value {} of '{}' is outside of {}", TextOf(value), name,
            distribution.PythonRepr());
  }
  return internal;
}

Status GridSampler::AfterTrial(SamplerCall& call, TrialState /*state*/,
                               const std::vector<double>& /*values*/) {
  const std::vector<std::size_t> open = Open(call.study.trials);
  const std::optional<std::size_t> own = GridIdOf(call.trial);
  if (open.empty() || (open.size() == 1 && own == open.front())) call.stop_study = true;
  return {};
}

}  // namespace tw::hpo
