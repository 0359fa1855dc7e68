#pragma once

#include <cstdint>
#include <string_view>

namespace tw::store {

/// Decimal text to millionths in one pass, for the importers' inner loop: no allocation, no binary
/// float. Digits beyond the sixth are rounded half away from zero. `point` is '.' or ','. An
/// exponent takes a slower path. Returns false when the text is no number or lies outside +-9e12
/// millionths.
bool ScanMicros(std::string_view text, char point, std::int64_t& micros);

/// Decimal text to double (volumes). Returns false when it is no number from 0 to 1e18.
bool ScanVolume(std::string_view text, char point, double& volume);

/// Digits only, below 9e18.
bool ScanDigits(std::string_view text, std::int64_t& value);

}  // namespace tw::store
