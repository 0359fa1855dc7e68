#include "training/model_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "base/check.h"
#include "sim/backtest.h"
#include "sim/observation.h"
#include "training/dataset.h"

namespace tw::training {
namespace {

// Keeps what passes through: the numbers on the account are known only while trading.
class RecordingPolicy final : public rl::Policy {
 public:
  explicit RecordingPolicy(rl::Policy& policy) : policy_(policy) {}

  int observation_width() const override { return policy_.observation_width(); }

  const rl::ActionSpace& action_space() const override { return policy_.action_space(); }

  void ActDeterministic(std::span<const float> observations, std::span<float> actions) override {
    policy_.ActDeterministic(observations, actions);
    const std::span<const float> account = observations.last(sim::kAccountFeatures);
    accounts_.insert(accounts_.end(), account.begin(), account.end());
    actions_.insert(actions_.end(), actions.begin(), actions.end());
  }

  void ActSampled(std::span<const float> observations, std::span<float> actions,
                  Rng& rng) override {
    policy_.ActSampled(observations, actions, rng);
  }

  std::unique_ptr<rl::Policy> Clone() const override { return policy_.Clone(); }

  std::span<const float> account(std::int64_t decision) const {
    return std::span<const float>(accounts_).subspan(
        static_cast<std::size_t>(decision) * sim::kAccountFeatures, sim::kAccountFeatures);
  }

  const std::vector<float>& actions() const { return actions_; }

 private:
  rl::Policy& policy_;
  std::vector<float> accounts_;
  std::vector<float> actions_;
};

// Rows of the world at whose closes the model may be watched.
Result<sim::RowRange> RowsToWatch(const ModelPackage& model, const Dataset& data) {
  const sim::World& world = data.world;
  std::int64_t end = world.rows();
  if (!model.manifest.holdout_from.empty()) {
    const UnixNanos from =
        TW_TRY_CTX(ParseIso(model.manifest.holdout_from), "manifest.json: holdout_from");
    end = std::ranges::lower_bound(world.open_time, from) - world.open_time.begin();
  }
  const sim::RowRange rows{data.features.first_valid_bar, end};
  if (rows.end - rows.begin < 2) {
    return Error{
        ErrorCode::kNotFound,
        fmt::format("{} {}: no bars before the holdout (from {}) to watch the model on",
                    world.instrument.symbol, world.timeframe.name(), model.manifest.holdout_from)};
  }
  return rows;
}

}  // namespace

Result<ModelRows> ObserveModel(const ModelPackage& model, const store::Store& store,
                               std::int64_t rows_max) {
  if (rows_max < 1) return Error{ErrorCode::kUsage, fmt::format("{} observations", rows_max)};
  StyleConfig style = TW_TRY(model.Style());
  style.data.from.clear();
  style.data.to.clear();
  const Dataset data = TW_TRY(LoadDataset(store, style));
  if (model.normaliser.names != data.features.names) {
    return Error{ErrorCode::kConfig,
                 "the style's features are not those that the model learned with"};
  }
  const sim::RowRange rows = TW_TRY(RowsToWatch(model, data));
  const ScaledFeatures scaled = Scale(data.features, model.normaliser);
  const auto policy = TW_TRY(model.MakePolicy());
  RecordingPolicy recorder(*policy);
  TW_TRY(sim::RunPolicy(data.world, scaled.view(), recorder, rows.begin, rows.end - 1));

  ModelRows out;
  out.columns = model.Columns();
  const auto decisions = static_cast<std::int64_t>(recorder.actions().size());
  const std::int64_t count = std::min(decisions, rows_max);
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t decision = i * decisions / count;
    const auto row = static_cast<std::size_t>(rows.begin + decision);
    const std::span<const float> features = data.features.row(rows.begin + decision);
    const std::span<const float> account = recorder.account(decision);
    out.observations.insert(out.observations.end(), features.begin(), features.end());
    out.observations.insert(out.observations.end(), account.begin(), account.end());
    out.exposures.push_back(recorder.actions()[static_cast<std::size_t>(decision)]);
    out.times.push_back(data.world.close_time[row]);
  }
  return out;
}

std::string NpyFile(std::span<const float> values, std::int64_t rows, std::int64_t cols) {
  TW_CHECK(values.size() == static_cast<std::size_t>(cols == 0 ? rows : rows * cols),
           "{} values for {} x {}", values.size(), rows, cols);
  std::string header =
      cols == 0 ? fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({},), }}", rows)
                : fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}",
                              rows, cols);
  // Magic, version and length are 10 bytes; all that stands before the data is a multiple of 64.
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string file = "\x93NUMPY";
  file += '\x01';
  file += '\0';
  file += static_cast<char>(header.size() & 0xFF);
  file += static_cast<char>(header.size() >> 8);
  file += header;
  const std::size_t begin = file.size();
  file.resize(begin + values.size_bytes());
  if (!values.empty()) std::memcpy(file.data() + begin, values.data(), values.size_bytes());
  return file;
}

}  // namespace tw::training
