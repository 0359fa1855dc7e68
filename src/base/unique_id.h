#pragma once

#include <string>

namespace tw {

/// `bytes` (1 to 256) random bytes of the operating system as lower-case hexadecimal: for names
/// that nobody else may have. Never for anything that is computed; that takes an Rng.
std::string UniqueHex(int bytes);

}  // namespace tw
