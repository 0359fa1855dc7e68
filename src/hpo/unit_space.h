#pragma once

#include "hpo/distribution.h"

namespace tw::hpo {

/// The internal value at `u` in [0, 1] of a numeric distribution: linear, or in the logarithm for
/// log parameters. With `widen`, integers and stepped floats get half a step at either side, so
/// that all their values have the same share.
double FromUnit(const Distribution& distribution, double u, bool widen = true);
/// The other way round.
double ToUnit(const Distribution& distribution, double internal, bool widen = true);

}  // namespace tw::hpo
