#pragma once

#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "tracking/local_tracker.h"
#include "tracking/tracker.h"

namespace tw::tracking {

struct ExportOptions {
  std::vector<std::string> experiments = {};  // names; all when empty
  bool dry_run = false;                       // looks and counts, changes nothing
  std::function<void(const std::string& what)> on_step = {};
};

/// What was copied; with dry_run what would be.
struct ExportOutcome {
  std::int64_t runs = 0;       // made there or brought up to date
  std::int64_t unchanged = 0;  // runs that were there already
  std::int64_t points = 0;     // of metrics
  std::int64_t files = 0;
  std::int64_t models = 0;  // logged models
  std::int64_t versions = 0;
  std::int64_t aliases = 0;
  std::vector<std::string> notes;  // what differs there and was left as it is
};

/// Copies a local store to another tracker: experiments; runs, parents before children, with their
/// times, status, points, parameters, tags and files; logged models; versions in their order;
/// aliases. Deleted runs are left out. A copy carries the original's id as kUniqueKeyTag, by which
/// a second export finds it: that one changes nothing, and one that broke off goes on. A run that
/// went on meanwhile is brought up to date. An alias that points elsewhere there stays so, with a
/// note. Errors: of both trackers, kNotFound for an experiment, kInterrupted.
Result<ExportOutcome> ExportStore(LocalTracker& from, Tracker& to, const ExportOptions& options,
                                  const std::stop_token& stop);

}  // namespace tw::tracking
