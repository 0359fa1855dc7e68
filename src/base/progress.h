#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace tw {

/// How far a long piece of work is, for a person: on a terminal one line that is redrawn at most
/// ten times a second, elsewhere a line at the start, every ten seconds and at the end. Rate and
/// time left come from the work since the start of this process, so a resumed run is not flattered.
/// Writes to standard error. One thread at a time.
class Progress {
 public:
  enum class Mode { kQuiet, kTerminal, kLines };

  /// The mode for standard error as it is now; kQuiet when `quiet`.
  static Mode ModeFor(bool quiet);

  /// `unit` is what is counted ("steps", "bars", "MB"); `total` 0 when unknown; `already_done` of a
  /// resumed run.
  Progress(const Clock& clock, Mode mode, std::string label, std::string unit, std::int64_t total,
           std::int64_t already_done = 0);

  /// The work has grown, or shrunk.
  void SetTotal(std::int64_t total) { total_ = total; }

  /// `note` is shown behind the numbers ("fold 3/8  reward 0.12").
  void Update(std::int64_t done, std::string_view note = {});
  /// Ends the line; further calls do nothing.
  void Finish(std::string_view note = {});

  /// The text of the current state, without control characters.
  std::string Line(std::int64_t done, std::string_view note) const;

 private:
  void Show(const std::string& line, bool last);

  const Clock& clock_;
  Mode mode_;
  std::string label_;
  std::string unit_;
  std::int64_t total_;
  std::int64_t first_;
  std::int64_t done_;
  std::int64_t started_nanos_;
  std::int64_t shown_nanos_;
  std::string shown_line_;
  bool finished_ = false;
};

/// "45 s", "3 min 20 s", "2 h 05 min".
std::string FormatDuration(double seconds);

}  // namespace tw
