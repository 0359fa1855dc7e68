#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace tw::nn {

/// A float32 tensor, row-major.
struct Tensor {
  std::vector<std::int64_t> shape;
  std::vector<float> values;

  bool operator==(const Tensor&) const = default;
};

/// Named tensors with a text map: what a safetensors file holds. Only F32 is read and written.
struct TensorFile {
  std::map<std::string, Tensor> tensors;
  std::map<std::string, std::string> metadata;

  bool operator==(const TensorFile&) const = default;
};

/// The file's bytes; data starts on a multiple of 8 and tensors stand in the order of their names.
std::string EncodeSafetensors(const TensorFile& file);

/// Errors: kBadData naming the tensor and the limit. At most 16 MB of header, 4,096 tensors and 8
/// dimensions; offsets must tile the data exactly, as the format demands.
Result<TensorFile> DecodeSafetensors(std::string_view bytes);

}  // namespace tw::nn
