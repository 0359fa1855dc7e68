#include "hpo/multi_objective.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "base/check.h"
#include "hpo/value.h"

namespace tw::hpo {
namespace {

using Rows = std::vector<std::size_t>;

bool LexicographicallyBefore(std::span<const double> a, std::span<const double> b) {
  return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
}

bool Equal(std::span<const double> a, std::span<const double> b) {
  return std::equal(a.begin(), a.end(), b.begin());
}

/// One index of each distinct point, in lexicographic order, the earliest of equals; `group` tells
/// each point's place in that list.
Rows DistinctSorted(const PointSet& points, Rows* group = nullptr) {
  Rows order(points.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
    return LexicographicallyBefore(points.row(a), points.row(b));
  });
  Rows distinct;
  if (group != nullptr) group->resize(points.size());
  for (const std::size_t i : order) {
    if (distinct.empty() || !Equal(points.row(distinct.back()), points.row(i)))
      distinct.push_back(i);
    if (group != nullptr) (*group)[i] = distinct.size() - 1;
  }
  return distinct;
}

/// Which of `rows` (distinct, sorted) are on the Pareto front: a later row cannot dominate an
/// earlier one.
std::vector<bool> OnFront(const PointSet& points, const Rows& rows) {
  std::vector<bool> front(rows.size(), false);
  if (points.objectives == 2) {
    double best = kInfinity;
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const double second = points.row(rows[i])[1];
      front[i] = i == 0 || second < best;
      best = std::min(best, second);
    }
    return front;
  }
  Rows kept;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto candidate = points.row(rows[i]);
    const bool dominated = std::any_of(kept.begin(), kept.end(), [&](std::size_t k) {
      const auto other = points.row(rows[k]);
      for (std::size_t d = 1; d < points.objectives; ++d) {
        if (candidate[d] < other[d]) return false;
      }
      return true;
    });
    if (dominated) continue;
    front[i] = true;
    kept.push_back(i);
  }
  return front;
}

PointSet Subset(const PointSet& points, const Rows& rows) {
  PointSet subset{points.objectives, {}};
  subset.values.reserve(rows.size() * points.objectives);
  for (const std::size_t i : rows) {
    const auto row = points.row(i);
    subset.values.insert(subset.values.end(), row.begin(), row.end());
  }
  return subset;
}

double Box(std::span<const double> point, std::span<const double> reference) {
  double volume = 1;
  for (std::size_t d = 0; d < point.size(); ++d) volume *= reference[d] - point[d];
  return volume;
}

/// `front`: sorted by the first objective, none dominated.
double Volume2d(const PointSet& front, std::span<const double> reference) {
  double volume = 0;
  double top = reference[1];
  for (std::size_t i = 0; i < front.size(); ++i) {
    const auto p = front.row(i);
    volume += (reference[0] - p[0]) * (top - p[1]);
    top = p[1];
  }
  return volume;
}

/// Columns between neighbouring first and second coordinates are as deep as the best third
/// coordinate among the points below them.
double Volume3d(const PointSet& front, std::span<const double> reference) {
  const std::size_t n = front.size();
  Rows by_second(n);
  std::iota(by_second.begin(), by_second.end(), std::size_t{0});
  std::sort(by_second.begin(), by_second.end(),
            [&](std::size_t a, std::size_t b) { return front.row(a)[1] < front.row(b)[1]; });
  std::vector<double> depth(n, 0.0);  // by place in by_second, over the points so far
  double volume = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const double width = (i + 1 < n ? front.row(i + 1)[0] : reference[0]) - front.row(i)[0];
    double running = 0;
    double area = 0;
    for (std::size_t j = 0; j < n; ++j) {
      if (by_second[j] == i) depth[j] = reference[2] - front.row(i)[2];
      running = std::max(running, depth[j]);
      const double next = j + 1 < n ? front.row(by_second[j + 1])[1] : reference[1];
      if (running > 0) area += running * (next - front.row(by_second[j])[1]);
    }
    volume += width * area;
  }
  return volume;
}

double VolumeWfg(const PointSet& sorted, std::span<const double> reference);

/// What point i adds beyond the points after it.
double ExclusiveVolume(const PointSet& sorted, std::size_t i, std::span<const double> reference) {
  PointSet limited{sorted.objectives, {}};
  for (std::size_t j = i + 1; j < sorted.size(); ++j) {
    for (std::size_t d = 0; d < sorted.objectives; ++d) {
      limited.values.push_back(std::max(sorted.row(i)[d], sorted.row(j)[d]));
    }
  }
  const double own = Box(sorted.row(i), reference);
  if (limited.size() == 0) return own;
  const Rows distinct = DistinctSorted(limited);
  const std::vector<bool> front = OnFront(limited, distinct);
  Rows kept;
  for (std::size_t k = 0; k < distinct.size(); ++k) {
    if (front[k]) kept.push_back(distinct[k]);
  }
  return own - VolumeWfg(Subset(limited, kept), reference);
}

double VolumeWfg(const PointSet& sorted, std::span<const double> reference) {
  double volume = 0;
  for (std::size_t i = 0; i < sorted.size(); ++i) volume += ExclusiveVolume(sorted, i, reference);
  return volume;
}

/// Greedy choice for two objectives: each point's rectangle shrinks with its chosen neighbours.
/// `sorted`: distinct rows in lexicographic order.
Rows Select2d(const PointSet& points, const Rows& sorted, std::size_t count,
              std::span<const double> reference) {
  struct Left {
    std::size_t row;
    double x, y;          // the point
    double right, upper;  // the free corner of its rectangle
  };

  std::vector<Left> left;
  left.reserve(sorted.size());
  for (const std::size_t row : sorted) {
    const auto p = points.row(row);
    left.push_back({row, p[0], p[1], reference[0], reference[1]});
  }
  Rows chosen;
  while (chosen.size() < count) {
    std::size_t best = 0;
    double best_area = -kInfinity;
    for (std::size_t i = 0; i < left.size(); ++i) {
      const double area = (left[i].right - left[i].x) * (left[i].upper - left[i].y);
      if (area > best_area) {
        best_area = area;
        best = i;
      }
    }
    const Left taken = left[best];
    chosen.push_back(taken.row);
    left.erase(left.begin() + static_cast<std::ptrdiff_t>(best));
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (i < best)
        left[i].right = std::min(left[i].right, taken.x);
      else
        left[i].upper = std::min(left[i].upper, taken.y);
    }
  }
  return chosen;
}

/// Greedy choice with lazy bounds: a contribution only shrinks as points are chosen.
Rows SelectLazily(const PointSet& points, const Rows& sorted, std::size_t count,
                  std::span<const double> reference) {
  std::vector<double> bound(sorted.size());
  for (std::size_t i = 0; i < sorted.size(); ++i) bound[i] = Box(points.row(sorted[i]), reference);
  std::vector<bool> taken(sorted.size(), false);
  Rows chosen;
  double volume = 0;
  while (chosen.size() < count) {
    Rows order;
    for (std::size_t i = 0; i < sorted.size(); ++i) {
      if (!taken[i]) order.push_back(i);
    }
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return bound[a] > bound[b]; });
    std::size_t best = order.front();
    double best_gain = -kInfinity;
    for (const std::size_t i : order) {
      if (bound[i] < best_gain) break;
      double gain = bound[i];
      if (!chosen.empty() && std::isfinite(gain)) {
        Rows with = chosen;
        with.push_back(sorted[i]);
        gain = Hypervolume(Subset(points, with), reference) - volume;
      }
      bound[i] = gain;
      if (gain > best_gain || (gain == best_gain && i < best)) {
        best_gain = gain;
        best = i;
      }
    }
    taken[best] = true;
    chosen.push_back(sorted[best]);
    volume = Hypervolume(Subset(points, chosen), reference);
  }
  return chosen;
}

}  // namespace

std::vector<std::size_t> NonDominationRanks(const PointSet& points, std::size_t n_below) {
  Rows group;
  Rows left = DistinctSorted(points, &group);
  const std::size_t distinct = left.size();
  std::vector<std::size_t> ranks(distinct, 0);
  Rows places(distinct);
  std::iota(places.begin(), places.end(), std::size_t{0});
  std::size_t rank = 0;
  if (points.objectives == 1) {
    std::iota(ranks.begin(), ranks.end(), std::size_t{0});
    left.clear();
    places.clear();
  }
  while (!left.empty() && distinct - left.size() < std::min(n_below, distinct)) {
    const std::vector<bool> front = OnFront(points, left);
    Rows rest;
    Rows rest_places;
    for (std::size_t i = 0; i < left.size(); ++i) {
      if (front[i]) {
        ranks[places[i]] = rank;
      } else {
        rest.push_back(left[i]);
        rest_places.push_back(places[i]);
      }
    }
    left = std::move(rest);
    places = std::move(rest_places);
    ++rank;
  }
  for (const std::size_t place : places) ranks[place] = rank;
  std::vector<std::size_t> all(points.size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = ranks[group[i]];
  return all;
}

double Hypervolume(const PointSet& points, std::span<const double> reference) {
  for (const double r : reference) {
    if (!std::isfinite(r)) return kInfinity;
  }
  if (points.size() == 0) return 0;
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (std::size_t d = 0; d < points.objectives; ++d) {
      TW_CHECK(points.row(i)[d] <= reference[d], "point {} is worse than the reference", i);
    }
  }
  const Rows distinct = DistinctSorted(points);
  const std::vector<bool> on_front = OnFront(points, distinct);
  Rows front;
  for (std::size_t i = 0; i < distinct.size(); ++i) {
    if (on_front[i] && (points.objectives > 1 || i == 0)) front.push_back(distinct[i]);
  }
  const PointSet sorted = Subset(points, front);
  const double volume = points.objectives == 2   ? Volume2d(sorted, reference)
                        : points.objectives == 3 ? Volume3d(sorted, reference)
                                                 : VolumeWfg(sorted, reference);
  // Not `?:`: clang-tidy takes infinity in it for a constant that is narrowed.
  if (std::isfinite(volume)) return volume;
  return kInfinity;
}

std::vector<std::size_t> SelectByHypervolume(const PointSet& points, std::size_t count,
                                             std::span<const double> reference) {
  TW_CHECK(count <= points.size(), "{} of {} points", count, points.size());
  Rows all(points.size());
  std::iota(all.begin(), all.end(), std::size_t{0});
  if (count == points.size()) return all;
  const Rows distinct = DistinctSorted(points);
  if (distinct.size() < count) {
    // All distinct points, filled up with the first of the repeated ones.
    std::vector<bool> chosen(points.size(), false);
    for (const std::size_t i : distinct) chosen[i] = true;
    std::size_t missing = count - distinct.size();
    for (std::size_t i = 0; i < chosen.size() && missing > 0; ++i) {
      if (chosen[i]) continue;
      chosen[i] = true;
      --missing;
    }
    std::erase_if(all, [&](std::size_t i) { return !chosen[i]; });
    return all;
  }
  const bool finite =
      std::all_of(reference.begin(), reference.end(), [](double r) { return std::isfinite(r); });
  if (!finite || distinct.size() == count) {
    return {distinct.begin(), distinct.begin() + static_cast<std::ptrdiff_t>(count)};
  }
  return points.objectives == 2 ? Select2d(points, distinct, count, reference)
                                : SelectLazily(points, distinct, count, reference);
}

std::vector<std::size_t> BestByRank(const PointSet& points, std::size_t count) {
  Rows best;
  if (count >= points.size()) {
    best.resize(points.size());
    std::iota(best.begin(), best.end(), std::size_t{0});
    return best;
  }
  if (count == 0) return best;
  const std::vector<std::size_t> ranks = NonDominationRanks(points, count);
  Rows counts(*std::max_element(ranks.begin(), ranks.end()) + 1, 0);
  for (const std::size_t rank : ranks) ++counts[rank];
  std::size_t whole = 0;
  std::size_t taken = 0;
  while (whole < counts.size() && taken + counts[whole] <= count) taken += counts[whole++];
  Rows tied;
  for (std::size_t i = 0; i < ranks.size(); ++i) {
    if (ranks[i] < whole) best.push_back(i);
    if (ranks[i] == whole) tied.push_back(i);
  }
  if (taken == count) return best;
  const PointSet cut = Subset(points, tied);
  for (const std::size_t i : SelectByHypervolume(cut, count - taken, ReferencePoint(cut))) {
    best.push_back(tied[i]);
  }
  return best;
}

std::vector<double> ReferencePoint(const PointSet& points) {
  std::vector<double> reference(points.objectives, -kInfinity);
  for (std::size_t i = 0; i < points.size(); ++i) {
    for (std::size_t d = 0; d < points.objectives; ++d) {
      reference[d] = std::max(reference[d], points.row(i)[d]);
    }
  }
  for (double& worst : reference) {
    worst = std::max(1.1 * worst, 0.9 * worst);
    if (worst == 0) worst = 1e-12;
  }
  return reference;
}

}  // namespace tw::hpo
