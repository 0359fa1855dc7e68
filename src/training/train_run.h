#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "base/result.h"
#include "store/store.h"
#include "tracking/ledger.h"
#include "tracking/tracker.h"
#include "training/judge.h"
#include "training/walk_forward.h"

namespace tw::training {

/// Where a training keeps and reports what it does. Everything is borrowed.
struct TrainServices {
  const store::Store& store;
  tracking::Tracker& tracker;
  tracking::TrialLedger& ledger;
  const Clock& clock;
  std::string runs_dir;  // work in progress of each run lies in a folder of its id
  std::string program;   // "tradewind 0.1.0"
  /// SHA-256 of the running executable, for the model's manifest; empty when not known.
  std::string program_sha256 = {};
};

struct TrainRequest {
  Config config = Config::Empty();  // the style's document; unused when resuming
  std::string resume_run_id;
  std::string model_name;  // empty: made of style and instrument
  std::string who = "train";
  std::string parent_run_id;  // the run of a search that this training concludes
  int threads = 1;
  bool any_machine = false;
  std::function<void(const std::string& run_id)> on_start;
  /// Steps done and wanted, and what to say beside them.
  std::function<void(std::int64_t done, std::int64_t total, const std::string& note)> on_progress;
  std::function<void(const std::string& line)> on_note;  // stages, warnings
};

struct TrainReport {
  std::string run_id;
  std::string model_name;
  std::int64_t model_version = 0;  // negative: the tracking server has not numbered it yet
  std::string model_uri;
  std::string report_html;  // also an artifact of the run: report.html
  std::string report_uri;
  Verdict verdict;
  TrialRecord trials;
  sim::CostParts costs;  // out of sample
  sim::BacktestCounts counts;
  std::string currency;
  std::optional<double> in_sample_sharpe;
  std::vector<std::optional<double>> seed_sharpes;
  std::vector<std::optional<double>> fold_sharpes;
};

/// The main job: data, walk-forward training, out-of-sample trading with costs against baselines,
/// the trial ledger, one counted look at the holdout, the model registered and the report written.
/// A full disk (kIo) stops it at a checkpoint, too. Stopping it (kInterrupted) leaves everything
/// that a call with resume_run_id needs; the resumed run ends with the same model, byte for byte.
/// Errors: of every part; kConfig for a style that is off, kNotFound for an unknown run, kBadData
/// when the bars are not those that the run began with.
Result<TrainReport> TrainStyle(const TrainRequest& request, const TrainServices& services,
                               const std::stop_token& stop);

}  // namespace tw::training
