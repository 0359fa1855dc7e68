#include "eval/splits.h"

#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <limits>

namespace tw::eval {
namespace {

TEST(SplitsTest, AHandSumOfAnchoredFolds) {
  const FoldSpec spec{.folds = 3, .purge_bars = 5, .embargo_bars = 10, .min_train_fraction = 0.25};
  const WalkForward split = SplitWalkForward(1000, spec).value();
  EXPECT_EQ(split.holdout, (IndexRange{800, 1000}));
  ASSERT_EQ(split.folds.size(), 3U);
  EXPECT_EQ(split.folds[0].train, (IndexRange{0, 185}));
  EXPECT_EQ(split.folds[0].test, (IndexRange{200, 400}));
  EXPECT_EQ(split.folds[1].train, (IndexRange{0, 385}));
  EXPECT_EQ(split.folds[2].test, (IndexRange{600, 800}));
  EXPECT_EQ(split.final_train, (IndexRange{0, 785}));
}

TEST(SplitsTest, RollingWindowsKeepTheLengthOfTheFirst) {
  const FoldSpec spec{.folds = 4, .purge_bars = 3, .anchored = false};
  const WalkForward split = SplitWalkForward(5000, spec).value();
  for (const Fold& fold : split.folds) EXPECT_EQ(fold.train.size(), 1197);
  EXPECT_EQ(split.final_train, (IndexRange{2800, 3997}));
}

TEST(SplitsTest, TooFewBarsSayHowManyThereAre) {
  const Result<WalkForward> split = SplitWalkForward(300, FoldSpec{.folds = 8});
  ASSERT_FALSE(split.ok());
  EXPECT_EQ(split.error().code, ErrorCode::kBadData);
  EXPECT_EQ(split.error().message,
            "300 bars are too few: 60 held out leave 240, of which the first fold trains on 72 "
            "(wanted 100, purge 0, "
            "embargo 0) and each of 8 folds tests on 21 (wanted 20)");
}

TEST(SplitsTest, ImpossibleSpecsAreConfigErrors) {
  for (const FoldSpec& spec :
       {FoldSpec{.folds = 0}, FoldSpec{.holdout_fraction = 1}, FoldSpec{.holdout_fraction = -0.1},
        FoldSpec{.holdout_fraction = std::numeric_limits<double>::quiet_NaN()},
        FoldSpec{.purge_bars = -1}, FoldSpec{.embargo_bars = -1}, FoldSpec{.min_train_fraction = 1},
        FoldSpec{.min_test_bars = 0}}) {
    const Result<WalkForward> split = SplitWalkForward(100'000, spec);
    ASSERT_FALSE(split.ok());
    EXPECT_EQ(split.error().code, ErrorCode::kConfig);
  }
}

TEST(SplitsTest, HugeGapsDoNotOverflow) {
  const std::int64_t huge = std::numeric_limits<std::int64_t>::max();
  EXPECT_FALSE(SplitWalkForward(100'000, FoldSpec{.purge_bars = huge, .embargo_bars = huge}).ok());
  EXPECT_FALSE(SplitWalkForward(0, FoldSpec{}).ok());
  EXPECT_FALSE(SplitWalkForward(-5, FoldSpec{}).ok());
}

RC_GTEST_PROP(SplitsTest, TestsTileTheBarsBetweenFirstTrainingAndHoldout, ()) {
  FoldSpec spec;
  spec.folds = *rc::gen::inRange(1, 20);
  spec.holdout_fraction = *rc::gen::inRange(0, 80) / 100.0;
  spec.purge_bars = *rc::gen::inRange(0, 60);
  spec.embargo_bars = *rc::gen::inRange(0, 60);
  spec.min_train_fraction = *rc::gen::inRange(1, 99) / 100.0;
  spec.anchored = *rc::gen::arbitrary<bool>();
  const std::int64_t bars = *rc::gen::inRange(1, 20'000);
  const Result<WalkForward> result = SplitWalkForward(bars, spec);
  if (!result.ok()) {
    RC_ASSERT(result.error().code == ErrorCode::kBadData);
    return;
  }
  const WalkForward& split = *result;
  const std::int64_t gap = spec.purge_bars + spec.embargo_bars;
  RC_ASSERT(split.folds.size() == static_cast<std::size_t>(spec.folds));
  RC_ASSERT(split.holdout.end == bars);
  RC_ASSERT(static_cast<double>(split.holdout.size()) >=
            spec.holdout_fraction * static_cast<double>(bars) - 1e-9);
  std::int64_t next = split.folds[0].test.begin;
  for (const Fold& fold : split.folds) {
    RC_ASSERT(fold.test.begin == next);
    RC_ASSERT(fold.test.size() >= spec.min_test_bars);
    RC_ASSERT(fold.train.begin >= 0);
    RC_ASSERT(fold.train.size() >= spec.min_train_bars);
    RC_ASSERT(fold.train.end + gap == fold.test.begin);
    next = fold.test.end;
  }
  RC_ASSERT(next == split.holdout.begin);
  RC_ASSERT(split.final_train.end + gap == split.holdout.begin);
}

}  // namespace
}  // namespace tw::eval
