#pragma once

#include <cstdint>
#include <vector>

#include "hpo/distribution.h"
#include "hpo/trial_cache.h"

namespace tw::hpo {

/// The parameters with the same distribution in all COMPLETE (and PRUNED) trials, sorted by name.
/// Follows a growing study.
class IntersectionSpace {
 public:
  explicit IntersectionSpace(bool include_pruned) : include_pruned_(include_pruned) {}

  const SearchSpace& Update(const TrialCache& trials);

 private:
  bool include_pruned_;
  std::uint64_t serial_ = 0;
  std::size_t seen_ = 0;
  bool started_ = false;
  SearchSpace space_;
};

/// Partition of the parameters of COMPLETE and PRUNED trials into groups that always occur
/// together; names sorted within a group.
class GroupedSpace {
 public:
  const std::vector<SearchSpace>& Update(const TrialCache& trials);

 private:
  std::uint64_t serial_ = 0;
  std::size_t seen_ = 0;
  std::vector<SearchSpace> groups_;
};

/// Without the entries that have a single value.
SearchSpace WithoutSingles(const SearchSpace& space);

}  // namespace tw::hpo
