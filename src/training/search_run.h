#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/config.h"
#include "base/result.h"
#include "hpo/storage.h"
#include "hpo/trial.h"
#include "training/train_run.h"

namespace tw::training {

// A search is an Optuna study whose queue holds as many WAITING trials as the search shall have:
// whoever reaches the database claims them, one at a time, so the number is exact however many
// workers serve, a killed worker's trial is queued again, and what is left waits for the next
// start.

/// System attributes of a study, beside Optuna's own.
inline constexpr std::string_view kStudyConfigKey = "tradewind:config";  // the style's document
inline constexpr std::string_view kStudyBarsKey = "tradewind:bars_sha256";
inline constexpr std::string_view kStudyRunKey = "tradewind:run_id";  // the parent of its runs
inline constexpr std::string_view kStudyWinnerKey = "tradewind:winner";
/// User attributes of a trial.
inline constexpr std::string_view kTrialRunKey = "run_id";     // its nested run
inline constexpr std::string_view kTrialWorkerKey = "worker";  // who ran it
inline constexpr std::string_view kTrialReasonKey = "reason";  // why it has no value

struct SearchServices {
  const TrainServices& train;
  std::shared_ptr<hpo::Storage> storage;
};

struct SearchStart {
  std::string study;
  std::string run_id;         // the parent run in the tracker
  bool continued = false;     // the study was there
  std::int64_t queued = 0;    // trials that wait now
  std::int64_t finished = 0;  // done before this start
  std::int64_t total = 0;     // the study's trials, retries apart
};

/// Makes the study of a style, or continues it, and queues what is missing to `search.trials`.
/// Errors: kConfig (no search.space, or one that does not fit the style), kUsage when the study was
/// begun with other settings or bars: their trials would not compare; those of the parts.
Result<SearchStart> BeginSearch(const Config& config, const SearchServices& services);

struct WorkRequest {
  std::string study;
  std::string worker;  // "host:process"
  int threads = 1;     // of each trial
  /// New trials to run, as Optuna's optimize(n_trials) does; else the queue is served until nothing
  /// waits and nobody else runs a trial that may come back.
  std::optional<std::int64_t> trials;
  std::optional<double> timeout_seconds;  // no trial starts later
  std::function<void(const hpo::FrozenTrial& trial)> on_trial;
};

/// Runs trials. A stop puts the running trial back into the queue with its parameters and leaves
/// its checkpoint, then returns. Trials that cannot be judged FAIL with their reason; an error of
/// this machine puts the trial back and is returned. Returns the trials that ended here. Errors:
/// kNotFound (no such study), kUsage (not a study of ours), kBadData when the store's bars are not
/// the study's.
Result<std::int64_t> ServeSearch(const WorkRequest& request, const SearchServices& services,
                                 const std::stop_token& stop);

/// Gives every finished trial of the study its ledger row, whoever ran it, and ends the runs of
/// trials whose worker died. Returns how many rows were missing.
Result<std::int64_t> CountTrials(const std::string& study, const SearchServices& services);

/// Whether choosing the best of a study's trials chooses anything (metrics.md section 7.6).
struct SearchOverfitting {
  std::int64_t trials = 0;    // distinct configurations with daily returns in the ledger
  std::int64_t days = 0;      // that all of them have
  std::optional<double> pbo;  // none below two trials or 32 days
};

/// Of the study's trials that the ledger has: CountTrials first. Looks at no holdout.
Result<SearchOverfitting> OverfittingOf(const std::string& study, const SearchServices& services);

struct ConcludeRequest {
  std::string study;
  std::string model_name;
  int threads = 1;
  std::function<void(std::int64_t done, std::int64_t total, const std::string& note)> on_progress;
  std::function<void(const std::string& line)> on_note;
};

struct SearchConclusion {
  std::int64_t winner = -1;           // the trial's number
  bool earlier = false;               // it had been judged before: no other look at the holdout
  std::string run_id;                 // of the winner's training
  std::string verdict_text;           // also of an earlier judgement
  std::optional<TrainReport> report;  // of this judgement
};

/// Trains the winner as `train` does: all seeds, the final agent, one counted look at the holdout,
/// the verdict deflated by all that the ledger holds, the model registered. A winner that was
/// judged before is not judged again. A completed trial whose parameters are no settings of the
/// space, as a Python worker may leave one, cannot win. Errors: kNotFound without a winner;
/// kInterrupted, after which the next call goes on.
Result<SearchConclusion> ConcludeSearch(const ConcludeRequest& request,
                                        const SearchServices& services,
                                        const std::stop_token& stop);

/// The study's config document. Errors: kNotFound, kUsage for a study that no search made.
Result<std::string> ConfigOfStudy(const hpo::StudyInfo& info);

/// A study's name as the name of a folder: readable, and told apart by a hash.
std::string FileNameOf(std::string_view study);

/// Completed trials, best first (the larger value wins; equal ones in the order of their numbers).
std::vector<hpo::TrialPtr> BestFirst(const std::vector<hpo::TrialPtr>& trials);

/// Trials of the study that are no retries of others.
std::int64_t OriginalTrials(const std::vector<hpo::TrialPtr>& trials);

}  // namespace tw::training
