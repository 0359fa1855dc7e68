#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/rng.h"

namespace tw::hpo {

/// The generator of numpy.random.RandomState(seed) (Mersenne Twister, Matsumoto and Nishimura
/// 1998), for studies that must repeat what Python would draw.
class LegacyNumpyRng {
 public:
  explicit LegacyNumpyRng(std::uint32_t seed);

  std::uint32_t NextU32();

  /// random_sample: [0, 1), 53 bits from two words.
  double Uniform();

 private:
  static constexpr std::size_t kWords = 624;

  void Twist();

  std::array<std::uint32_t, kWords> words_{};
  std::size_t at_ = kWords;
};

/// Uniform numbers in [0, 1) for one call of a sampler: a stream of its own by (seed, purpose,
/// trial), or the next ones of a generator that is kept.
class UniformSource {
 public:
  UniformSource(std::uint64_t seed, std::string_view purpose, std::int64_t trial_number)
      : rng_(seed, purpose, static_cast<std::uint64_t>(trial_number)) {}

  explicit UniformSource(LegacyNumpyRng& legacy) : rng_(0, "hpo.unused"), legacy_(&legacy) {}

  double Next() { return legacy_ != nullptr ? legacy_->Uniform() : rng_.Uniform(); }

 private:
  Rng rng_;
  LegacyNumpyRng* legacy_ = nullptr;
};

}  // namespace tw::hpo
