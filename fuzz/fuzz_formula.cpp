// Formulas of features, which come from config files.
#include <cstddef>
#include <cstdint>
#include <string>

#include "features/feature_set.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tw::features;  // NOLINT(google-build-using-namespace)
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto set = FeatureSet::Compile({.formulas = {{"f", text, ""}}}, tw::Timeframe::Minutes(60));
  if (!set.ok()) return 0;
  // What compiles also explains itself, reads back as the same formula, and runs.
  const auto description = set->Describe().front();
  if (description.canonical.size() < 4'000) {
    const auto again = FeatureSet::Compile({.formulas = {{"f", description.canonical, ""}}},
                                           tw::Timeframe::Minutes(60));
    if (again.ok() && again->fingerprint() != set->fingerprint()) __builtin_trap();
  }
  if (set->lookback() > 3'000) return 0;
  FeatureStream stream = set->NewStream();
  float value = 0;
  for (std::int64_t row = 250; row < 262; ++row) {
    const double price = 1.0 + static_cast<double>(row % 5);
    const BarValues bar = {.open = price,
                           .high = price + 1,
                           .low = price - 1,
                           .close = price,
                           .volume = 0,
                           .spread = 1e-5};
    if (!stream.Push(row, bar, {&value, 1}).ok()) __builtin_trap();
  }
  return 0;
}
