#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tw::hpo {

inline constexpr std::size_t kSobolDimensionsMax = 256;
inline constexpr std::uint64_t kSobolPointsMax = std::uint64_t{1} << 30U;

/// Point `index` (from 0, the origin) of the unscrambled Sobol sequence in Gray code order, the
/// direction numbers of Joe and Kuo (2008), 30 bits: bit by bit that of scipy.stats.qmc.Sobol.
/// dimensions <= kSobolDimensionsMax, index < kSobolPointsMax.
std::vector<double> SobolPoint(std::size_t dimensions, std::uint64_t index);

/// Point `index` of the unscrambled Halton sequence (bases: the first primes), as scipy's.
std::vector<double> HaltonPoint(std::size_t dimensions, std::uint64_t index);

}  // namespace tw::hpo
