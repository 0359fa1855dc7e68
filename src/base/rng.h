#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>

namespace tw {

/// Philox4x32-10, counter-based (Salmon et al. 2011, "Parallel Random Numbers: As Easy as 1, 2,
/// 3").
std::array<std::uint32_t, 4> Philox4x32(std::array<std::uint32_t, 4> counter,
                                        std::array<std::uint32_t, 2> key);

/// Everything needed to continue a stream exactly where it stood.
struct RngState {
  std::uint64_t key = 0;
  std::uint64_t stream = 0;
  std::uint64_t position = 0;  // number of 32-bit words already drawn

  bool operator==(const RngState&) const = default;
};

/// A random stream named by (seed, purpose, index). Streams of different purpose or index are
/// independent, so that adding draws in one place never changes another. Same arguments, same
/// numbers, on every machine.
class Rng {
 public:
  /// `purpose` is a short constant such as "rl.action"; `index` tells environments or folds apart.
  Rng(std::uint64_t seed, std::string_view purpose, std::uint64_t index = 0);

  explicit Rng(const RngState& state);

  RngState state() const;

  std::uint32_t NextU32() {
    const auto lane = static_cast<std::size_t>(position_ & 3U);
    if (lane == 0) Refill();
    ++position_;
    return block_[lane];
  }

  std::uint64_t NextU64() {
    const std::uint64_t high = NextU32();
    return high << 32U | NextU32();
  }

  /// Uniform in [0, 1), 53 random bits.
  double Uniform() { return static_cast<double>(NextU64() >> 11U) * 0x1.0p-53; }

  /// Uniform in [low, high).
  double Uniform(double low, double high) { return low + (high - low) * Uniform(); }

  /// Uniform in [0, 1), 24 random bits.
  float UniformFloat() { return static_cast<float>(NextU32() >> 8U) * 0x1.0p-24F; }

  /// Uniform in {0, ..., n - 1} without bias; n > 0.
  std::uint64_t Below(std::uint64_t n);

  /// Standard normal (Box-Muller; draws a fixed number of words, so streams stay aligned).
  double Normal();

  /// Fisher-Yates.
  template <class T>
  void Shuffle(std::span<T> values) {
    for (std::size_t i = values.size(); i > 1; --i) {
      std::swap(values[i - 1], values[static_cast<std::size_t>(Below(i))]);
    }
  }

 private:
  void Refill();

  std::uint64_t key_ = 0;
  std::uint64_t stream_ = 0;
  std::uint64_t position_ = 0;
  std::array<std::uint32_t, 4> block_{};
};

}  // namespace tw
