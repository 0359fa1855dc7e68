#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "hpo/trial.h"

namespace tw::hpo {

/// A value as it is minimised.
inline double LossOf(Direction direction, double value) {
  return direction == Direction::kMaximize ? -value : value;
}

/// Points of several objectives, all to be minimised: [count][objectives], row by row.
struct PointSet {
  std::size_t objectives = 0;
  std::vector<double> values;

  std::size_t size() const { return objectives == 0 ? 0 : values.size() / objectives; }

  std::span<const double> row(std::size_t i) const {
    return {values.data() + i * objectives, objectives};
  }
};

/// Non-domination rank of each point, 0 for the Pareto front. Equal points share a rank. Ranking
/// stops once `n_below` distinct points have one; the rest share the next rank.
std::vector<std::size_t> NonDominationRanks(const PointSet& points, std::size_t n_below);

/// Volume dominated by `points` within `reference` (2-D sweep, 3-D quadratic, otherwise the
/// exclusive volumes of WFG, While et al. 2012). +inf when the reference or the result is not
/// finite. No point may be worse than the reference.
double Hypervolume(const PointSet& points, std::span<const double> reference);

/// Greedy subset of `count` points with the largest hypervolume, as indices: in the order of choice
/// for distinct points. A reference that is not finite gives the first in lexicographic order.
std::vector<std::size_t> SelectByHypervolume(const PointSet& points, std::size_t count,
                                             std::span<const double> reference);

/// The `count` best points as indices: whole ranks as long as they fit, the next one cut by
/// SelectByHypervolume against ReferencePoint.
std::vector<std::size_t> BestByRank(const PointSet& points, std::size_t count);

/// Slightly worse than the worst point in each objective: max(1.1 w, 0.9 w), zeros replaced by
/// 1e-12.
std::vector<double> ReferencePoint(const PointSet& points);

}  // namespace tw::hpo
