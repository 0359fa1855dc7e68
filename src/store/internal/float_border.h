#pragma once

#include <cmath>
#include <cstdint>

namespace tw::store {

/// The border between integer prices and the float32 of the files. A price is a whole multiple of
/// `step` millionths (half a tick); float32 keeps it apart from its neighbours as long as floats
/// lie closer than that, which ToFloat's caller checks with FromFloat.
inline float ToFloat(std::int64_t micros) {
  return static_cast<float>(static_cast<double>(micros) / 1e6);
}

/// The multiple of `step` that is nearest.
inline std::int64_t FromFloat(float value, double step) {
  return static_cast<std::int64_t>(std::nearbyint(static_cast<double>(value) * 1e6 / step) * step);
}

}  // namespace tw::store
