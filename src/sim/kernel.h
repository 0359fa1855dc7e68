#pragma once

#include <algorithm>
#include <cstdint>

#include "sim/world.h"
#include "trading/account.h"
#include "trading/costs.h"
#include "trading/fixed.h"
#include "trading/risk.h"

namespace tw::sim {

enum class FillReason : std::uint8_t { kDecision, kStopLoss, kTakeProfit, kStopOut };

/// A recorder that keeps nothing: the training environment's.
struct NoRecorder {
  static constexpr bool kActive = false;
};

/// A fill as the kernel reports it to a recorder, before it is booked.
struct FillEvent {
  std::int64_t row = 0;
  std::int64_t delta = 0;
  std::int64_t price = 0;       // millionths
  std::int64_t double_mid = 0;  // bid + ask at that moment, millionths
  std::int64_t slippage = 0;    // millionths of quote a unit, >= 0
  trading::ConversionRates rates;
  FillReason reason = FillReason::kDecision;
};

namespace internal {

struct Side {
  std::int64_t open = 0;
  std::int64_t adverse = 0;
  std::int64_t favourable = 0;
};

/// The prices at which a position could be closed in a bar: longs at the bid, shorts at the ask.
inline Side ClosableSide(const WorldBar& bar, bool is_long) {
  return is_long ? Side{bar.BidOpen(), bar.BidLow(), bar.BidHigh()}
                 : Side{bar.AskOpen(), bar.AskHigh(), bar.AskLow()};
}

template <bool kConvert>
trading::ConversionRates OpenRates(const World& world, std::int64_t row) {
  if constexpr (!kConvert) return {};
  return world.open_rates[static_cast<std::size_t>(row)];
}

template <bool kConvert>
trading::ConversionRates CloseRates(const World& world, std::int64_t row) {
  if constexpr (!kConvert) return {};
  return world.close_rates[static_cast<std::size_t>(row)];
}

/// Books one fill that does not reverse the position, and sets or drops its resting orders.
template <bool kConvert, class Recorder>
void Fill(const World& world, const FillEvent& fill, trading::Account& account,
          Recorder& recorder) {
  const bool was_flat = account.units == 0;
  const trading::FillEffect effect = trading::ApplyFill<kConvert>(
      account, fill.delta, fill.price, fill.rates, world.params.commission_per_100k);
  if (was_flat) {
    account.entry_row = static_cast<std::int32_t>(fill.row);
    const std::int64_t sign = fill.delta > 0 ? 1 : -1;
    const KernelParams& params = world.params;
    account.stop_price = params.stop_distance == 0 ? 0 : fill.price - sign * params.stop_distance;
    account.target_price =
        params.target_distance == 0 ? 0 : fill.price + sign * params.target_distance;
  } else if (account.units == 0) {
    account.stop_price = 0;
    account.target_price = 0;
  }
  if constexpr (Recorder::kActive) recorder.OnFill(fill, effect, account);
}

/// Closes the whole position at a resting order's price (closable side, before slippage).
template <bool kConvert, class Recorder>
void CloseAt(const World& world, std::int64_t row, std::int64_t price, FillReason reason,
             trading::Account& account, Recorder& recorder) {
  const WorldBar& bar = world.bars[static_cast<std::size_t>(row)];
  const std::int64_t sign = account.units > 0 ? 1 : -1;
  const std::int64_t slippage = reason == FillReason::kTakeProfit ? 0 : world.params.slippage;
  const FillEvent fill = {.row = row,
                          .delta = -account.units,
                          .price = price - sign * slippage,
                          .double_mid = 2 * price + sign * bar.ask_open,
                          .slippage = slippage,
                          .rates = OpenRates<kConvert>(world, row),
                          .reason = reason};
  Fill<kConvert>(world, fill, account, recorder);
}

/// Whether the margin stop-out level is reached with the closable side at `price`.
template <bool kConvert>
bool StoppedOut(const KernelParams& params, const trading::Account& account, std::int64_t price,
                std::int64_t rate) {
  const std::int64_t equity =
      account.cash + trading::ConvertMark<kConvert>(trading::OpenProfit(account, price), rate);
  const std::int64_t size = account.units < 0 ? -account.units : account.units;
  const std::int64_t notional = trading::ConvertMark<kConvert>(size * price, rate);
  return equity <= trading::MulShiftFloor(notional, params.stop_out_fraction, kFractionShift);
}

/// The first price on the way from the open (not stopped out) to the adverse extreme (stopped out)
/// that stops out.
template <bool kConvert>
std::int64_t StopOutPrice(const KernelParams& params, const trading::Account& account,
                          std::int64_t open, std::int64_t adverse, std::int64_t rate) {
  std::int64_t out = adverse;
  std::int64_t safe = open;
  while (out - safe > 1 || safe - out > 1) {
    const std::int64_t middle = safe + (out - safe) / 2;
    (StoppedOut<kConvert>(params, account, middle, rate) ? out : safe) = middle;
  }
  return out;
}

/// Step 2 of a bar, when its range reaches a resting order or the stop-out: the worse of the two
/// paths is the one that goes to the adverse extreme first.
template <bool kConvert, class Recorder>
[[gnu::noinline]] void MeetResting(const World& world, std::int64_t row, trading::Account& account,
                                   Recorder& recorder) {
  const WorldBar& bar = world.bars[static_cast<std::size_t>(row)];
  const std::int64_t sign = account.units > 0 ? 1 : -1;
  const Side side = ClosableSide(bar, account.units > 0);
  const auto reached = [&](std::int64_t price, std::int64_t level, std::int64_t direction) {
    return level != 0 && direction * (price - level) >= 0;
  };
  const auto stopped = [&](std::int64_t price) {
    return StoppedOut<kConvert>(world.params, account, price, bar.open_rate);
  };
  // A gap fills at the open; a limit never better than its price.
  if (reached(side.open, account.stop_price, -sign)) {
    return CloseAt<kConvert>(world, row, side.open, FillReason::kStopLoss, account, recorder);
  }
  if (stopped(side.open)) {
    return CloseAt<kConvert>(world, row, side.open, FillReason::kStopOut, account, recorder);
  }
  if (reached(side.open, account.target_price, sign)) {
    return CloseAt<kConvert>(world, row, account.target_price, FillReason::kTakeProfit, account,
                             recorder);
  }
  const bool stop_hit = reached(side.adverse, account.stop_price, -sign);
  const bool out_hit = stopped(side.adverse);
  const bool target_hit = reached(side.favourable, account.target_price, sign);
  if (stop_hit || out_hit) {
    if constexpr (Recorder::kActive) {
      if (target_hit) recorder.OnAmbiguous();
    }
    std::int64_t price = account.stop_price;
    FillReason reason = FillReason::kStopLoss;
    if (out_hit) {
      const std::int64_t out =
          StopOutPrice<kConvert>(world.params, account, side.open, side.adverse, bar.open_rate);
      if (!stop_hit || sign * (out - price) > 0) {
        price = out;
        reason = FillReason::kStopOut;
      }
    }
    CloseAt<kConvert>(world, row, price, reason, account, recorder);
  } else if (target_hit) {
    CloseAt<kConvert>(world, row, account.target_price, FillReason::kTakeProfit, account, recorder);
  }
}

template <bool kConvert, class Recorder>
[[gnu::noinline]] void BookFinancing(const World& world, std::uint32_t first, int count,
                                     const trading::ConversionRates& rates,
                                     trading::Account& account, Recorder& recorder) {
  for (int i = 0; i < count; ++i) {
    const trading::FinancingInstant& instant =
        world.financing[first + static_cast<std::uint32_t>(i)];
    const std::int64_t quote = trading::FinancingAmount(instant, account.units);
    const std::int64_t amount = trading::ConvertFlow<kConvert>(quote, rates);
    account.cash += amount;
    if constexpr (Recorder::kActive) recorder.OnFinancing(instant, amount, account);
  }
}

/// The order that brings a position to `target` at the open, as one fill or, in a reversal, two.
template <bool kConvert, class Recorder>
void TradeTo(const World& world, std::int64_t row, std::int64_t target, trading::Account& account,
             Recorder& recorder) {
  const WorldBar& bar = world.bars[static_cast<std::size_t>(row)];
  const KernelParams& params = world.params;
  const bool buys = target > account.units;
  FillEvent fill = {
      .row = row,
      .delta = target - account.units,
      .price = buys ? bar.AskOpen() + params.slippage : bar.BidOpen() - params.slippage,
      .double_mid = bar.BidOpen() + bar.AskOpen(),
      .slippage = params.slippage,
      .rates = OpenRates<kConvert>(world, row),
      .reason = FillReason::kDecision};
  const bool reverses = account.units != 0 && target != 0 && (target > 0) != (account.units > 0);
  if (reverses) {
    fill.delta = -account.units;
    Fill<kConvert>(world, fill, account, recorder);
    fill.delta = target;
  }
  Fill<kConvert>(world, fill, account, recorder);
}

/// TradeTo without a recorder and without branches on what the order does: a learning agent's
/// orders are near random, and a mispredicted branch costs more than the arithmetic. Doing nothing
/// is a close and an open of nothing.
template <bool kConvert>
[[gnu::always_inline]] inline void TradeToBranchFree(const World& world, const WorldBar& bar,
                                                     std::int64_t row, std::int64_t target,
                                                     trading::Account& account) {
  const KernelParams& params = world.params;
  const std::int64_t units = account.units;
  const bool closes = static_cast<int>(units != 0) &
                      (static_cast<int>(target == 0) | static_cast<int>((units ^ target) < 0));
  const std::int64_t closed = trading::Select(closes, units, 0);
  const std::int64_t opened = target - (units - closed);
  const bool part = (opened ^ target) < 0;
  if (part || (params.stop_distance | params.target_distance) != 0) [[unlikely]] {
    // A partial close divides, resting orders are set and dropped: the general way.
    NoRecorder recorder;
    if (target != units) TradeTo<kConvert>(world, row, target, account, recorder);
    return;
  }
  const std::int64_t price =
      bar.bid_open +
      trading::Select(target > units, bar.ask_open + params.slippage, -params.slippage);
  const std::int64_t released = trading::Select(closes, account.basis, 0);
  const trading::ConversionRates rates = OpenRates<kConvert>(world, row);
  account.cash += trading::ConvertFlow<kConvert>(closed * price - released, rates);
  account.basis += opened * price - released;
  account.units = target;
  const bool enters = static_cast<int>(opened != 0) & static_cast<int>(opened == target);
  account.entry_row = static_cast<std::int32_t>(trading::Select(enters, row, account.entry_row));
  if (params.commission_per_100k != 0) {
    const auto commission = [&](std::int64_t part_units) {
      const std::int64_t size = part_units < 0 ? -part_units : part_units;
      const std::int64_t notional = trading::ConvertMark<kConvert>(size * price, rates.mid);
      return trading::CommissionMicros(notional, params.commission_per_100k);
    };
    account.cash -= commission(closed) + commission(opened);
  }
}

/// Over a closure prices may be elsewhere: risk sizes the decision again with what the opening
/// shows.
template <bool kConvert>
[[gnu::noinline]] std::int64_t ReopeningTarget(const World& world, const WorldBar& bar,
                                               double exposure, const trading::Account& account) {
  const std::int64_t price = account.units > 0 ? bar.BidOpen() : bar.AskOpen();
  const auto equity =
      static_cast<double>(account.cash + trading::ConvertMark<kConvert>(
                                             trading::OpenProfit(account, price), bar.open_rate));
  double unit_value = 0.5 * static_cast<double>(bar.BidOpen() + bar.AskOpen());
  if constexpr (kConvert) unit_value *= static_cast<double>(bar.open_rate) * 0x1.0p-48;
  return trading::TargetUnits(world.params.sizing, exposure, account.units, equity, unit_value);
}

/// Step 1: the order that the last close decided, at this bar's open.
template <bool kConvert, class Recorder>
inline void ExecuteDecision(const World& world, const WorldBar& bar, std::int64_t row,
                            double exposure, trading::Account& account, Recorder& recorder) {
  std::int64_t target =
      trading::TargetUnits(world.params.sizing, exposure, account.units,
                           static_cast<double>(account.equity), account.unit_value);
  if (bar.flags != 0) [[unlikely]] {
    if ((bar.flags & WorldBar::kReopen) != 0)
      target = ReopeningTarget<kConvert>(world, bar, exposure, account);
    if ((bar.flags & WorldBar::kLapse) != 0) {
      if constexpr (Recorder::kActive) {
        if (target != account.units) recorder.OnLapse(row);
      }
      return;
    }
  }
  if constexpr (Recorder::kActive) {
    if (target != account.units) TradeTo<kConvert>(world, row, target, account, recorder);
  } else {
    TradeToBranchFree<kConvert>(world, bar, row, target, account);
  }
}

}  // namespace internal

/// The account before its first bar: capital, flat, marked at the close of bar `row`.
inline trading::Account OpenAccount(const World& world, std::int64_t row) {
  const WorldBar& bar = world.bars[static_cast<std::size_t>(row)];
  trading::Account account;
  account.cash = world.params.capital;
  account.equity = world.params.capital;
  account.unit_value = 0.5 * static_cast<double>(bar.BidClose() + bar.AskClose());
  if (world.converts) account.unit_value *= static_cast<double>(bar.close_rate) * 0x1.0p-48;
  return account;
}

/// What a recorder wants to know of a bar besides its events.
struct BarMarks {
  std::int64_t adverse_equity =
      0;  // at the bar's adverse extreme, or after the stop that ended the position
  std::int64_t adverse_notional = 0;  // account currency, at that extreme; 0 when flat
};

/// One bar, in the order of DESIGN.md section 2: financing of the gap before it; the order decided
/// at the close of bar row - 1 (`exposure` in [-1, 1], not NaN); resting orders and the margin
/// stop-out; financing inside; the mark. The training environment and the backtest both run this
/// function, so their accounts agree to the last millionth. Reads bars row - 1 (conversion rates of
/// its close) and row, nothing after.
template <bool kConvert, class Recorder>
inline BarMarks StepBar(const World& world, std::int64_t row, double exposure,
                        trading::Account& account, Recorder& recorder) {
  const WorldBar& bar = world.bars[static_cast<std::size_t>(row)];
  if (bar.gap_instants != 0 && account.units != 0) [[unlikely]] {
    internal::BookFinancing<kConvert>(world, bar.first_instant, bar.gap_instants,
                                      internal::CloseRates<kConvert>(world, row - 1), account,
                                      recorder);
  }
  internal::ExecuteDecision<kConvert>(world, bar, row, exposure, account, recorder);
  BarMarks marks;
  const bool is_long = account.units > 0;
  const std::int64_t adverse = bar.bid_open + trading::Select(is_long, bar.bid_low, bar.ask_high);
  const std::int64_t worst =
      account.cash +
      trading::ConvertMark<kConvert>(trading::OpenProfit(account, adverse), bar.open_rate);
  const std::int64_t size = trading::Select(is_long, account.units, -account.units);
  marks.adverse_notional = trading::ConvertMark<kConvert>(size * adverse, bar.open_rate);
  marks.adverse_equity = worst;
  const std::int64_t needed = trading::MulShiftFloor(
      marks.adverse_notional, world.params.stop_out_fraction, kFractionShift);
  const bool resting = (account.stop_price | account.target_price) != 0;
  if ((worst <= needed || resting) && account.units != 0) [[unlikely]] {
    internal::MeetResting<kConvert>(world, row, account, recorder);
    if (account.units == 0) marks.adverse_equity = account.cash;
  }
  if (bar.bar_instants != 0 && account.units != 0) [[unlikely]] {
    internal::BookFinancing<kConvert>(world, bar.first_instant + bar.gap_instants, bar.bar_instants,
                                      internal::CloseRates<kConvert>(world, row), account,
                                      recorder);
  }
  const std::int64_t close =
      bar.bid_open + trading::Select(account.units > 0, bar.bid_close, bar.ask_close);
  account.equity = account.cash + trading::ConvertMark<kConvert>(
                                      trading::OpenProfit(account, close), bar.close_rate);
  account.unit_value = 0.5 * static_cast<double>(bar.BidClose() + bar.AskClose());
  if constexpr (kConvert) account.unit_value *= static_cast<double>(bar.close_rate) * 0x1.0p-48;
  account.ruined = account.equity <= world.params.ruin_equity ? 1 : 0;
  return marks;
}

}  // namespace tw::sim
