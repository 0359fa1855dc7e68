#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/rng.h"
#include "rl/vec_env.h"
#include "sim/feature_view.h"
#include "sim/observation.h"
#include "sim/world.h"

namespace tw::sim {

/// N accounts in one world. An episode starts flat with the capital at a random bar of the allowed
/// ranges and lasts config.episode_bars bars, give or take a tenth (so that environments do not end
/// together), or to the end of its range: then it is truncated. Ruin terminates. A step is one bar
/// of StepBar: what the backtest does with the same actions.
///
/// Observation: the feature row at the last close, then kAccountFeatures (observation.h).
/// Action: Discrete(3) short, flat, long; or one number in [-1, 1].
/// Reward: log(max(E, ruin equity) / E before) * reward_scale.
///
/// World and features are borrowed and must outlive the environment. One thread at a time.
class TradingVecEnv final : public rl::VecEnv {
 public:
  /// `ranges` are bars [begin, end) with at least two bars each; every feature row in them must be
  /// finite. Errors: kUsage (no environments, a range outside the world or shorter than two bars,
  /// features of another length), kBadData naming the row and column of a feature that is not
  /// finite.
  static Result<std::unique_ptr<TradingVecEnv>> Create(const World& world,
                                                       const FeatureView& features,
                                                       std::vector<RowRange> ranges, int num_envs);

  int num_envs() const override { return static_cast<int>(accounts_.size()); }

  int observation_width() const override { return features_.cols + kAccountFeatures; }

  const rl::ActionSpace& action_space() const override { return action_space_; }

  void Reset(std::uint64_t seed, std::span<float> observations) override;
  void Step(std::span<const float> actions, const rl::StepOutput& out) override;
  std::string SaveState() const override;
  Result<void> LoadState(std::string_view state) override;

  /// Account and bar of an environment, for tests and inspection.
  const trading::Account& account(int env) const {
    return accounts_[static_cast<std::size_t>(env)];
  }

  std::int64_t row(int env) const { return episodes_[static_cast<std::size_t>(env)].row; }

 private:
  struct Episode {
    std::int32_t row = 0;  // the last closed bar
    std::int32_t end = 0;  // the bar whose close truncates
  };

  TradingVecEnv(const World& world, const FeatureView& features, std::vector<RowRange> ranges,
                int num_envs);

  void StartEpisode(std::size_t env);
  template <bool kConvert>
  void StepAll(std::span<const float> actions, const rl::StepOutput& out);

  const World& world_;
  FeatureView features_;
  std::vector<RowRange> ranges_;
  std::vector<std::int64_t> starts_before_;  // running count of possible first bars, by range
  std::int64_t starts_ = 0;
  rl::ActionSpace action_space_;
  std::vector<trading::Account> accounts_;
  std::vector<Episode> episodes_;
  std::vector<Rng> rngs_;
  std::vector<double> ratios_;  // equity over equity before, of the running step
};

}  // namespace tw::sim
