#include "server/packed_column.h"

#include <algorithm>

namespace tw::server {

void PackedColumn::Append(std::span<const std::int64_t> values) {
  const auto [low, high] = std::ranges::minmax(values);
  // Unsigned: the distance of any two values fits, whatever their signs.
  const std::uint64_t range = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low);
  const std::uint64_t width = range == 0                                           ? 0
                              : range <= std::numeric_limits<std::uint8_t>::max()  ? 1
                              : range <= std::numeric_limits<std::uint16_t>::max() ? 2
                              : range <= std::numeric_limits<std::uint32_t>::max() ? 4
                                                                                   : 8;
  Block& block = blocks_.emplace_back();
  block.base = low;
  block.start = bytes_.size() & ((std::uint64_t{1} << 56U) - 1);
  block.width = width & 0xffU;
  if (width == 0) return;  // one value all along
  bytes_.resize(bytes_.size() + width * values.size());
  std::uint8_t* to = bytes_.data() + block.start;
  for (const std::int64_t value : values) {
    const std::uint64_t offset =
        static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(low);
    // The low bytes come first on the machines that this is built for (x86-64).
    std::memcpy(to, &offset, width);
    to += width;
  }
}

}  // namespace tw::server
