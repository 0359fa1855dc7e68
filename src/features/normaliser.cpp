#include "features/normaliser.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/check.h"

namespace tw::features {
namespace {

constexpr double kNormalRange =
    1.3489795003921634;                 // quartiles of the standard normal lie at +-0.67449
constexpr double kLeastSpread = 1e-12;  // of the values' size: less is rounding
constexpr std::array<std::pair<Normalisation, std::string_view>, 3> kMethods = {
    {{Normalisation::kZScore, "zscore"},
     {Normalisation::kRobust, "robust"},
     {Normalisation::kNone, "none"}}};

/// Neumaier's compensated sum.
double Sum(std::span<const double> values) {
  double sum = 0;
  double lost = 0;
  for (const double value : values) {
    const double next = sum + value;
    lost += std::abs(sum) >= std::abs(value) ? (sum - next) + value : (value - next) + sum;
    sum = next;
  }
  return sum + lost;
}

/// Linear interpolation at position q (n - 1) of the sorted values.
double Quantile(std::vector<double>& values, double q) {
  const double position = q * static_cast<double>(values.size() - 1);
  const auto below = static_cast<std::ptrdiff_t>(position);
  std::nth_element(values.begin(), values.begin() + below, values.end());
  const double low = values[static_cast<std::size_t>(below)];
  if (static_cast<std::size_t>(below) + 1 == values.size()) return low;
  const double high = *std::min_element(values.begin() + below + 1, values.end());
  return low + (high - low) * (position - static_cast<double>(below));
}

struct Fitted {
  double center = 0;
  double scale = 1;
};

double Deviation(std::vector<double> values, double mean) {
  for (double& value : values) value = (value - mean) * (value - mean);
  return std::sqrt(Sum(values) / static_cast<double>(values.size()));
}

Fitted FitColumn(Normalisation method, std::vector<double>& values) {
  if (method == Normalisation::kNone) return {};
  const double mean = Sum(values) / static_cast<double>(values.size());
  const double size =
      std::abs(*std::ranges::max_element(values, {}, [](double v) { return std::abs(v); }));
  Fitted fitted{mean, Deviation(values, mean)};
  if (method == Normalisation::kRobust) {
    fitted.center = Quantile(values, 0.5);
    const double range = Quantile(values, 0.75) - Quantile(values, 0.25);
    // A feature that hardly ever moves has no interquartile range; its deviation tells more.
    if (range > kLeastSpread * size) fitted.scale = range / kNormalRange;
  }
  if (!(fitted.scale > kLeastSpread * size)) fitted.scale = 1;
  return fitted;
}

}  // namespace

Result<Normaliser> Normaliser::Fit(const FeatureMatrix& matrix, const FeatureConfig& config,
                                   std::int64_t begin, std::int64_t end) {
  TW_CHECK(0 <= begin && begin <= end && end <= matrix.rows, "bars [{}, {}) of {}", begin, end,
           matrix.rows);
  Normaliser normaliser;
  normaliser.method = config.normalisation;
  normaliser.clip = config.clip;
  normaliser.names = matrix.names;
  std::vector<double> values;
  for (int c = 0; c < matrix.cols; ++c) {
    values.clear();
    for (std::int64_t bar = begin; bar < end; ++bar) {
      const float value = matrix.values[static_cast<std::size_t>(bar * matrix.cols + c)];
      if (std::isfinite(value)) values.push_back(static_cast<double>(value));
    }
    if (values.size() < 2) {
      return Error{ErrorCode::kBadData, fmt::format("feature '{}' has {} finite values in the {} "
                                                    "bars of the training window, wanted 2 or more",
                                                    matrix.names[static_cast<std::size_t>(c)],
                                                    values.size(), end - begin)};
    }
    normaliser.samples.push_back(static_cast<std::int64_t>(values.size()));
    const Fitted fitted = FitColumn(config.normalisation, values);
    normaliser.center.push_back(fitted.center);
    normaliser.scale.push_back(fitted.scale);
  }
  return normaliser;
}

int Normaliser::Apply(std::span<const float> raw, std::span<float> out) const {
  TW_DCHECK(raw.size() == center.size() && out.size() == center.size(),
            "{} values, {} places for {} features", raw.size(), out.size(), center.size());
  int replaced = 0;
  for (std::size_t c = 0; c < center.size(); ++c) {
    if (!std::isfinite(raw[c])) {
      out[c] = 0;
      ++replaced;
      continue;
    }
    const double scaled = (static_cast<double>(raw[c]) - center[c]) / scale[c];
    out[c] = static_cast<float>(method == Normalisation::kNone ? scaled
                                                               : std::clamp(scaled, -clip, clip));
  }
  return replaced;
}

std::int64_t Normaliser::Apply(FeatureMatrix& matrix) const {
  TW_CHECK(matrix.names == names, "a normaliser of other features");
  std::int64_t replaced = 0;
  for (std::int64_t bar = 0; bar < matrix.rows; ++bar) {
    const std::span<float> row(matrix.values.data() + bar * matrix.cols,
                               static_cast<std::size_t>(matrix.cols));
    const int count = Apply(row, row);
    if (bar >= matrix.first_valid_bar) replaced += count;
  }
  return replaced;
}

std::string Normaliser::ToJson() const {
  nlohmann::ordered_json json;
  json["schema"] = 1;
  for (const auto& [value, name] : kMethods) {
    if (value == method) json["method"] = name;
  }
  json["clip"] = clip;
  json["features"] = nlohmann::ordered_json::array();
  for (std::size_t c = 0; c < names.size(); ++c) {
    json["features"].push_back(
        {{"name", names[c]}, {"center", center[c]}, {"scale", scale[c]}, {"samples", samples[c]}});
  }
  return json.dump(1);
}

Result<Normaliser> Normaliser::FromJson(std::string_view text) {
  const auto fail = [](std::string_view what) {
    return Error{ErrorCode::kBadData, fmt::format("normaliser: {}", what)};
  };
  const auto json = nlohmann::json::parse(text, nullptr, false);
  if (!json.is_object()) return fail("no JSON object");
  if (json.value("schema", nlohmann::json()) != 1) return fail("'schema' is not 1");
  Normaliser normaliser;
  const auto method = json.value("method", nlohmann::json());
  const auto* found =
      std::ranges::find_if(kMethods, [&](const auto& item) { return method == item.second; });
  if (found == kMethods.end()) return fail("'method' is none of zscore, robust, none");
  normaliser.method = found->first;
  const auto clip = json.value("clip", nlohmann::json());
  if (!clip.is_number() || !(clip.get<double>() > 0)) return fail("'clip' is no positive number");
  normaliser.clip = clip.get<double>();
  const auto features = json.value("features", nlohmann::json());
  if (!features.is_array()) return fail("'features' is no list");
  for (const auto& item : features) {
    const bool good = item.is_object() && item.contains("name") && item["name"].is_string() &&
                      item.contains("center") && item["center"].is_number() &&
                      item.contains("scale") && item["scale"].is_number() &&
                      item["scale"].get<double>() > 0 && item.contains("samples") &&
                      item["samples"].is_number_integer();
    if (!good)
      return fail(fmt::format("feature {} lacks name, center, a positive scale or samples",
                              normaliser.names.size()));
    normaliser.names.push_back(item["name"].get<std::string>());
    normaliser.center.push_back(item["center"].get<double>());
    normaliser.scale.push_back(item["scale"].get<double>());
    normaliser.samples.push_back(item["samples"].get<std::int64_t>());
  }
  return normaliser;
}

}  // namespace tw::features
