#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "hpo/value.h"

namespace tw::hpo {

enum class DistributionKind { kFloat, kInt, kCategorical };

/// The set a parameter is drawn from, under Optuna's rules. Immutable and cheap to copy.
///
/// A value has an *internal* form, the double that the storage keeps: the value itself for float
/// (log parameters are not stored as logarithms), the integer for int, the index of the choice for
/// categorical.
class Distribution {
 public:
  /// low <= high, both finite; `log` needs low > 0 and no step; step > 0. With a step, high is
  /// lowered to the largest low + k * step in decimal arithmetic. Errors: kUsage with the limit.
  static Result<Distribution> Float(double low, double high, bool log = false,
                                    std::optional<double> step = std::nullopt);
  /// As Float; `log` needs low >= 1 and step 1.
  static Result<Distribution> Int(std::int64_t low, std::int64_t high, bool log = false,
                                  std::int64_t step = 1);
  /// At least one choice.
  static Result<Distribution> Categorical(std::vector<ParamValue> choices);

  /// Reads `distribution_json`: today's names in any order of attributes, the old names
  /// (UniformDistribution, LogUniformDistribution, DiscreteUniformDistribution,
  /// IntUniformDistribution, IntLogUniformDistribution) and the short form with "type". Errors:
  /// kBadData naming the text.
  static Result<Distribution> FromJson(std::string_view json);

  /// As Optuna writes it: blanks, order of attributes and number format included.
  std::string ToJson() const;

  DistributionKind kind() const { return data_->kind; }

  bool is_numeric() const { return data_->kind != DistributionKind::kCategorical; }

  bool is_log() const { return data_->log; }

  /// Bounds of numeric distributions, inclusive; for categorical 0 and choices - 1.
  double low() const { return data_->low; }

  double high() const { return data_->high; }

  /// 0 for continuous floats and for categorical; 1 or more for int.
  double step() const { return data_->step; }

  const std::vector<ParamValue>& choices() const { return data_->choices; }

  /// Only one value is possible.
  bool IsSingle() const;
  /// Whether an internal value belongs to the distribution (stepped floats within 1e-8 of a step).
  bool Contains(double internal) const;
  /// Errors: kUsage when the value has the wrong type, is NaN, or is no choice. Does not check
  /// bounds, as enqueued values outside are used by Optuna too.
  Result<double> ToInternal(const ParamValue& value) const;
  ParamValue ToExternal(double internal) const;
  /// Nothing but the type, the log flag and the choices must stay within a study. Errors: kUsage.
  Status CheckCompatible(const Distribution& later) const;
  /// Python's text of the object, e.g. `FloatDistribution(high=1.0, log=False, low=0.0,
  /// step=None)`.
  std::string PythonRepr() const;

  friend bool operator==(const Distribution& a, const Distribution& b) {
    return a.data_ == b.data_ || *a.data_ == *b.data_;
  }

 private:
  struct Data {
    DistributionKind kind = DistributionKind::kFloat;
    double low = 0;
    double high = 0;
    double step = 0;
    bool log = false;
    std::vector<ParamValue> choices;

    bool operator==(const Data&) const = default;
  };

  explicit Distribution(Data data);

  std::shared_ptr<const Data> data_;
};

struct SpaceEntry {
  std::string name;
  Distribution distribution;

  bool operator==(const SpaceEntry&) const = default;
};

using SearchSpace = std::vector<SpaceEntry>;

}  // namespace tw::hpo
