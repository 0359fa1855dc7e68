#pragma once

// Internal to the importances: regression trees on bootstrap samples.

#include <cstdint>
#include <vector>

namespace tw::hpo::internal {

struct TreeNode {
  int feature = -1;      // -1: a leaf
  double threshold = 0;  // left: <= threshold
  int left = -1;
  int right = -1;
  double value = 0;     // mean of the targets here
  double impurity = 0;  // sum of squared deviations
};

struct Tree {
  std::vector<TreeNode> nodes;  // root first, parents before children
};

struct ForestOptions {
  std::size_t trees = 64;
  int depth_max = 64;
  std::uint64_t seed = 0;
};

/// `columns`: [features][rows]. Each split is the one that lowers the squared error most, at the
/// middle between two values, down to single rows or equal targets.
std::vector<Tree> GrowForest(const std::vector<std::vector<double>>& columns,
                             const std::vector<double>& targets, const ForestOptions& options);

/// Share of the decrease of squared error by feature, mean over the trees; sums to 1 (or 0).
std::vector<double> ImpurityDecrease(const std::vector<Tree>& forest, std::size_t features);

struct FeatureRange {
  double low = 0;
  double high = 1;
};

/// For each group of features, the mean over the trees of the share of variance over the box of
/// `ranges` (uniform) that the group explains alone. At most kJointFeaturesMax features a group.
std::vector<double> MarginalVarianceShares(const std::vector<Tree>& forest,
                                           const std::vector<FeatureRange>& ranges,
                                           const std::vector<std::vector<std::size_t>>& groups);

inline constexpr std::size_t kJointFeaturesMax = 12;

}  // namespace tw::hpo::internal
