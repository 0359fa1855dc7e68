#include "hpo/search_space.h"

#include <algorithm>
#include <utility>

namespace tw::hpo {
namespace {

bool Counts(TrialState state, bool include_pruned) {
  return state == TrialState::kComplete || (include_pruned && state == TrialState::kPruned);
}

void SortByName(SearchSpace& space) {
  std::sort(space.begin(), space.end(),
            [](const SpaceEntry& a, const SpaceEntry& b) { return a.name < b.name; });
}

SearchSpace SpaceOf(const FrozenTrial& trial) {
  SearchSpace space;
  space.reserve(trial.params.size());
  for (const Param& param : trial.params) space.push_back({param.name, param.distribution});
  SortByName(space);
  return space;
}

/// Splits `groups` by the parameters of one trial; parameters new to all form a group of their own.
void AddTrial(std::vector<SearchSpace>& groups, SearchSpace params) {
  std::vector<SearchSpace> next;
  for (const SearchSpace& group : groups) {
    SearchSpace inside;
    SearchSpace outside;
    for (const SpaceEntry& entry : group) {
      const auto found = std::find_if(params.begin(), params.end(),
                                      [&](const SpaceEntry& p) { return p.name == entry.name; });
      if (found == params.end()) {
        outside.push_back(entry);
        continue;
      }
      inside.push_back(entry);
      params.erase(found);
    }
    if (!inside.empty()) next.push_back(std::move(inside));
    if (!outside.empty()) next.push_back(std::move(outside));
  }
  if (!params.empty()) next.push_back(std::move(params));
  groups = std::move(next);
}

}  // namespace

const SearchSpace& IntersectionSpace::Update(const TrialCache& trials) {
  if (serial_ != trials.serial()) {
    *this = IntersectionSpace(include_pruned_);
    serial_ = trials.serial();
  }
  for (; seen_ < trials.finished().size(); ++seen_) {
    const FrozenTrial& trial = *trials.finished()[seen_];
    if (!Counts(trial.state, include_pruned_)) continue;
    if (!started_) {
      started_ = true;
      space_ = SpaceOf(trial);
      continue;
    }
    std::erase_if(space_, [&](const SpaceEntry& entry) {
      const Param* param = trial.Find(entry.name);
      return param == nullptr || !(param->distribution == entry.distribution);
    });
  }
  return space_;
}

const std::vector<SearchSpace>& GroupedSpace::Update(const TrialCache& trials) {
  if (serial_ != trials.serial()) {
    *this = GroupedSpace();
    serial_ = trials.serial();
  }
  for (; seen_ < trials.finished().size(); ++seen_) {
    const FrozenTrial& trial = *trials.finished()[seen_];
    if (Counts(trial.state, true)) AddTrial(groups_, SpaceOf(trial));
  }
  return groups_;
}

SearchSpace WithoutSingles(const SearchSpace& space) {
  SearchSpace kept;
  kept.reserve(space.size());
  std::copy_if(space.begin(), space.end(), std::back_inserter(kept),
               [](const SpaceEntry& entry) { return !entry.distribution.IsSingle(); });
  return kept;
}

}  // namespace tw::hpo
