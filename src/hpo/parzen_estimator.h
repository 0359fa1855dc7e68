#pragma once

// Internal to TPE: one mixture of product kernels, kept up to date row by row.

#include <cstdint>
#include <span>
#include <vector>

#include "hpo/distribution.h"
#include "hpo/uniform_source.h"

namespace tw::hpo::internal {

struct ParzenOptions {
  double prior_weight = 1;
  bool magic_clip = true;
  bool endpoints = false;
  bool uniform_weights = false;  // "below" of several objectives; else older rows weigh less
};

/// TPE's weights before the prior: 1 up to 24 observations, else rising from 1/n to 1, and 1 for
/// the newest 25.
std::vector<double> DefaultWeights(std::size_t n);

/// Observations as the estimator reads them. A row, once used, never changes.
struct ObservationView {
  std::span<const double* const> columns;  // one per parameter of the space: internal value by row
  const std::int64_t* order = nullptr;     // by row: the trial's number, ties of values are kept in
                                           // its order
};

/// optuna.md 7.3 to 7.7. Coordinates inside are scaled to [0, 1] of the (logged, widened) range.
class ParzenEstimator {
 public:
  ParzenEstimator(SearchSpace space, ParzenOptions options);

  const SearchSpace& space() const { return space_; }

  std::size_t observations() const { return rows_.size(); }

  /// Makes the model that of `rows` (oldest first). Costs little when few rows changed: a kernel
  /// depends on its two neighbours only.
  void Sync(std::span<const std::uint32_t> rows, const ObservationView& view);

  /// Internal values [parameters][count].
  void Sample(UniformSource& uniforms, std::size_t count, double* samples);
  /// `samples` as above; log densities [count].
  void LogDensity(const double* samples, std::size_t count, double* log_densities);

  /// For tests, in the order of the rows with the prior last: centre and width in the transformed
  /// range, weights.
  std::vector<double> Centres(std::size_t parameter) const;
  std::vector<double> Widths(std::size_t parameter) const;
  std::vector<double> Weights() const;

 private:
  using Slot = std::uint32_t;

  struct NumericDim {
    std::size_t parameter = 0;
    double low = 0;    // transformed and widened
    double range = 1;  // high - low, likewise
    double log_range = 0;
    bool continuous = true;
    std::size_t continuous_index = 0;
    std::vector<double> mu;  // by slot, scaled
    std::vector<double> sigma;
    std::vector<double> constant;
    std::vector<Slot> sorted;  // observations by (mu, order)
    std::vector<Slot> touched;
    std::vector<std::uint32_t> shape;  // by slot: number of its (mu, sigma), discrete only
  };

  struct CategoricalDim {
    std::size_t parameter = 0;
    std::size_t choices = 0;
    std::vector<std::uint32_t> choice;  // by slot
  };

  double Scaled(const NumericDim& dim, double internal) const;
  double WidthAt(const NumericDim& dim, std::size_t position) const;
  std::size_t PositionOf(const NumericDim& dim, Slot slot) const;
  bool Before(const NumericDim& dim, Slot a, Slot b) const;
  void Grow(std::size_t slots);
  void AddRow(std::uint32_t row, const ObservationView& view);
  void RemoveSlot(Slot slot);
  void SetKernel(NumericDim& dim, Slot slot, double mu, double sigma);
  void SetDead(Slot slot);
  void RebuildNumeric(NumericDim& dim);
  void UpdateTouched(NumericDim& dim);
  void UpdateTotals();
  void UpdateWeights();
  void SampleCategorical(const CategoricalDim& dim, std::span<const Slot> active,
                         UniformSource& uniforms, double* out) const;
  void SampleNumeric(const NumericDim& dim, std::span<const Slot> active, UniformSource& uniforms,
                     double* out) const;
  void AddCategorical(const CategoricalDim& dim, const double* samples, std::size_t count);
  void AddDiscrete(NumericDim& dim, const double* samples, std::size_t count);
  void NumberShapes(NumericDim& dim);

  SearchSpace space_;
  ParzenOptions options_;
  std::vector<NumericDim> numeric_;
  std::vector<CategoricalDim> categorical_;
  std::size_t continuous_ = 0;
  double width_min_ = -1;

  std::vector<std::uint32_t> rows_;  // oldest first
  std::vector<Slot> row_slots_;      // beside rows_
  std::vector<Slot> slot_of_row_;    // by row; kNone when absent
  std::vector<std::int64_t> order_;  // by slot
  std::vector<Slot> free_;
  std::size_t slots_ = 0;  // in use or free; slot 0 is the prior
  std::vector<std::uint32_t> seen_;
  std::uint32_t epoch_ = 0;
  std::vector<Slot> dirty_;

  // What MixtureLogDensity reads.
  std::vector<double> kernels_;
  std::vector<double> constants_;
  std::vector<double> weights_;
  std::vector<double> points_;
  std::vector<double> extra_;
  std::vector<double> scratch_;
  std::vector<double> padded_;
};

}  // namespace tw::hpo::internal
