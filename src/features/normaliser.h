#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "features/feature_config.h"
#include "features/feature_set.h"

namespace tw::features {

/// Scales features by statistics of the training window: (x - center) / scale, cut to [-clip,
/// clip], computed in float64; what is not finite becomes 0, the mean.
///   zscore: mean and standard deviation (ddof 0, as Qlib's ZScoreNorm)
///   robust: median and interquartile range / 1.349 (the deviation of a normal with that range)
///   none:   centre 0, scale 1, no cut
/// A feature without spread (all values equal, or nearly so beside their size) gets scale 1.
struct Normaliser {
  Normalisation method = Normalisation::kNone;
  double clip = 0;
  std::vector<std::string> names;
  std::vector<double> center;         // [cols]
  std::vector<double> scale;          // [cols], > 0
  std::vector<std::int64_t> samples;  // [cols], finite values fitted on

  /// Fits on bars [begin, end) of the matrix, which must be the training window and nothing else;
  /// values that are not finite are left out. Sums are compensated. Errors: kBadData when a feature
  /// has fewer than two finite values there, naming it.
  static Result<Normaliser> Fit(const FeatureMatrix& matrix, const FeatureConfig& config,
                                std::int64_t begin, std::int64_t end);

  /// One row [cols]; `out` may be `raw`. Returns how many values were not finite.
  int Apply(std::span<const float> raw, std::span<float> out) const;
  /// All rows in place. Returns how many values from first_valid_bar on were not finite.
  std::int64_t Apply(FeatureMatrix& matrix) const;

  /// JSON text (schema 1) that reads back the same bits.
  std::string ToJson() const;
  /// Errors: kBadData naming the member that is missing or wrong.
  static Result<Normaliser> FromJson(std::string_view text);

  bool operator==(const Normaliser&) const = default;
};

}  // namespace tw::features
