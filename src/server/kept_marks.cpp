#include "server/kept_marks.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"

namespace tw::server {
namespace {

// Packs a column and frees it.
PackedColumn TakeColumn(std::vector<std::int64_t>& column) {
  const std::vector<std::int64_t> taken = std::exchange(column, {});
  return PackedColumn::Of(taken.size(), [&](std::size_t i) { return taken[i]; });
}

}  // namespace

KeptMarks::KeptMarks(const sim::World& world, sim::RowRange rows) {
  const auto first = static_cast<std::size_t>(rows.begin);
  const auto size = static_cast<std::size_t>(rows.end - rows.begin);
  const auto bars = [&](auto value) {
    return PackedColumn::Of(size, [&](std::size_t i) { return value(world.bars[first + i]); });
  };
  open_ = bars([](const sim::WorldBar& bar) { return bar.BidOpen() + bar.AskOpen(); });
  high_ = bars([](const sim::WorldBar& bar) { return bar.BidHigh() + bar.AskHigh(); });
  low_ = bars([](const sim::WorldBar& bar) { return bar.BidLow() + bar.AskLow(); });
  close_ = bars([](const sim::WorldBar& bar) { return bar.BidClose() + bar.AskClose(); });

  // Bars open on whole seconds; what does not is kept to the nanosecond.
  const auto whole = [&](const std::vector<UnixNanos>& times) {
    return std::all_of(times.begin() + rows.begin, times.begin() + rows.end,
                       [](UnixNanos time) { return time.nanos() % kNanosPerSecond == 0; });
  };
  time_unit_ = whole(world.open_time) && whole(world.close_time) ? kNanosPerSecond : 1;
  open_time_ = PackedColumn::Of(
      size, [&](std::size_t i) { return world.open_time[first + i].nanos() / time_unit_; });
  length_ = PackedColumn::Of(size, [&](std::size_t i) {
    return NanosBetween(world.open_time[first + i], world.close_time[first + i]) / time_unit_;
  });
}

void KeptMarks::Take(training::TradedStretch& stretch) {
  sim::BacktestResult& run = stretch.result;
  TW_CHECK(run.equity.size() <= stretch.targets.size() && stretch.targets.size() == open_.size(),
           "{} marks and {} targets of {} bars", run.equity.size(), stretch.targets.size(),
           open_.size());
  equity_ = TakeColumn(run.equity);
  equity_mid_ = TakeColumn(run.equity_mid);
  equity_low_ = TakeColumn(run.equity_low);
  position_ = TakeColumn(run.position);
  std::exchange(run.gross_leverage, {});
  std::vector<double> targets = std::exchange(stretch.targets, {});
  const bool fits = std::ranges::all_of(targets, [](double target) {
    return static_cast<double>(static_cast<float>(target)) == target;
  });
  targets_ = PackedColumn::Of(targets.size(), [&](std::size_t i) {
    return fits ? std::int64_t{std::bit_cast<std::int32_t>(static_cast<float>(targets[i]))} : 0;
  });
  if (!fits) wide_targets_ = std::move(targets);
}

training::Mark KeptMarks::MarkAt(std::int64_t index) const {
  const auto i = static_cast<std::size_t>(index);
  return {.close_time = CloseTimeAt(index),
          .equity = equity_[i],
          .equity_mid = equity_mid_[i],
          .equity_low = equity_low_[i],
          .position = position_[i],
          .double_mid = close_[i]};
}

double KeptMarks::TargetAt(std::int64_t index) const {
  const auto i = static_cast<std::size_t>(index);
  if (!wide_targets_.empty()) return wide_targets_[i];
  return std::bit_cast<float>(static_cast<std::int32_t>(targets_[i]));
}

UnixNanos KeptMarks::CloseTimeAt(std::int64_t index) const {
  const auto i = static_cast<std::size_t>(index);
  return UnixNanos((open_time_[i] + length_[i]) * time_unit_);
}

std::size_t KeptMarks::FirstOpenFrom(UnixNanos time) const {
  // Rounded up (towards zero, division does that itself): times are whole units.
  const std::int64_t nanos = time.nanos();
  const std::int64_t value = nanos / time_unit_ + (nanos % time_unit_ > 0 ? 1 : 0);
  return std::min(open_time_.LowerBound(value), equity_.size());
}

std::int64_t KeptMarks::bytes() const {
  std::int64_t sum = static_cast<std::int64_t>(wide_targets_.capacity() * sizeof(double));
  for (const PackedColumn* column : {&open_time_, &length_, &open_, &high_, &low_, &close_,
                                     &equity_, &equity_mid_, &equity_low_, &position_, &targets_}) {
    sum += column->bytes();
  }
  return sum;
}

}  // namespace tw::server
