#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "features/feature_set.h"
#include "features/normaliser.h"
#include "sim/feature_view.h"
#include "sim/world.h"
#include "store/bar_table.h"
#include "store/store.h"
#include "training/style.h"

namespace tw::training {

/// What the store has for one style, before anything is made of it.
struct MarketData {
  store::StoreEntry entry;
  store::BarTable bars;
  /// Of the pairs that convert its profit currency.
  std::vector<std::shared_ptr<const store::BarTable>> conversions;
  /// Over instrument, times and prices of all these bars.
  std::string sha256;
};

/// Bars, world and raw features of one style, aligned row by row.
struct Dataset {
  store::StoreEntry entry;
  sim::World world;
  features::FeatureMatrix features;  // raw, one row a bar of the world
  std::string bars_sha256;           // MarketData's
  std::string note;                  // about the data, for the verdict; may be empty
};

/// Reads the style's instrument and period, and what the store has to convert its profit currency.
/// Errors: kNotFound (no such bars), kConfig (dates), kBadData.
Result<MarketData> ReadMarketData(const store::Store& store, const StyleConfig& style);

/// " from 2017-01-02 to 2017-03-01" for messages, without the ends that are empty.
std::string PeriodText(const std::string& from, const std::string& to);

struct DatasetOptions {
  /// Of the bars; all unless told. Features look back upon the bars before them.
  std::optional<sim::RowRange> rows = std::nullopt;
  /// The features of these bars, where somebody has them already.
  std::optional<features::FeatureMatrix> known = std::nullopt;
  /// Leaves features.values empty, for somebody who makes rows as they are needed.
  bool without_values = false;
};

/// Prepares bars for trading. Errors: kNotFound (pairs to import), kConfig (features), kBadData.
Result<Dataset> BuildDataset(const MarketData& market, const StyleConfig& style,
                             DatasetOptions options = {});

/// Both.
Result<Dataset> LoadDataset(const store::Store& store, const StyleConfig& style);

/// The rows of `matrix` scaled by a normaliser that was fitted on a training window.
struct ScaledFeatures {
  std::vector<float> values;
  std::int64_t rows = 0;
  int cols = 0;

  sim::FeatureView view() const { return {values.data(), rows, cols, cols}; }
};

ScaledFeatures Scale(const features::FeatureMatrix& matrix, const features::Normaliser& normaliser);

/// A raw feature row, [cols]; valid until the next call.
using RawRow = std::function<std::span<const float>(std::int64_t row)>;

/// The same rows, each scaled when it is looked at. Borrows its arguments.
sim::FeatureRows ScaledRows(const features::FeatureMatrix& shape, const RawRow& raw,
                            const features::Normaliser& normaliser);

}  // namespace tw::training
