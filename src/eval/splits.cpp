#include "eval/splits.h"

#include <fmt/core.h>

#include <cmath>

namespace tw::eval {
namespace {

Status CheckSpec(const FoldSpec& spec) {
  const auto bad = [](std::string message) {
    return Error{ErrorCode::kConfig, std::move(message)};
  };
  if (spec.folds < 1 || spec.folds > 10'000)
    return bad(fmt::format("folds is {}, wanted 1 to 10000", spec.folds));
  if (!(spec.holdout_fraction >= 0 && spec.holdout_fraction <= 0.9)) {
    return bad(fmt::format("holdout_fraction is {}, wanted 0 to 0.9", spec.holdout_fraction));
  }
  if (!(spec.min_train_fraction > 0 && spec.min_train_fraction < 1)) {
    return bad(
        fmt::format("min_train_fraction is {}, wanted between 0 and 1", spec.min_train_fraction));
  }
  if (spec.purge_bars < 0 || spec.embargo_bars < 0) {
    return bad(fmt::format("purge_bars is {} and embargo_bars {}, wanted 0 or more",
                           spec.purge_bars, spec.embargo_bars));
  }
  if (spec.min_train_bars < 1 || spec.min_test_bars < 1) {
    return bad(fmt::format("min_train_bars is {} and min_test_bars {}, wanted 1 or more",
                           spec.min_train_bars, spec.min_test_bars));
  }
  return {};
}

}  // namespace

Result<WalkForward> SplitWalkForward(std::int64_t bars, const FoldSpec& spec) {
  TW_TRY(CheckSpec(spec));
  if (bars < 1) return Error{ErrorCode::kBadData, fmt::format("{} bars cannot be split", bars)};
  const auto holdout_bars =
      static_cast<std::int64_t>(std::ceil(spec.holdout_fraction * static_cast<double>(bars)));
  const std::int64_t usable = bars - holdout_bars;
  const auto first_test =
      static_cast<std::int64_t>(std::ceil(spec.min_train_fraction * static_cast<double>(usable)));
  // No sum of the two gaps: both may be huge.
  const bool gap_fits =
      spec.purge_bars <= first_test && spec.embargo_bars <= first_test - spec.purge_bars;
  const std::int64_t gap = gap_fits ? spec.purge_bars + spec.embargo_bars : first_test;
  const std::int64_t train = first_test - gap;
  const std::int64_t shortest_test = (usable - first_test) / spec.folds;
  if (train < spec.min_train_bars || shortest_test < spec.min_test_bars) {
    return Error{
        ErrorCode::kBadData,
        fmt::format("{} bars are too few: {} held out leave {}, of which the first fold trains on "
                    "{} (wanted "
                    "{}, purge {}, embargo {}) and each of {} folds tests on {} (wanted {})",
                    bars, holdout_bars, usable, train, spec.min_train_bars, spec.purge_bars,
                    spec.embargo_bars, spec.folds, shortest_test, spec.min_test_bars)};
  }
  WalkForward out;
  out.holdout = {usable, bars};
  const std::int64_t tested = usable - first_test;
  const auto begin_of = [&](std::int64_t fold) { return first_test + tested * fold / spec.folds; };
  const auto train_before = [&](std::int64_t row) {
    const std::int64_t end = row - gap;
    return IndexRange{spec.anchored ? 0 : end - train, end};
  };
  for (int fold = 0; fold < spec.folds; ++fold) {
    const IndexRange test{begin_of(fold), begin_of(fold + 1)};
    out.folds.push_back({train_before(test.begin), test});
  }
  out.final_train = train_before(usable);
  return out;
}

}  // namespace tw::eval
