#include "base/rng.h"

#include <cmath>
#include <numbers>

#include "base/check.h"

namespace tw {
namespace {

std::uint64_t MixBits(std::uint64_t x) {
  // SplitMix64's finaliser: spreads small seeds and indexes over all 64 bits.
  x += 0x9E3779B97F4A7C15ULL;
  x = (x ^ x >> 30U) * 0xBF58476D1CE4E5B9ULL;
  x = (x ^ x >> 27U) * 0x94D049BB133111EBULL;
  return x ^ x >> 31U;
}

std::uint64_t HashName(std::string_view name) {
  std::uint64_t hash = 0xCBF29CE484222325ULL;  // FNV-1a
  for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001B3ULL;
  return hash;
}

}  // namespace

std::array<std::uint32_t, 4> Philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t product0 = 0xD2511F53ULL * counter[0];
    const std::uint64_t product1 = 0xCD9E8D57ULL * counter[2];
    counter = {static_cast<std::uint32_t>(product1 >> 32U) ^ counter[1] ^ key[0],
               static_cast<std::uint32_t>(product1),
               static_cast<std::uint32_t>(product0 >> 32U) ^ counter[3] ^ key[1],
               static_cast<std::uint32_t>(product0)};
    key[0] += 0x9E3779B9U;
    key[1] += 0xBB67AE85U;
  }
  return counter;
}

Rng::Rng(std::uint64_t seed, std::string_view purpose, std::uint64_t index)
    : key_(MixBits(seed)), stream_(MixBits(HashName(purpose) ^ MixBits(index))) {}

Rng::Rng(const RngState& state)
    : key_(state.key), stream_(state.stream), position_(state.position) {
  if ((position_ & 3U) != 0) Refill();
}

RngState Rng::state() const { return RngState{key_, stream_, position_}; }

void Rng::Refill() {
  const std::uint64_t block = position_ / 4;
  block_ =
      Philox4x32({static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32U),
                  static_cast<std::uint32_t>(stream_), static_cast<std::uint32_t>(stream_ >> 32U)},
                 {static_cast<std::uint32_t>(key_), static_cast<std::uint32_t>(key_ >> 32U)});
}

std::uint64_t Rng::Below(std::uint64_t n) {
  TW_CHECK(n > 0, "Below(0) has no answer");
  // Lemire 2019: multiply, and reject the few products that would favour some values.
  __extension__ using Wide = unsigned __int128;
  Wide product = static_cast<Wide>(NextU64()) * n;
  auto low = static_cast<std::uint64_t>(product);
  if (low < n) {
    const std::uint64_t threshold = (0 - n) % n;
    while (low < threshold) {
      product = static_cast<Wide>(NextU64()) * n;
      low = static_cast<std::uint64_t>(product);
    }
  }
  return static_cast<std::uint64_t>(product >> 64U);
}

double Rng::Normal() {
  const double u = 1.0 - Uniform();  // in (0, 1]: the logarithm exists
  const double v = Uniform();
  return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
}

}  // namespace tw
