// The JSON of a normaliser, which comes with a model's files.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "features/normaliser.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using tw::features::Normaliser;
  const auto normaliser = Normaliser::FromJson({reinterpret_cast<const char*>(data), size});
  if (normaliser.ok() && !(Normaliser::FromJson(normaliser->ToJson()).value() == *normaliser))
    __builtin_trap();
  return 0;
}
