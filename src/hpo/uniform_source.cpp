#include "hpo/uniform_source.h"

namespace tw::hpo {

LegacyNumpyRng::LegacyNumpyRng(std::uint32_t seed) {
  words_[0] = seed;
  for (std::size_t i = 1; i < kWords; ++i) {
    words_[i] =
        1812433253U * (words_[i - 1] ^ (words_[i - 1] >> 30U)) + static_cast<std::uint32_t>(i);
  }
}

void LegacyNumpyRng::Twist() {
  constexpr std::size_t kShift = 397;
  for (std::size_t i = 0; i < kWords; ++i) {
    const std::uint32_t mixed =
        (words_[i] & 0x80000000U) | (words_[(i + 1) % kWords] & 0x7fffffffU);
    words_[i] = words_[(i + kShift) % kWords] ^ (mixed >> 1U) ^ ((mixed & 1U) * 0x9908b0dfU);
  }
  at_ = 0;
}

std::uint32_t LegacyNumpyRng::NextU32() {
  if (at_ == kWords) Twist();
  std::uint32_t word = words_[at_++];
  word ^= word >> 11U;
  word ^= (word << 7U) & 0x9d2c5680U;
  word ^= (word << 15U) & 0xefc60000U;
  return word ^ (word >> 18U);
}

double LegacyNumpyRng::Uniform() {
  const std::uint32_t high = NextU32() >> 5U;
  const std::uint32_t low = NextU32() >> 6U;
  return (static_cast<double>(high) * 67108864.0 + static_cast<double>(low)) / 9007199254740992.0;
}

}  // namespace tw::hpo
