// What studies keep as JSON: distributions, values, lists and objects, in Python's dialect. The
// first byte chooses.
#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "hpo/distribution.h"
#include "hpo/value.h"

namespace {

bool IsNan(const tw::hpo::ParamValue& value) {
  const auto* number = std::get_if<double>(&value);
  return number != nullptr && std::isnan(*number);
}

void CheckDistribution(std::string_view text) {
  const auto read = tw::hpo::Distribution::FromJson(text);
  if (!read.ok()) return;
  const auto again = tw::hpo::Distribution::FromJson(read->ToJson());
  TW_CHECK(again.ok(), "{} does not read back", read->ToJson());
  // NaN is not equal to itself.
  if (std::any_of(read->choices().begin(), read->choices().end(), IsNan)) return;
  TW_CHECK(*again == *read, "{} reads back as {}", read->ToJson(), again->ToJson());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 3) {
    case 0:
      CheckDistribution(text);
      break;
    case 1:
      (void)tw::hpo::NumbersFromJson(text);
      break;
    default: {
      const auto object = tw::hpo::ObjectFromJson(text);
      if (object.ok())
        TW_CHECK(tw::hpo::ObjectFromJson(tw::hpo::ToJson(*object)).ok(), "no object");
    }
  }
  return 0;
}
