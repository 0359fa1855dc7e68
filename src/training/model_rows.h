#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/store.h"
#include "training/model_package.h"

namespace tw::training {

/// Observations that a model met, with what it decided there.
struct ModelRows {
  std::vector<std::string> columns;
  std::vector<float> observations;  // [rows, columns], raw, as the model's ONNX takes them
  std::vector<float> exposures;     // [rows], target in [-1, 1]
  std::vector<UnixNanos> times;     // [rows], close of the bar that was looked at
};

/// Trades the bars that the model may know (before its holdout, on its own instrument) and keeps up
/// to `rows_max` of its decisions, evenly spread. Counts as no trial: the account's result is not
/// looked at. Errors: kNotFound, kConfig, kBadData as a backtest; kUsage for rows_max below 1.
Result<ModelRows> ObserveModel(const ModelPackage& model, const store::Store& store,
                               std::int64_t rows_max);

/// A NumPy file (.npy, format 1.0) of float32, C order; `cols` 0 for one dimension.
std::string NpyFile(std::span<const float> values, std::int64_t rows, std::int64_t cols);

}  // namespace tw::training
