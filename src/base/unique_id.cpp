#include "base/unique_id.h"

#include <fmt/format.h>
#include <sys/random.h>

#include <array>

#include "base/check.h"

namespace tw {

std::string UniqueHex(int bytes) {
  std::array<unsigned char, 256> random{};
  TW_CHECK(bytes >= 1 && bytes <= 256, "{} bytes", bytes);
  const auto size = static_cast<std::size_t>(bytes);
  // Up to 256 bytes come whole, whatever signals arrive (getrandom(2)).
  const ssize_t got = ::getrandom(random.data(), size, 0);
  TW_CHECK(got == static_cast<ssize_t>(size), "the operating system gives no random bytes");
  std::string hex;
  for (std::size_t i = 0; i < size; ++i) hex += fmt::format("{:02x}", random[i]);
  return hex;
}

}  // namespace tw
