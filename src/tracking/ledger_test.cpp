#include "tracking/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <string>

#include "db/sqlite.h"
#include "tracking/test_support.h"

namespace tw::tracking {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

CivilDate Day(int day) { return {2024, 1, day}; }

Trial MakeTrial(const std::string& config, const std::string& seed,
                std::vector<DailyReturn> returns = {}) {
  return {{config, "data", "EURUSD 60min 2006..2019"},
          "eurusd",
          "train",
          TrialKind::kWalkForward,
          seed,
          std::move(returns)};
}

class TrialLedgerTest : public testing::Test {
 protected:
  TrialLedgerTest() : ledger_(Open()) {}

  std::unique_ptr<TrialLedger> Open() {
    auto opened = TrialLedger::Open(path(), clock_);
    EXPECT_TRUE(opened.ok()) << opened.error().message;
    return std::move(opened).value();
  }

  std::string path() const { return dir_ / "ledger.db"; }

  TempDir dir_;
  ManualClock clock_{UnixNanos::FromSeconds(1'700'000'000)};
  std::unique_ptr<TrialLedger> ledger_;
};

TEST_F(TrialLedgerTest, ATrialCountsOnceWhateverItsSeeds) {
  const Recorded first = ledger_->AddTrial(MakeTrial("a", "0", {{Day(2), 0.01}})).value();
  EXPECT_TRUE(first.new_trial && first.new_row);
  const Recorded seed = ledger_->AddTrial(MakeTrial("a", "1", {{Day(2), 0.03}})).value();
  EXPECT_TRUE(!seed.new_trial && seed.new_row);
  EXPECT_EQ(seed.trial_id, first.trial_id);
  const Recorded again = ledger_->AddTrial(MakeTrial("a", "1", {{Day(2), 0.03}})).value();
  EXPECT_TRUE(!again.new_trial && !again.new_row);
  EXPECT_EQ(again.trial_id, first.trial_id);
  EXPECT_EQ(ledger_->Count("eurusd").value(), 1);

  Trial other = MakeTrial("a", "0");
  other.key.window = "EURUSD 60min 2006..2020";
  EXPECT_TRUE(ledger_->AddTrial(other)->new_trial);
  other.key.data_hash = "other data";
  other.kind = TrialKind::kSearch;
  EXPECT_TRUE(ledger_->AddTrial(other)->new_trial);
  EXPECT_EQ(ledger_->Count("eurusd").value(), 3);
  // The same trial in another family: one more there, none more in all.
  other.family = "study 7";
  EXPECT_TRUE(ledger_->AddTrial(other)->new_trial);
  EXPECT_EQ(ledger_->Count("study 7").value(), 1);
  EXPECT_EQ(ledger_->Count("").value(), 3);
  EXPECT_EQ(ledger_->Count("nobody").value(), 0);

  ledger_.reset();
  ledger_ = Open();
  const auto trials = ledger_->Trials("eurusd").value();
  ASSERT_EQ(trials.size(), 3U);
  EXPECT_EQ(trials[0].seeds, 2);
  EXPECT_EQ(trials[0].days, 1);
  EXPECT_EQ(trials[2].kind, TrialKind::kSearch);
  EXPECT_EQ(trials[0].time_ms, 1'700'000'000'000);
  EXPECT_TRUE(ledger_->Verify().ok());
}

TEST_F(TrialLedgerTest, DailyReturnsAreAlignedByDateAndAveragedOverSeeds) {
  ASSERT_TRUE(
      ledger_->AddTrial(MakeTrial("a", "0", {{Day(2), 0.01}, {Day(3), -0.02}, {Day(4), 0.5}}))
          .ok());
  ASSERT_TRUE(ledger_->AddTrial(MakeTrial("pruned", "0")).ok());
  ASSERT_TRUE(
      ledger_->AddTrial(MakeTrial("b", "0", {{Day(3), 0.001}, {Day(4), 0.002}, {Day(5), 0.003}}))
          .ok());
  ASSERT_TRUE(ledger_->AddTrial(MakeTrial("a", "1", {{Day(2), 0.03}, {Day(3), 0.04}})).ok());
  const ReturnMatrix common = ledger_->DailyReturns("eurusd", TrialLedger::Dates::kCommon).value();
  EXPECT_THAT(common.dates, ElementsAre(Day(3), Day(4)));
  EXPECT_THAT(common.trial_ids, ElementsAre(1, 3));
  EXPECT_THAT(common.values, ElementsAre((-0.02 + 0.04) / 2, 0.001, 0.5, 0.002));
  const ReturnMatrix any = ledger_->DailyReturns("eurusd", TrialLedger::Dates::kAny).value();
  EXPECT_THAT(any.dates, ElementsAre(Day(2), Day(3), Day(4), Day(5)));
  EXPECT_EQ(any.values[0], 0.02);
  EXPECT_TRUE(std::isnan(any.values[1]));
  EXPECT_TRUE(std::isnan(any.values[6]));
  EXPECT_EQ(ledger_->DailyReturns("nobody", TrialLedger::Dates::kCommon).value().rows(), 0U);
}

TEST_F(TrialLedgerTest, SharpeIsPerDayWithTheSampleDeviation) {
  // Mean 0.02, deviation sqrt((1 + 1 + 0) e-4 / 2) = 0.01.
  ASSERT_TRUE(
      ledger_->AddTrial(MakeTrial("a", "0", {{Day(2), 0.01}, {Day(3), 0.03}, {Day(4), 0.02}}))
          .ok());
  ASSERT_TRUE(ledger_->AddTrial(MakeTrial("flat", "0", {{Day(2), 0.0}, {Day(3), 0.0}})).ok());
  const auto trials = ledger_->Trials("eurusd").value();
  EXPECT_NEAR(*trials[0].sharpe_per_day, 2.0, 1e-12);
  EXPECT_FALSE(trials[1].sharpe_per_day.has_value());
}

TEST_F(TrialLedgerTest, EveryLookAtTheHoldoutIsARow) {
  const HoldoutLook look{{"c", "d", "2020..2022"}, "eurusd", "train", "eurusd:1", 0};
  ASSERT_TRUE(ledger_->AddHoldoutLook(look).ok());
  clock_.AdvanceNanos(kNanosPerSecond);
  ASSERT_TRUE(ledger_->AddHoldoutLook(look).ok());
  const auto looks = ledger_->HoldoutLooks("eurusd").value();
  ASSERT_EQ(looks.size(), 2U);
  EXPECT_EQ(looks[1].time_ms, 1'700'000'001'000);
  EXPECT_EQ(looks[1].model, "eurusd:1");
  EXPECT_EQ(looks[1].key, look.key);
  EXPECT_EQ(ledger_->HoldoutLooks("other").value().size(), 0U);
  EXPECT_EQ(ledger_->Count("").value(), 0);
}

TEST_F(TrialLedgerTest, IncompleteTrialsAreRefused) {
  EXPECT_THAT(ledger_->AddTrial(MakeTrial("", "0")).error().message,
              HasSubstr("without config hash"));
  EXPECT_THAT(ledger_->AddTrial(MakeTrial("a", "0", {{Day(3), 0}, {Day(3), 0}})).error().message,
              HasSubstr("2024-01-03"));
  EXPECT_THAT(ledger_->AddTrial(MakeTrial("a", "0", {{Day(3), std::nan("")}})).error().message,
              HasSubstr("is nan"));
  EXPECT_FALSE(ledger_->AddHoldoutLook({}).ok());
  EXPECT_EQ(ledger_->Count("").value(), 0);
}

TEST_F(TrialLedgerTest, RowsCannotBeChangedRemovedOrReplaced) {
  ASSERT_TRUE(ledger_->AddTrial(MakeTrial("a", "0", {{Day(2), -0.01}})).ok());
  ASSERT_TRUE(ledger_->AddTrial(MakeTrial("b", "0", {{Day(2), 0.01}})).ok());
  auto other = db::Database::Open(path()).value();
  const std::string columns =
      "(seq, time_ms, kind, family, who, config_hash, data_hash, window, seed, model, returns, "
      "previous_hash, hash)";
  const std::string row =
      "0, 'search', 'eurusd', '', 'a', 'data', 'EURUSD 60min 2006..2019', '0', '', '', '', ''";
  for (const std::string& sql :
       {std::string("UPDATE entries SET who = 'me'"), std::string("DELETE FROM entries"),
        std::string("DELETE FROM entries WHERE seq = 1"),
        "INSERT OR REPLACE INTO entries " + columns + " VALUES (1, " + row + ")",
        "REPLACE INTO entries " + columns + " VALUES (3, " + row + ")",
        "INSERT INTO entries " + columns +
            " VALUES (9, 0, 'search', 'x', '', 'x', 'x', 'x', '0', '', '', '', '')"}) {
    const auto status = other.Execute("PRAGMA recursive_triggers = OFF; " + sql);
    ASSERT_FALSE(status.ok()) << sql;
    EXPECT_THAT(status.error().message, HasSubstr("append-only")) << sql;
  }
  EXPECT_EQ(ledger_->Count("eurusd").value(), 2);
  EXPECT_TRUE(ledger_->Verify().ok());
}

TEST_F(TrialLedgerTest, VerifyFindsWhatWasDoneWithoutTheTriggers) {
  for (const char* config : {"a", "b", "c"})
    ASSERT_TRUE(ledger_->AddTrial(MakeTrial(config, "0", {{Day(2), 0.01}})).ok());
  auto other = db::Database::Open(path()).value();
  ASSERT_TRUE(other.Execute("DROP TRIGGER entries_keep; DROP TRIGGER entries_stay").ok());
  ASSERT_TRUE(other.Execute("UPDATE entries SET family = 'hidden' WHERE seq = 2").ok());
  EXPECT_THAT(ledger_->Verify().error().message, HasSubstr("ledger row 2"));
  ASSERT_TRUE(other.Execute("UPDATE entries SET family = 'eurusd' WHERE seq = 2").ok());
  EXPECT_TRUE(ledger_->Verify().ok());
  ASSERT_TRUE(other.Execute("DELETE FROM entries WHERE seq = 2").ok());
  EXPECT_THAT(ledger_->Verify().error().message, HasSubstr("ledger row 3"));
}

TEST_F(TrialLedgerTest, TwoProcessesAndAKilledOneKeepTheChainWhole) {
  ledger_.reset();
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  const pid_t endless = InChild([&] {
    auto ledger = TrialLedger::Open(path(), clock_).value();
    for (int i = 0;; ++i) {
      if (!ledger->AddTrial(MakeTrial("endless " + std::to_string(i), "0", {{Day(2), 0.01}})).ok())
        return 1;
      if (::write(ends[1], "x", 1) != 1) return 2;
    }
  });
  ::close(ends[1]);
  std::vector<pid_t> children;
  for (int process = 0; process < 2; ++process) {
    children.push_back(InChild([&, process] {
      auto ledger = TrialLedger::Open(path(), clock_).value();
      for (int i = 0; i < 40; ++i) {
        // Both run the same trials, each with its own seed.
        if (!ledger->AddTrial(MakeTrial("shared " + std::to_string(i), std::to_string(process)))
                 .ok())
          return 1;
      }
      return 0;
    }));
  }
  std::int64_t told = 0;
  char byte = 0;
  for (; told < 5; ++told) ASSERT_EQ(::read(ends[0], &byte, 1), 1);
  for (const pid_t child : children) EXPECT_EQ(WaitFor(child), 0);
  ::kill(endless, SIGKILL);
  ASSERT_EQ(WaitFor(endless), -SIGKILL);
  while (::read(ends[0], &byte, 1) == 1) ++told;
  ::close(ends[0]);
  ledger_ = Open();
  EXPECT_TRUE(ledger_->Verify().ok());
  // Everything that was confirmed is there, and at most the one that was not yet confirmed besides.
  const std::int64_t endless_trials = ledger_->Count("eurusd").value() - 40;
  EXPECT_GE(endless_trials, told);
  EXPECT_LE(endless_trials, told + 1);
}

}  // namespace
}  // namespace tw::tracking
