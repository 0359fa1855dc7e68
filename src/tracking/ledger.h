#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/time.h"

namespace tw::tracking {

/// Return of one trading day, as a fraction of the equity at its start.
struct DailyReturn {
  CivilDate date;
  double value = 0;

  bool operator==(const DailyReturn&) const = default;
};

/// What makes a trial: another configuration, other data or another window is another trial;
/// another seed is not.
struct TrialKey {
  std::string config_hash = {};  // SHA-256 of the effective config without seeds
  std::string data_hash = {};    // SHA-256 of the bars that the trial read
  std::string window = {};       // "EURUSD 60min 2006-01-02..2019-09-30": what was judged

  bool operator==(const TrialKey&) const = default;
};

enum class TrialKind : std::uint8_t {
  kWalkForward,  // evaluated out of sample over walk-forward folds
  kSearch,       // evaluated by a search; pruned ones count too
};

struct Trial {
  TrialKey key = {};
  std::string family = {};  // trials that were chosen among: a strategy's name, a study
  std::string who = {};     // the command or process that ran it
  TrialKind kind = TrialKind::kWalkForward;
  std::string seed = {};  // "0", "1", ... or "ensemble"
  /// Out-of-sample, by strictly increasing date; may be empty for a pruned trial, which counts all
  /// the same.
  std::vector<DailyReturn> daily_returns = {};
};

struct Recorded {
  std::int64_t trial_id = 0;  // of the trial, whatever the seed
  bool new_trial = false;     // false: only another seed, or the very same again
  bool new_row = false;       // false: this seed was there already; nothing was written
};

/// A look at the terminal holdout. Every look is a row, also the same one twice.
struct HoldoutLook {
  TrialKey key = {};
  std::string family = {};
  std::string who = {};
  std::string model = {};    // "name:version", or what was looked with
  std::int64_t time_ms = 0;  // filled in when read
};

/// Daily returns of trials side by side, a trial's value being the mean of its seeds on that day.
struct ReturnMatrix {
  std::vector<CivilDate> dates;         // [rows], increasing
  std::vector<std::int64_t> trial_ids;  // [cols], in order of their recording
  std::vector<double> values;           // [rows, cols] row-major; NaN where a trial has no such day

  std::size_t rows() const { return dates.size(); }

  std::size_t cols() const { return trial_ids.size(); }
};

struct TrialSummary {
  std::int64_t trial_id = 0;
  TrialKey key;
  std::string family;
  std::string who;
  TrialKind kind = TrialKind::kWalkForward;
  std::int64_t seeds = 0;
  std::int64_t days = 0;
  /// Mean over standard deviation (ddof 1) of the trial's daily returns, not annualised; none
  /// without two days and a spread.
  std::optional<double> sharpe_per_day;
  std::int64_t time_ms = 0;
};

/// The append-only record of everything that was tried and of every look at the holdout (one SQLite
/// file).
///
/// Rows are never changed nor removed: triggers refuse it, and each row carries a hash over itself
/// and the row before, so Verify also finds what was done with the triggers taken away. What-if
/// views are not recorded: they have no place here, and no way to a registered model. Several
/// processes may write at once; calls from several threads are safe.
class TrialLedger {
 public:
  /// Creates the file when it is missing. `clock` outlives the ledger. Errors: kIo, kBusy,
  /// kUnsupported.
  static Result<std::unique_ptr<TrialLedger>> Open(const std::string& path, const Clock& clock);

  TrialLedger(const TrialLedger&) = delete;
  TrialLedger& operator=(const TrialLedger&) = delete;
  TrialLedger(TrialLedger&&) = delete;
  TrialLedger& operator=(TrialLedger&&) = delete;
  ~TrialLedger();

  /// Adds a trial, or attaches a seed to it; doing so again changes nothing.
  /// Errors: kUsage when a part of the key or the family is empty, or dates do not increase, or a
  /// value is not finite.
  Result<Recorded> AddTrial(const Trial& trial);
  Result<void> AddHoldoutLook(const HoldoutLook& look);

  /// Distinct trials of a family; of all families (a trial of two counted once) when it is empty.
  Result<std::int64_t> Count(std::string_view family);
  Result<std::vector<TrialSummary>> Trials(std::string_view family);

  enum class Dates : std::uint8_t { kAny, kCommon };
  /// Trials with daily returns, on all dates that any of them has, or only on those that all have.
  Result<ReturnMatrix> DailyReturns(std::string_view family, Dates dates);

  /// Looks of a family (all when empty), oldest first.
  Result<std::vector<HoldoutLook>> HoldoutLooks(std::string_view family);

  /// Recomputes the chain of hashes. Errors: kBadData naming the first row that does not fit.
  Result<void> Verify();

 private:
  class Impl;
  explicit TrialLedger(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

}  // namespace tw::tracking
