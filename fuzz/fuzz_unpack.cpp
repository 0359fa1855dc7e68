// Compressed containers: gzip, zip, LZMA and UTF-16. Whatever comes, the output stays bounded.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "store/import/source_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  tw::store::UnpackLimits limits;
  limits.bytes_max = std::size_t{1} << 22;
  limits.ratio_from = std::size_t{1} << 20;
  limits.members_max = 16;
  const std::size_t slack = std::size_t{1} << 22;  // one step of the decoder beyond the limit
  switch (data[0] % 4) {
    case 0: {
      const auto out = tw::store::GunzipBounded(bytes, limits);
      if (out.ok())
        TW_CHECK(out->size() <= limits.bytes_max + slack, "gunzip gave {} bytes", out->size());
      break;
    }
    case 1: {
      const auto members = tw::store::UnzipBounded(bytes, limits);
      if (members.ok())
        TW_CHECK(members->size() <= limits.members_max, "{} members", members->size());
      break;
    }
    case 2: {
      const auto out = tw::store::UnlzmaBounded(bytes, limits);
      if (out.ok())
        TW_CHECK(out->size() <= limits.bytes_max + slack, "unlzma gave {} bytes", out->size());
      break;
    }
    default: {
      const auto out = tw::store::Utf16ToUtf8(bytes);
      if (out.ok()) TW_CHECK(out->size() <= 2 * bytes.size(), "UTF-8 of {} bytes", out->size());
    }
  }
  return 0;
}
