#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"

namespace tw::eval {

/// Rows [begin, end).
struct IndexRange {
  std::int64_t begin = 0;
  std::int64_t end = 0;

  std::int64_t size() const { return end - begin; }

  bool operator==(const IndexRange&) const = default;
};

/// How bars are divided between training, out-of-sample tests and the terminal holdout.
struct FoldSpec {
  int folds = 4;
  double holdout_fraction = 0.2;  // the last share of all bars; [0, 0.9]
  /// Cut from the end of training: samples whose outcome reaches into the test.
  std::int64_t purge_bars = 0;
  std::int64_t embargo_bars = 0;  // cut besides, for what decays more slowly than a label's horizon
  double min_train_fraction =
      0.3;  // share of the bars before the holdout that the first fold leaves for training
  /// Training starts at bar 0 and grows; else a window of the first fold's length.
  bool anchored = true;
  std::int64_t min_train_bars = 100;  // shorter training or testing ranges are an error
  std::int64_t min_test_bars = 20;
};

struct Fold {
  IndexRange train{};
  IndexRange test{};
};

/// One fold behind the other, tests contiguous up to the holdout, so that their stitched equity is
/// one out-of-sample curve. A walk-forward fold never trains on what follows its test, so purge and
/// embargo both lie in front of the test.
struct WalkForward {
  std::vector<Fold> folds{};
  /// Everything before the holdout less purge and embargo: the last agent's data.
  IndexRange final_train{};
  IndexRange holdout{};  // empty when holdout_fraction is 0
};

/// Errors: kConfig for a spec outside its ranges, kBadData when `bars` are too few for it, naming
/// the counts.
Result<WalkForward> SplitWalkForward(std::int64_t bars, const FoldSpec& spec);

}  // namespace tw::eval
