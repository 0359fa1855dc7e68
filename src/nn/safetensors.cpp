#include "nn/safetensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace tw::nn {
namespace {

static_assert(std::endian::native == std::endian::little,
              "the format is little-endian and is copied as it is");

constexpr std::uint64_t kHeaderBytesMax = 16U << 20U;
constexpr std::size_t kTensorsMax = 4096;
constexpr std::size_t kDimensionsMax = 8;
constexpr std::uint64_t kFloatsMax = std::uint64_t{1}
                                     << 40U;  // so that byte counts cannot overflow

Error Bad(std::string message) {
  return Error{ErrorCode::kBadData, "safetensors: " + std::move(message)};
}

/// A non-negative integer that fits; JSON has floats and strings too.
bool ReadCount(const nlohmann::json& value, std::uint64_t& count) {
  if (!value.is_number_unsigned()) return false;
  count = value.get<std::uint64_t>();
  return true;
}

struct Extent {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

Result<Extent> ReadTensor(const std::string& name, const nlohmann::json& entry,
                          std::string_view data, Tensor& tensor) {
  if (!entry.is_object() || !entry.contains("dtype") || !entry.contains("shape") ||
      !entry.contains("data_offsets")) {
    return Bad(fmt::format("tensor '{}' lacks dtype, shape or data_offsets", name));
  }
  if (entry["dtype"] != "F32") return Bad(fmt::format("tensor '{}' is not of type F32", name));
  const nlohmann::json& shape = entry["shape"];
  const nlohmann::json& offsets = entry["data_offsets"];
  if (!shape.is_array() || shape.size() > kDimensionsMax) {
    return Bad(
        fmt::format("tensor '{}': the shape is no list of at most {} sizes", name, kDimensionsMax));
  }
  std::uint64_t count = 1;
  for (const nlohmann::json& item : shape) {
    std::uint64_t size = 0;
    if (!ReadCount(item, size) || size > kFloatsMax || (size != 0 && count > kFloatsMax / size)) {
      return Bad(
          fmt::format("tensor '{}': the shape is not one of at most {} floats", name, kFloatsMax));
    }
    count *= size;
    tensor.shape.push_back(static_cast<std::int64_t>(size));
  }
  Extent extent;
  if (!offsets.is_array() || offsets.size() != 2 || !ReadCount(offsets[0], extent.begin) ||
      !ReadCount(offsets[1], extent.end) || extent.begin > extent.end || extent.end > data.size()) {
    return Bad(fmt::format("tensor '{}': data_offsets are not within the {} bytes of data", name,
                           data.size()));
  }
  if (extent.end - extent.begin != count * sizeof(float)) {
    return Bad(
        fmt::format("tensor '{}': {} bytes for {} floats", name, extent.end - extent.begin, count));
  }
  tensor.values.resize(count);
  if (count > 0)
    std::memcpy(tensor.values.data(), data.data() + extent.begin, count * sizeof(float));
  return extent;
}

Result<void> CheckTiling(std::vector<Extent>& extents, std::uint64_t size) {
  std::ranges::sort(extents, [](const Extent& a, const Extent& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end < b.end;
  });
  std::uint64_t at = 0;
  for (const Extent& extent : extents) {
    if (extent.begin != at)
      return Bad(fmt::format("tensors overlap or leave a hole at byte {} of the data", at));
    at = extent.end;
  }
  if (at != size) return Bad(fmt::format("tensors cover {} of {} bytes of data", at, size));
  return {};
}

}  // namespace

std::string EncodeSafetensors(const TensorFile& file) {
  nlohmann::json header = nlohmann::json::object();
  if (!file.metadata.empty()) header["__metadata__"] = file.metadata;
  std::uint64_t at = 0;
  for (const auto& [name, tensor] : file.tensors) {
    const std::uint64_t size = tensor.values.size() * sizeof(float);
    header[name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {at, at + size}}};
    at += size;
  }
  std::string text = header.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const std::uint64_t length = text.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  bytes += text;
  for (const auto& [name, tensor] : file.tensors) {
    bytes.append(reinterpret_cast<const char*>(tensor.values.data()),
                 tensor.values.size() * sizeof(float));
  }
  return bytes;
}

Result<TensorFile> DecodeSafetensors(std::string_view bytes) {
  std::uint64_t length = 0;
  if (bytes.size() < sizeof(length))
    return Bad(fmt::format("{} bytes are too few for a header", bytes.size()));
  std::memcpy(&length, bytes.data(), sizeof(length));
  bytes.remove_prefix(sizeof(length));
  if (length > kHeaderBytesMax || length > bytes.size()) {
    return Bad(fmt::format("a header of {} bytes; the limit is {} and the file has {}", length,
                           kHeaderBytesMax, bytes.size()));
  }
  const std::string_view data = bytes.substr(length);
  const nlohmann::json header = nlohmann::json::parse(bytes.substr(0, length), nullptr, false);
  if (!header.is_object()) return Bad("the header is no JSON object");
  if (header.size() > kTensorsMax)
    return Bad(fmt::format("{} tensors; the limit is {}", header.size(), kTensorsMax));
  TensorFile file;
  std::vector<Extent> extents;
  for (const auto& [name, entry] : header.items()) {
    if (name == "__metadata__") {
      if (!entry.is_object()) return Bad("__metadata__ is no JSON object");
      for (const auto& [key, value] : entry.items()) {
        if (!value.is_string()) return Bad(fmt::format("__metadata__ '{}' is no text", key));
        file.metadata[key] = value.get<std::string>();
      }
      continue;
    }
    extents.push_back(TW_TRY(ReadTensor(name, entry, data, file.tensors[name])));
  }
  TW_TRY(CheckTiling(extents, data.size()));
  return file;
}

}  // namespace tw::nn
