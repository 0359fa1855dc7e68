#include "hpo/low_discrepancy.h"

#include <array>

#include "base/check.h"

namespace tw::hpo {
namespace {

constexpr unsigned kBits = 30;
constexpr std::size_t kDegreeMax = 11;

struct DirectionNumbers {
  std::uint32_t polynomial = 0;  // coefficients as bits, both ends included
  std::array<std::uint32_t, kDegreeMax> first = {};
};

constexpr std::array<DirectionNumbers, kSobolDimensionsMax - 1> kDirections = {{
#include "hpo/sobol_table.inc"
}};

using Column = std::array<std::uint32_t, kBits>;

unsigned DegreeOf(std::uint32_t polynomial) {
  unsigned degree = 0;
  while (polynomial >> (degree + 1) != 0) ++degree;
  return degree;
}

/// Direction numbers of one dimension, shifted to the top of the 30 bits.
Column ColumnOf(std::size_t dimension) {
  Column v{};
  if (dimension == 0) {
    v.fill(1);  // van der Corput
  } else {
    const DirectionNumbers& direction = kDirections[dimension - 1];
    const unsigned degree = DegreeOf(direction.polynomial);
    for (unsigned j = 0; j < kBits; ++j) {
      if (j < degree) {
        v[j] = direction.first[j];
        continue;
      }
      v[j] = v[j - degree] ^ (v[j - degree] << degree);
      for (unsigned k = 1; k < degree; ++k) {
        if ((direction.polynomial >> (degree - k) & 1U) != 0) v[j] ^= v[j - k] << k;
      }
    }
  }
  for (unsigned j = 0; j < kBits; ++j) v[j] <<= kBits - 1 - j;
  return v;
}

std::vector<std::uint64_t> FirstPrimes(std::size_t count) {
  std::vector<std::uint64_t> primes;
  for (std::uint64_t candidate = 2; primes.size() < count; ++candidate) {
    bool prime = true;
    for (const std::uint64_t p : primes) {
      if (p * p > candidate) break;
      prime = prime && candidate % p != 0;
    }
    if (prime) primes.push_back(candidate);
  }
  return primes;
}

}  // namespace

std::vector<double> SobolPoint(std::size_t dimensions, std::uint64_t index) {
  TW_CHECK(dimensions <= kSobolDimensionsMax && index < kSobolPointsMax,
           "Sobol point {} of {} dimensions", index, dimensions);
  const std::uint64_t gray = index ^ (index >> 1U);
  std::vector<double> point(dimensions);
  for (std::size_t d = 0; d < dimensions; ++d) {
    const Column column = ColumnOf(d);
    std::uint32_t bits = 0;
    for (unsigned j = 0; j < kBits; ++j) {
      if ((gray >> j & 1U) != 0) bits ^= column[j];
    }
    point[d] = static_cast<double>(bits) * 0x1p-30;
  }
  return point;
}

std::vector<double> HaltonPoint(std::size_t dimensions, std::uint64_t index) {
  const std::vector<std::uint64_t> bases = FirstPrimes(dimensions);
  std::vector<double> point(dimensions);
  for (std::size_t d = 0; d < dimensions; ++d) {
    // The radical inverse, summed digit by digit until a digit would no longer be seen.
    double weight = 1 / static_cast<double>(bases[d]);
    double sum = 0;
    for (std::uint64_t rest = index; 1 - weight < 1; rest /= bases[d]) {
      sum += static_cast<double>(rest % bases[d]) * weight;
      weight /= static_cast<double>(bases[d]);
    }
    point[d] = sum;
  }
  return point;
}

}  // namespace tw::hpo
