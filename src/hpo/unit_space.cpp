#include "hpo/unit_space.h"

#include <algorithm>
#include <cmath>

namespace tw::hpo {
namespace {

struct Range {
  double low = 0;
  double high = 0;
};

Range TransformedRange(const Distribution& distribution, bool widen) {
  const double half = widen ? distribution.step() / 2 : 0;
  Range range{distribution.low() - half, distribution.high() + half};
  if (distribution.is_log()) range = {std::log(range.low), std::log(range.high)};
  return range;
}

}  // namespace

double FromUnit(const Distribution& distribution, double u, bool widen) {
  const Range range = TransformedRange(distribution, widen);
  double value = range.low + u * (range.high - range.low);
  if (distribution.is_log()) value = std::exp(value);
  if (distribution.step() > 0) {
    // Halves: Python rounds integers up, and floats and log integers to even.
    const double k = (value - distribution.low()) / distribution.step();
    const bool up = distribution.kind() == DistributionKind::kInt && !distribution.is_log();
    value =
        distribution.low() + (up ? std::floor(k + 0.5) : std::nearbyint(k)) * distribution.step();
  } else if (distribution.low() < distribution.high()) {
    value = std::min(value, std::nextafter(distribution.high(), distribution.low()));
  }
  return std::clamp(value, distribution.low(), distribution.high());
}

double ToUnit(const Distribution& distribution, double internal, bool widen) {
  const Range range = TransformedRange(distribution, widen);
  const double value = distribution.is_log() ? std::log(internal) : internal;
  return (value - range.low) / (range.high - range.low);
}

}  // namespace tw::hpo
