#include "sim/trading_env.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <utility>

#include "sim/fast_log.h"
#include "sim/kernel.h"

namespace tw::sim {
namespace {

// Rewards are formed this many at a time: a fixed count, so that the compiler keeps them in vector
// registers.
constexpr std::size_t kLanes = 8;
constexpr std::uint64_t kStateMagic = 0x31764e4557549a01U;

Result<void> CheckRanges(const World& world, const FeatureView& features,
                         const std::vector<RowRange>& ranges) {
  if (features.rows != world.rows() || features.cols < 0 || features.stride < features.cols) {
    return Error{ErrorCode::kUsage,
                 fmt::format("{} feature rows of {} (stride {}) beside {} bars", features.rows,
                             features.cols, features.stride, world.rows())};
  }
  if (ranges.empty()) return Error{ErrorCode::kUsage, "no bars to train on"};
  for (const RowRange& range : ranges) {
    if (range.begin < 0 || range.end > world.rows() || range.end - range.begin < 2) {
      return Error{ErrorCode::kUsage,
                   fmt::format("bars [{}, {}) of {}: an episode needs two at least", range.begin,
                               range.end, world.rows())};
    }
    for (std::int64_t row = range.begin; row < range.end; ++row) {
      for (int col = 0; col < features.cols; ++col) {
        if (!std::isfinite(features.row(row)[col])) {
          return Error{ErrorCode::kBadData,
                       fmt::format("feature {} of bar {} ({}) is not a finite number", col, row,
                                   FormatIso(world.open_time[static_cast<std::size_t>(row)]))};
        }
      }
    }
  }
  return {};
}

void WriteRewards(const double* ratios, double scale, std::span<float> rewards) {
  std::array<float, kLanes> block;
  for (std::size_t i = 0; i < kLanes; ++i) {
    block[i] = static_cast<float>(FastLog(ratios[i]) * scale);
  }
  if (rewards.size() == kLanes) {
    std::memcpy(rewards.data(), block.data(), sizeof block);
  } else {
    std::copy_n(block.begin(), rewards.size(), rewards.begin());
  }
}

template <class T>
void Put(std::string& out, const T& value) {
  static_assert(std::is_trivially_copyable_v<T>);
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}

template <class T>
bool Take(std::string_view& in, T& value) {
  if (in.size() < sizeof(T)) return false;
  std::memcpy(&value, in.data(), sizeof(T));
  in.remove_prefix(sizeof(T));
  return true;
}

}  // namespace

Result<std::unique_ptr<TradingVecEnv>> TradingVecEnv::Create(const World& world,
                                                             const FeatureView& features,
                                                             std::vector<RowRange> ranges,
                                                             int num_envs) {
  if (num_envs < 1)
    return Error{ErrorCode::kUsage, fmt::format("{} environments; at least 1", num_envs)};
  TW_TRY(CheckRanges(world, features, ranges));
  return std::unique_ptr<TradingVecEnv>(
      new TradingVecEnv(world, features, std::move(ranges), num_envs));
}

TradingVecEnv::TradingVecEnv(const World& world, const FeatureView& features,
                             std::vector<RowRange> ranges, int num_envs)
    : world_(world),
      features_(features),
      ranges_(std::move(ranges)),
      action_space_(MakeActionSpace(world.config.action)),
      accounts_(static_cast<std::size_t>(num_envs)),
      episodes_(static_cast<std::size_t>(num_envs)),
      ratios_((static_cast<std::size_t>(num_envs) + kLanes - 1) / kLanes * kLanes, 1.0) {
  for (const RowRange& range : ranges_) {
    starts_before_.push_back(starts_);
    starts_ += std::max<std::int64_t>(range.end - range.begin - world.config.episode_bars, 1);
  }
}

void TradingVecEnv::StartEpisode(std::size_t env) {
  Rng& rng = rngs_[env];
  const auto start = static_cast<std::int64_t>(rng.Below(static_cast<std::uint64_t>(starts_)));
  const auto after = std::upper_bound(starts_before_.begin(), starts_before_.end(), start);
  const auto index = static_cast<std::size_t>(after - starts_before_.begin()) - 1;
  const RowRange& range = ranges_[index];
  const std::int64_t first = range.begin + (start - starts_before_[index]);
  const std::int64_t bars = world_.config.episode_bars;
  const std::int64_t spread = bars / 10;
  const std::int64_t length =
      bars - spread +
      static_cast<std::int64_t>(rng.Below(static_cast<std::uint64_t>(2 * spread + 1)));
  episodes_[env] = {.row = static_cast<std::int32_t>(first),
                    .end = static_cast<std::int32_t>(std::min(first + length, range.end - 1))};
  accounts_[env] = OpenAccount(world_, first);
}

void TradingVecEnv::Reset(std::uint64_t seed, std::span<float> observations) {
  const auto width = static_cast<std::size_t>(observation_width());
  TW_CHECK(observations.size() == accounts_.size() * width, "{} floats for {} environments of {}",
           observations.size(), accounts_.size(), width);
  rngs_.clear();
  for (std::size_t env = 0; env < accounts_.size(); ++env) {
    rngs_.emplace_back(seed, "sim.episode", env);
    StartEpisode(env);
    WriteObservation(world_, features_, accounts_[env], episodes_[env].row,
                     observations.data() + env * width);
  }
}

template <bool kConvert>
void TradingVecEnv::StepAll(std::span<const float> actions, const rl::StepOutput& out) {
  const auto width = static_cast<std::size_t>(observation_width());
  const ActionKind kind = world_.config.action;
  const auto ruin = static_cast<double>(world_.params.ruin_equity);
  // Copies whose address nobody has: stores into the outputs cannot change them, so they stay in
  // registers.
  const FeatureView features = features_;
  const WorldBar* const bars = world_.bars.data();
  trading::Account* account = accounts_.data();
  Episode* episode = episodes_.data();
  float* observation = out.observations.data();
  double* const ratios = ratios_.data();
  const float* const action = actions.data();
  std::uint8_t* const terminated = out.terminated.data();
  std::uint8_t* const truncated = out.truncated.data();
  const std::size_t envs = accounts_.size();
  NoRecorder recorder;
  for (std::size_t env = 0; env < envs; ++env, ++account, ++episode, observation += width) {
    const auto before = static_cast<double>(account->equity);
    const std::int64_t row = ++episode->row;
    StepBar<kConvert>(world_, row, ExposureOf(kind, action[env]), *account, recorder);
    const auto after = static_cast<double>(account->equity);
    ratios[env] = (after > ruin ? after : ruin) / before;
    const bool ruined = account->ruined != 0;
    const bool ended = ruined || row == episode->end;
    terminated[env] = ruined ? 1 : 0;
    truncated[env] = ended && !ruined ? 1 : 0;
    if (ended) [[unlikely]] {
      WriteObservation(world_, features, *account, row,
                       out.final_observations.data() + env * width);
      StartEpisode(env);
      WriteObservation(world_, features, *account, episode->row, observation);
      continue;
    }
    CopyFloats(features.row(row), features.cols, observation);
    WriteAccountFeatures(world_, bars[row], *account, row, observation + features.cols);
    // The next step's bar and features, which many environments have pushed out of the first cache
    // by then.
    __builtin_prefetch(bars + row + 1);
    __builtin_prefetch(features.row(row + 1));
    if constexpr (kConvert) __builtin_prefetch(world_.open_rates.data() + row + 1);
  }
  for (std::size_t block = 0; block < ratios_.size(); block += kLanes) {
    WriteRewards(ratios + block, world_.config.reward_scale,
                 out.rewards.subspan(block, std::min(kLanes, out.rewards.size() - block)));
  }
}

void TradingVecEnv::Step(std::span<const float> actions, const rl::StepOutput& out) {
  const std::size_t envs = accounts_.size();
  const std::size_t floats = envs * static_cast<std::size_t>(observation_width());
  TW_CHECK(rngs_.size() == envs, "Step before Reset");
  TW_CHECK(actions.size() == envs && out.rewards.size() == envs && out.terminated.size() == envs &&
               out.truncated.size() == envs && out.observations.size() == floats &&
               out.final_observations.size() == floats,
           "arrays of a step do not have the shapes of {} environments", envs);
  world_.converts ? StepAll<true>(actions, out) : StepAll<false>(actions, out);
}

std::string TradingVecEnv::SaveState() const {
  TW_CHECK(rngs_.size() == accounts_.size(), "SaveState before Reset");
  std::string out;
  Put(out, kStateMagic);
  Put(out, static_cast<std::int64_t>(accounts_.size()));
  Put(out, world_.rows());
  for (std::size_t env = 0; env < accounts_.size(); ++env) {
    Put(out, accounts_[env]);
    Put(out, episodes_[env]);
    Put(out, rngs_[env].state());
  }
  return out;
}

Result<void> TradingVecEnv::LoadState(std::string_view state) {
  const auto bad = [&](std::string_view what) {
    return Error{ErrorCode::kBadData, fmt::format("trading environment: saved state of {} bytes {}",
                                                  state.size(), what)};
  };
  std::string_view in = state;
  std::uint64_t magic = 0;
  std::int64_t envs = 0;
  std::int64_t rows = 0;
  if (!Take(in, magic) || !Take(in, envs) || !Take(in, rows) || magic != kStateMagic)
    return bad("is no such state");
  if (envs != num_envs() || rows != world_.rows()) {
    return bad(fmt::format("is of {} environments over {} bars, not {} over {}", envs, rows,
                           num_envs(), world_.rows()));
  }
  std::vector<trading::Account> accounts(accounts_.size());
  std::vector<Episode> episodes(episodes_.size());
  std::vector<Rng> rngs;
  for (std::size_t env = 0; env < accounts.size(); ++env) {
    RngState rng;
    if (!Take(in, accounts[env]) || !Take(in, episodes[env]) || !Take(in, rng))
      return bad("is cut short");
    const Episode& episode = episodes[env];
    if (episode.row < 0 || episode.row >= episode.end || episode.end >= rows)
      return bad("names bars that are not there");
    rngs.emplace_back(rng);
  }
  if (!in.empty()) return bad("has bytes left over");
  accounts_ = std::move(accounts);
  episodes_ = std::move(episodes);
  rngs_ = std::move(rngs);
  return {};
}

}  // namespace tw::sim
