#include "hpo/random_forest.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

#include "base/check.h"
#include "base/rng.h"

namespace tw::hpo::internal {
namespace {

using Rows = std::vector<std::uint32_t>;

struct Split {
  int feature = -1;
  double threshold = 0;
  double gain = 0;
};

/// Grows one tree over rows of a bootstrap sample (rows repeat).
class Grower {
 public:
  Grower(const std::vector<std::vector<double>>& columns, const std::vector<double>& targets,
         int depth_max)
      : columns_(columns), targets_(targets), depth_max_(depth_max) {}

  Tree Grow(Rows rows) {
    Tree tree;
    tree.nodes.emplace_back();

    struct Work {
      int node;
      int depth;
      Rows rows;
    };

    std::vector<Work> work;
    work.push_back({0, 0, std::move(rows)});
    while (!work.empty()) {
      Work at = std::move(work.back());
      work.pop_back();
      Describe(tree.nodes[static_cast<std::size_t>(at.node)], at.rows);
      if (at.depth >= depth_max_ || at.rows.size() < 2) continue;
      if (tree.nodes[static_cast<std::size_t>(at.node)].impurity <= 1e-12) continue;
      const Split split = BestSplit(at.rows);
      if (split.feature < 0) continue;
      const auto& column = columns_[static_cast<std::size_t>(split.feature)];
      const auto middle = std::partition(at.rows.begin(), at.rows.end(), [&](std::uint32_t row) {
        return column[row] <= split.threshold;
      });
      const int left = static_cast<int>(tree.nodes.size());
      tree.nodes.resize(tree.nodes.size() + 2);
      TreeNode& node = tree.nodes[static_cast<std::size_t>(at.node)];
      node.feature = split.feature;
      node.threshold = split.threshold;
      node.left = left;
      node.right = left + 1;
      work.push_back({left + 1, at.depth + 1, Rows(middle, at.rows.end())});
      work.push_back({left, at.depth + 1, Rows(at.rows.begin(), middle)});
    }
    return tree;
  }

 private:
  void Describe(TreeNode& node, const Rows& rows) const {
    double sum = 0;
    for (const std::uint32_t row : rows) sum += targets_[row];
    node.value = sum / static_cast<double>(rows.size());
    for (const std::uint32_t row : rows) {
      node.impurity += (targets_[row] - node.value) * (targets_[row] - node.value);
    }
  }

  Split BestSplit(const Rows& rows) {
    Split best;
    const double mean =
        std::accumulate(rows.begin(), rows.end(), 0.0,
                        [&](double sum, std::uint32_t row) { return sum + targets_[row]; }) /
        static_cast<double>(rows.size());
    for (std::size_t f = 0; f < columns_.size(); ++f) {
      const auto& column = columns_[f];
      sorted_.clear();
      for (const std::uint32_t row : rows) sorted_.emplace_back(column[row], targets_[row] - mean);
      std::sort(sorted_.begin(), sorted_.end());
      double left = 0;
      for (std::size_t i = 0; i + 1 < sorted_.size(); ++i) {
        left += sorted_[i].second;
        if (sorted_[i].first == sorted_[i + 1].first) continue;
        const auto n_left = static_cast<double>(i + 1);
        const auto n_right = static_cast<double>(sorted_.size() - i - 1);
        // Deviations from the mean: the sum to the right is minus that to the left.
        const double gain = left * left / n_left + left * left / n_right;
        if (gain <= best.gain * (1 + 1e-12)) continue;
        best = {static_cast<int>(f), sorted_[i].first / 2 + sorted_[i + 1].first / 2, gain};
        if (!(best.threshold < sorted_[i + 1].first)) best.threshold = sorted_[i].first;
      }
    }
    return best;
  }

  const std::vector<std::vector<double>>& columns_;
  const std::vector<double>& targets_;
  int depth_max_;
  std::vector<std::pair<double, double>> sorted_;
};

struct Leaf {
  std::vector<FeatureRange> box;
  double value = 0;
  double volume = 1;
};

std::vector<Leaf> LeavesOf(const Tree& tree, const std::vector<FeatureRange>& ranges) {
  std::vector<Leaf> leaves;
  std::vector<std::pair<int, std::vector<FeatureRange>>> work = {{0, ranges}};
  while (!work.empty()) {
    auto [index, box] = std::move(work.back());
    work.pop_back();
    const TreeNode& node = tree.nodes[static_cast<std::size_t>(index)];
    if (node.feature >= 0) {
      const auto f = static_cast<std::size_t>(node.feature);
      std::vector<FeatureRange> right = box;
      box[f].high = node.threshold;
      right[f].low = node.threshold;
      work.emplace_back(node.left, std::move(box));
      work.emplace_back(node.right, std::move(right));
      continue;
    }
    Leaf leaf{std::move(box), node.value, 1};
    for (const FeatureRange& range : leaf.box) leaf.volume *= range.high - range.low;
    leaves.push_back(std::move(leaf));
  }
  return leaves;
}

/// Weighted variance, gathered value by value.
struct Moments {
  double weight = 0;
  double sum = 0;
  double squares = 0;

  void Add(double value, double w) {
    weight += w;
    sum += w * value;
    squares += w * value * value;
  }

  double Variance() const {
    const double mean = sum / weight;
    return std::max(0.0, squares / weight - mean * mean);
  }
};

/// Edges of the pieces in which a tree is constant along a feature.
std::vector<double> EdgesOf(const std::vector<Leaf>& leaves, std::size_t feature) {
  std::set<double> edges;
  for (const Leaf& leaf : leaves) {
    edges.insert(leaf.box[feature].low);
    edges.insert(leaf.box[feature].high);
  }
  return {edges.begin(), edges.end()};
}

double MarginalVariance1d(const std::vector<Leaf>& leaves, std::size_t feature, double centre) {
  const std::vector<double> edges = EdgesOf(leaves, feature);
  // Differences of the sums over leaves that cover a piece.
  std::vector<double> weights(edges.size(), 0.0);
  std::vector<double> values(edges.size(), 0.0);
  for (const Leaf& leaf : leaves) {
    const FeatureRange& range = leaf.box[feature];
    const double weight = leaf.volume / (range.high - range.low);
    const auto begin = static_cast<std::size_t>(
        std::lower_bound(edges.begin(), edges.end(), range.low) - edges.begin());
    const auto end = static_cast<std::size_t>(
        std::lower_bound(edges.begin(), edges.end(), range.high) - edges.begin());
    weights[begin] += weight;
    weights[end] -= weight;
    values[begin] += weight * (leaf.value - centre);
    values[end] -= weight * (leaf.value - centre);
  }
  Moments moments;
  double weight = 0;
  double value = 0;
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    weight += weights[i];
    value += values[i];
    moments.Add(value / weight, weight * (edges[i + 1] - edges[i]));
  }
  return moments.Variance();
}

double MarginalVarianceJoint(const std::vector<Leaf>& leaves,
                             const std::vector<std::size_t>& features, double centre) {
  std::vector<std::vector<double>> edges;
  std::vector<std::size_t> at(features.size(), 0);
  edges.reserve(features.size());
  for (const std::size_t feature : features) edges.push_back(EdgesOf(leaves, feature));
  Moments moments;
  while (true) {
    double size = 1;
    double weight = 0;
    double value = 0;
    for (std::size_t k = 0; k < features.size(); ++k) size *= edges[k][at[k] + 1] - edges[k][at[k]];
    for (const Leaf& leaf : leaves) {
      double share = leaf.volume;
      bool covers = true;
      for (std::size_t k = 0; k < features.size() && covers; ++k) {
        const FeatureRange& range = leaf.box[features[k]];
        const double middle = (edges[k][at[k]] + edges[k][at[k] + 1]) / 2;
        covers = range.low <= middle && middle <= range.high;
        share /= range.high - range.low;
      }
      if (!covers) continue;
      weight += share;
      value += share * (leaf.value - centre);
    }
    if (weight > 0) moments.Add(value / weight, weight * size);
    std::size_t digit = 0;
    while (digit < at.size() && ++at[digit] + 1 == edges[digit].size()) at[digit++] = 0;
    if (digit == at.size()) break;
  }
  return moments.Variance();
}

}  // namespace

std::vector<Tree> GrowForest(const std::vector<std::vector<double>>& columns,
                             const std::vector<double>& targets, const ForestOptions& options) {
  std::vector<Tree> forest;
  forest.reserve(options.trees);
  Grower grower(columns, targets, options.depth_max);
  for (std::size_t t = 0; t < options.trees; ++t) {
    Rng rng(options.seed, "hpo.forest", t);
    Rows rows(targets.size());
    for (std::uint32_t& row : rows) row = static_cast<std::uint32_t>(rng.Below(targets.size()));
    forest.push_back(grower.Grow(std::move(rows)));
  }
  return forest;
}

std::vector<double> ImpurityDecrease(const std::vector<Tree>& forest, std::size_t features) {
  std::vector<double> shares(features, 0.0);
  for (const Tree& tree : forest) {
    std::vector<double> own(features, 0.0);
    double total = 0;
    for (const TreeNode& node : tree.nodes) {
      if (node.feature < 0) continue;
      const double decrease = node.impurity -
                              tree.nodes[static_cast<std::size_t>(node.left)].impurity -
                              tree.nodes[static_cast<std::size_t>(node.right)].impurity;
      own[static_cast<std::size_t>(node.feature)] += decrease;
      total += decrease;
    }
    for (std::size_t f = 0; f < features && total > 0; ++f) shares[f] += own[f] / total;
  }
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share = sum > 0 ? share / sum : 0;
  return shares;
}

std::vector<double> MarginalVarianceShares(const std::vector<Tree>& forest,
                                           const std::vector<FeatureRange>& ranges,
                                           const std::vector<std::vector<std::size_t>>& groups) {
  std::vector<double> shares(groups.size(), 0.0);
  double counted = 0;
  for (const Tree& tree : forest) {
    const std::vector<Leaf> leaves = LeavesOf(tree, ranges);
    const double centre = tree.nodes.front().value;  // keeps digits of small variances
    Moments all;
    for (const Leaf& leaf : leaves) all.Add(leaf.value - centre, leaf.volume);
    const double variance = all.Variance();
    if (!(variance > 0)) continue;
    ++counted;
    for (std::size_t g = 0; g < groups.size(); ++g) {
      const std::vector<std::size_t>& features = groups[g];
      TW_CHECK(!features.empty() && features.size() <= kJointFeaturesMax, "{} features at once",
               features.size());
      const double marginal = features.size() == 1
                                  ? MarginalVariance1d(leaves, features.front(), centre)
                                  : MarginalVarianceJoint(leaves, features, centre);
      shares[g] += marginal / variance;
    }
  }
  for (double& share : shares) share = counted > 0 ? share / counted : 0;
  return shares;
}

}  // namespace tw::hpo::internal
