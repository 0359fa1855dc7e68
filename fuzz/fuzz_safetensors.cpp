// Bytes of a model file, from outside: decoding must answer with a value or an error, and what
// decodes must encode to something that decodes to the same.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "nn/safetensors.h"
#include "rl/mlp_policy.h"

namespace {

bool SameBits(const tw::nn::TensorFile& a, const tw::nn::TensorFile& b) {
  if (a.metadata != b.metadata || a.tensors.size() != b.tensors.size()) return false;
  for (const auto& [name, tensor] : a.tensors) {
    const auto found = b.tensors.find(name);
    if (found == b.tensors.end() || found->second.shape != tensor.shape) return false;
    const auto& values = found->second.values;
    if (values.size() != tensor.values.size()) return false;
    if (!values.empty() &&
        std::memcmp(values.data(), tensor.values.data(), values.size() * sizeof(float)) != 0) {
      return false;
    }
  }
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto file = tw::nn::DecodeSafetensors(bytes);
  if (file.ok()) {
    const auto again = tw::nn::DecodeSafetensors(tw::nn::EncodeSafetensors(*file));
    TW_CHECK(again.ok() && SameBits(*again, *file), "a decoded file does not survive encoding");
  }
  const auto policy = tw::rl::MlpPolicy::Load(bytes);
  if (policy.ok())
    TW_CHECK(tw::rl::MlpPolicy::Load((*policy)->Save()).ok(),
             "a loaded policy does not load again");
  return 0;
}
