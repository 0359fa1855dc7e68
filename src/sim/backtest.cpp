#include "sim/backtest.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "sim/observation.h"
#include "trading/fixed.h"

namespace tw::sim {
namespace {

using trading::Account;
using trading::FillEffect;
using trading::kRateShift;
using trading::MulDivTrunc;
using trading::MulShiftCeil;

std::int64_t Size(std::int64_t units) { return units < 0 ? -units : units; }

/// Bid to ask distance of a fill in millionths of quote: twice what it paid against mid, slippage
/// apart.
std::int64_t FullSpread(const FillEvent& fill) {
  return fill.delta > 0 ? 2 * (fill.price - fill.slippage) - fill.double_mid
                        : fill.double_mid - 2 * (fill.price + fill.slippage);
}

/// Keeps what a result consists of while the kernel runs.
class Recorder {
 public:
  static constexpr bool kActive = true;

  Recorder(const World& world, BacktestResult& result) : world_(world), result_(result) {}

  void OnFill(const FillEvent& fill, const FillEffect& effect, const Account& account);
  void OnFinancing(const trading::FinancingInstant& instant, std::int64_t amount,
                   const Account& account);

  void OnLapse(std::int64_t) { ++result_.counts.lapsed_decisions; }

  void OnAmbiguous() { ++result_.counts.ambiguous_bars; }

  /// Best and worst open profit of the running trade.
  void OnExtremes(std::int64_t worst, std::int64_t best) {
    trade_.mae = std::min(trade_.mae, worst);
    trade_.mfe = std::max(trade_.mfe, best);
  }

  void Finish(std::int64_t row, const Account& account);

 private:
  void OpenOrAdd(const FillEvent& fill, const FillEffect& effect, const Account& account);
  void Close(const FillEvent& fill, const FillEffect& effect, const Account& account);
  /// Splits a profit in quote that was booked or marked as `amount` account currency.
  void Split(std::int64_t profit_quote, std::int64_t full_spread, std::int64_t slippage,
             std::int64_t mid_rate, std::int64_t amount);
  void EndTrade();

  const World& world_;
  BacktestResult& result_;
  Trade trade_;
  std::int64_t entry_full_spread_ =
      0;                             // of the open part: units * (ask - bid), millionths of quote
  std::int64_t entry_slippage_ = 0;  // of the open part: units * slippage
  double entry_notional_ = 0;        // over all entries, quote
  double entry_units_ = 0;
  double exit_notional_ = 0;
  double exit_units_ = 0;
};

void Recorder::OnFill(const FillEvent& fill, const FillEffect& effect, const Account& account) {
  const std::int64_t size = Size(fill.delta);
  const bool decision = fill.reason == FillReason::kDecision;
  const auto at = static_cast<std::size_t>(fill.row);
  result_.fills.push_back(
      {.time = decision ? world_.open_time[at] : world_.close_time[at],
       .row = fill.row,
       .units = fill.delta,
       .price = fill.price,
       .double_mid = fill.double_mid,
       .spread_cost = MulShiftCeil(size * FullSpread(fill), fill.rates.mid, kRateShift + 1),
       .slippage_cost = MulShiftCeil(size * fill.slippage, fill.rates.mid, kRateShift),
       .commission = effect.commission,
       .realised = effect.realised,
       .reason = fill.reason});
  result_.traded_notional += static_cast<double>(size) * static_cast<double>(fill.price) * 1e-6 *
                             (static_cast<double>(fill.rates.mid) * 0x1.0p-48);
  switch (fill.reason) {
    case FillReason::kStopOut:
      ++result_.counts.stop_outs;
      break;
    case FillReason::kStopLoss:
      ++result_.counts.stop_losses;
      break;
    case FillReason::kTakeProfit:
      ++result_.counts.take_profits;
      break;
    case FillReason::kDecision:
      break;
  }
  if (effect.released_basis == 0) {
    OpenOrAdd(fill, effect, account);
  } else {
    Close(fill, effect, account);
  }
}

void Recorder::OpenOrAdd(const FillEvent& fill, const FillEffect& effect, const Account& account) {
  const std::int64_t size = Size(fill.delta);
  if (account.units == fill.delta) {
    trade_ = {};
    trade_.entry_time = result_.fills.back().time;
    trade_.entry_row = fill.row;
    trade_.direction = fill.delta > 0 ? 1 : -1;
    entry_full_spread_ = 0;
    entry_slippage_ = 0;
    entry_notional_ = entry_units_ = exit_notional_ = exit_units_ = 0;
  }
  entry_full_spread_ += size * FullSpread(fill);
  entry_slippage_ += size * fill.slippage;
  entry_notional_ += static_cast<double>(size) * static_cast<double>(fill.price) * 1e-6;
  entry_units_ += static_cast<double>(size);
  trade_.max_units = std::max(trade_.max_units, Size(account.units));
  trade_.parts.commission += effect.commission;
  trade_.parts.net -= effect.commission;
}

void Recorder::Close(const FillEvent& fill, const FillEffect& effect, const Account& account) {
  const std::int64_t size = Size(fill.delta);
  const std::int64_t before = Size(account.units) + size;
  const std::int64_t spread_part = MulDivTrunc(entry_full_spread_, size, before);
  const std::int64_t slippage_part = MulDivTrunc(entry_slippage_, size, before);
  entry_full_spread_ -= spread_part;
  entry_slippage_ -= slippage_part;
  Split(effect.realised_quote, spread_part + size * FullSpread(fill),
        slippage_part + size * fill.slippage, fill.rates.mid, effect.realised);
  trade_.parts.commission += effect.commission;
  trade_.parts.net -= effect.commission;
  exit_notional_ += static_cast<double>(size) * static_cast<double>(fill.price) * 1e-6;
  exit_units_ += static_cast<double>(size);
  OnExtremes(std::min<std::int64_t>(effect.realised, 0),
             std::max<std::int64_t>(effect.realised, 0));
  if (account.units != 0) return;
  trade_.exit_time = result_.fills.back().time;
  trade_.exit_row = fill.row;
  trade_.exit_reason = fill.reason;
  trade_.exit_price = exit_notional_ / exit_units_;
  EndTrade();
}

void Recorder::Split(std::int64_t profit_quote, std::int64_t full_spread, std::int64_t slippage,
                     std::int64_t mid_rate, std::int64_t amount) {
  // Twice the profit that mid prices would have made; its parity is the spread's, so halves round
  // alike.
  const std::int64_t double_gross = 2 * profit_quote + full_spread + 2 * slippage;
  CostParts parts;
  parts.mid_to_mid = MulShiftCeil(double_gross, mid_rate, kRateShift + 1);
  parts.spread = MulShiftCeil(full_spread, mid_rate, kRateShift + 1);
  parts.slippage = MulShiftCeil(slippage, mid_rate, kRateShift);
  parts.net = amount;
  parts.conversion_effect = amount - (parts.mid_to_mid - parts.spread - parts.slippage);
  trade_.parts += parts;
}

void Recorder::OnFinancing(const trading::FinancingInstant& instant, std::int64_t amount,
                           const Account& account) {
  trade_.parts.financing += amount;
  trade_.parts.net += amount;
  result_.financing.push_back(
      {.time = instant.time, .days = instant.days, .units = account.units, .amount = amount});
}

void Recorder::EndTrade() {
  trade_.entry_price = entry_notional_ / entry_units_;
  const WorldBar& bar = world_.bars[static_cast<std::size_t>(trade_.exit_row)];
  trade_.exit_rate = static_cast<double>(bar.close_rate) / static_cast<double>(trading::kRateOne);
  result_.totals += trade_.parts;
  result_.trades.push_back(trade_);
}

void Recorder::Finish(std::int64_t row, const Account& account) {
  if (account.units != 0) {
    const WorldBar& bar = world_.bars[static_cast<std::size_t>(row)];
    const std::int64_t price = account.units > 0 ? bar.BidClose() : bar.AskClose();
    const std::int64_t spread = Size(account.units) * (bar.AskClose() - bar.BidClose());
    Split(trading::OpenProfit(account, price), entry_full_spread_ + spread, entry_slippage_,
          bar.close_rate, account.equity - account.cash);
    trade_.exit_time = world_.close_time[static_cast<std::size_t>(row)];
    trade_.exit_row = row;
    trade_.exit_price = static_cast<double>(price) * 1e-6;
    trade_.open = true;
    EndTrade();
  }
  TW_CHECK(result_.totals.net == account.equity - result_.capital && result_.totals.Balances(),
           "costs do not add up: {} of {}", result_.totals.net, account.equity - result_.capital);
}

/// Runs bars first + 1 to last with exposure = decide(row, account) at the close of `row`.
template <bool kConvert, class Decide>
BacktestResult RunLoop(const World& world, std::int64_t first, std::int64_t last, Decide&& decide) {
  BacktestResult result;
  result.first_row = first;
  result.capital = world.params.capital;
  const auto size = static_cast<std::size_t>(last - first + 1);
  result.equity.resize(size);
  result.equity_mid.resize(size);
  result.equity_low.resize(size);
  result.position.resize(size);
  result.gross_leverage.resize(size);
  Account account = OpenAccount(world, first);
  result.equity[0] = result.equity_mid[0] = result.equity_low[0] = account.equity;
  Recorder recorder(world, result);
  const double margin_rate = static_cast<double>(world.params.margin_fraction) * 0x1.0p-32;
  const double warn_level = world.config.risk.margin_warn_level;
  bool warned = false;
  std::int64_t row = first;
  while (row < last && account.ruined == 0) {
    const double exposure = decide(row, account);
    ++row;
    const BarMarks marks = StepBar<kConvert>(world, row, exposure, account, recorder);
    const auto at = static_cast<std::size_t>(row - first);
    result.equity[at] = account.equity;
    result.equity_low[at] = std::min(marks.adverse_equity, account.equity);
    result.position[at] = account.units;
    if (marks.adverse_notional != 0) {
      const double level = static_cast<double>(marks.adverse_equity) /
                           (static_cast<double>(marks.adverse_notional) * margin_rate);
      result.min_margin_level = std::min(result.min_margin_level, level);
      result.counts.margin_warnings += level < warn_level && !warned ? 1 : 0;
      warned = level < warn_level;
    }
    if (account.units == 0) {
      result.equity_mid[at] = account.equity;
      continue;
    }
    const WorldBar& bar = world.bars[static_cast<std::size_t>(row)];
    const std::int64_t double_mid = bar.BidClose() + bar.AskClose();
    const std::int64_t open_mid = (account.units * double_mid - 2 * account.basis) >> 1;
    result.equity_mid[at] = account.cash + trading::ConvertMark<kConvert>(open_mid, bar.close_rate);
    result.gross_leverage[at] =
        static_cast<float>(static_cast<double>(Size(account.units)) * account.unit_value /
                           static_cast<double>(account.equity));
    ++result.bars_in_market;
    const internal::Side side = internal::ClosableSide(bar, account.units > 0);
    recorder.OnExtremes(
        trading::ConvertMark<kConvert>(trading::OpenProfit(account, side.adverse), bar.open_rate),
        trading::ConvertMark<kConvert>(trading::OpenProfit(account, side.favourable),
                                       bar.open_rate));
  }
  result.last_row = row;
  result.ruined = account.ruined != 0;
  const auto used = static_cast<std::size_t>(row - first + 1);
  result.equity.resize(used);
  result.equity_mid.resize(used);
  result.equity_low.resize(used);
  result.position.resize(used);
  result.gross_leverage.resize(used);
  recorder.Finish(row, account);
  return result;
}

template <class Decide>
BacktestResult Run(const World& world, std::int64_t first, std::int64_t last, Decide&& decide) {
  return world.converts ? RunLoop<true>(world, first, last, decide)
                        : RunLoop<false>(world, first, last, decide);
}

Result<void> CheckRange(const World& world, std::int64_t first, std::int64_t last) {
  if (first < 0 || last < first || last >= world.rows()) {
    return Error{ErrorCode::kUsage,
                 fmt::format("{}: bars {} to {} are not within the {} bars at hand",
                             world.instrument.symbol, first, last, world.rows())};
  }
  return {};
}

}  // namespace

std::string_view NameOf(FillReason reason) {
  switch (reason) {
    case FillReason::kDecision:
      return "decision";
    case FillReason::kStopLoss:
      return "stop_loss";
    case FillReason::kTakeProfit:
      return "take_profit";
    case FillReason::kStopOut:
      return "stop_out";
  }
  return "decision";
}

CostParts& CostParts::operator+=(const CostParts& other) {
  net += other.net;
  mid_to_mid += other.mid_to_mid;
  spread += other.spread;
  slippage += other.slippage;
  commission += other.commission;
  financing += other.financing;
  conversion_effect += other.conversion_effect;
  return *this;
}

std::uint64_t BacktestResult::OrderHash(std::int64_t first) const {
  std::uint64_t hash = 0xcbf29ce484222325U;
  const auto mix = [&](std::int64_t value) {
    for (int byte = 0; byte < 8; ++byte) {
      hash ^= static_cast<std::uint64_t>(value >> (8 * byte)) & 0xffU;
      hash *= 0x100000001b3U;
    }
  };
  for (const Fill& fill : fills) {
    mix(first + fill.row);
    mix(fill.units);
    mix(fill.price);
  }
  return hash;
}

double PipsOf(const Trade& trade, double pip) {
  const double net = static_cast<double>(trade.parts.net) * 1e-6;
  return net / (trade.exit_rate * static_cast<double>(trade.max_units) * pip);
}

Result<BacktestResult> RunBacktest(const World& world, std::span<const double> targets,
                                   std::int64_t first_row, std::int64_t last_row) {
  TW_TRY(CheckRange(world, first_row, last_row));
  if (static_cast<std::int64_t>(targets.size()) != last_row - first_row + 1) {
    return Error{ErrorCode::kUsage,
                 fmt::format("{} targets for the {} bars {} to {}", targets.size(),
                             last_row - first_row + 1, first_row, last_row)};
  }
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (!(targets[i] >= -1.0 && targets[i] <= 1.0)) {
      return Error{ErrorCode::kBadData,
                   fmt::format("target {} of bar {} is not an exposure from -1 to 1", targets[i],
                               first_row + static_cast<std::int64_t>(i))};
    }
  }
  return Run(world, first_row, last_row, [&](std::int64_t row, const Account&) {
    return targets[static_cast<std::size_t>(row - first_row)];
  });
}

Result<PolicyRun> RunPolicy(const World& world, const FeatureRows& features, rl::Policy& policy,
                            std::int64_t first_row, std::int64_t last_row) {
  TW_TRY(CheckRange(world, first_row, last_row));
  const int width = features.cols + kAccountFeatures;
  // The policy's own space decides how its action is read: a committee gives exposures in any
  // world.
  const rl::ActionSpace& space = policy.action_space();
  const bool discrete = space.kind == rl::ActionSpace::Kind::kDiscrete;
  if (features.rows != world.rows() || policy.observation_width() != width || space.width() != 1 ||
      (discrete && space.n != 3)) {
    return Error{ErrorCode::kUsage,
                 fmt::format("{}: the policy reads {} numbers and gives {}, the world has {} bars, "
                             "{} feature rows of {} + {} numbers and takes one of three actions or "
                             "one exposure",
                             world.instrument.symbol, policy.observation_width(), space.width(),
                             world.rows(), features.rows, features.cols, kAccountFeatures)};
  }
  const ActionKind kind = discrete ? ActionKind::kDiscrete : ActionKind::kContinuous;
  std::vector<float> observation(static_cast<std::size_t>(width));
  PolicyRun run;
  run.targets.assign(static_cast<std::size_t>(last_row - first_row + 1), 0.0);
  run.result = Run(world, first_row, last_row, [&](std::int64_t row, const Account& account) {
    features.write(row, std::span(observation).first(static_cast<std::size_t>(features.cols)));
    WriteAccountFeatures(world, world.bars[static_cast<std::size_t>(row)], account, row,
                         observation.data() + features.cols);
    float action = 0;
    policy.ActDeterministic(observation, std::span<float>(&action, 1));
    const double exposure = ExposureOf(kind, action);
    run.targets[static_cast<std::size_t>(row - first_row)] = exposure;
    return exposure;
  });
  return run;
}

Result<PolicyRun> RunPolicy(const World& world, const FeatureView& features, rl::Policy& policy,
                            std::int64_t first_row, std::int64_t last_row) {
  const FeatureRows rows{.rows = features.rows,
                         .cols = features.cols,
                         .write = [&features](std::int64_t row, std::span<float> out) {
                           CopyFloats(features.row(row), features.cols, out.data());
                         }};
  return RunPolicy(world, rows, policy, first_row, last_row);
}

}  // namespace tw::sim
