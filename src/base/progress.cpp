#include "base/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <utility>

namespace tw {
namespace {

std::string FormatCount(double value) {
  if (value >= 1e6) return fmt::format("{:.2f} M", value / 1e6);
  if (value >= 1e4) return fmt::format("{:.1f} k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

}  // namespace

std::string FormatDuration(double seconds) {
  const std::int64_t whole = std::llround(std::max(0.0, seconds));
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

Progress::Mode Progress::ModeFor(bool quiet) {
  if (quiet) return Mode::kQuiet;
  return ::isatty(STDERR_FILENO) == 1 ? Mode::kTerminal : Mode::kLines;
}

Progress::Progress(const Clock& clock, Mode mode, std::string label, std::string unit,
                   std::int64_t total, std::int64_t already_done)
    : clock_(clock),
      mode_(mode),
      label_(std::move(label)),
      unit_(std::move(unit)),
      total_(total),
      first_(already_done),
      done_(already_done),
      started_nanos_(clock.MonotonicNanos()),
      shown_nanos_(started_nanos_ - 3600 * kNanosPerSecond) {}

std::string Progress::Line(std::int64_t done, std::string_view note) const {
  const double elapsed = static_cast<double>(clock_.MonotonicNanos() - started_nanos_) / 1e9;
  const double rate = elapsed > 0.2 ? static_cast<double>(done - first_) / elapsed : 0.0;
  std::string line = label_ + "  ";
  if (total_ > 0) {
    line += fmt::format(
        "{:3.0f}%  {} of {} {}", 100.0 * static_cast<double>(done) / static_cast<double>(total_),
        FormatCount(static_cast<double>(done)), FormatCount(static_cast<double>(total_)), unit_);
  } else {
    line += fmt::format("{} {}", FormatCount(static_cast<double>(done)), unit_);
  }
  if (rate > 0) {
    line += fmt::format("  {} {}/s", FormatCount(rate), unit_);
    if (total_ > done)
      line += fmt::format("  {} left", FormatDuration(static_cast<double>(total_ - done) / rate));
  }
  if (!note.empty()) line += "  " + std::string(note);
  return line;
}

void Progress::Update(std::int64_t done, std::string_view note) {
  done_ = done;
  if (finished_ || mode_ == Mode::kQuiet) return;
  const std::int64_t interval =
      mode_ == Mode::kTerminal ? kNanosPerSecond / 10 : 10 * kNanosPerSecond;
  const std::int64_t now = clock_.MonotonicNanos();
  if (now - shown_nanos_ < interval) return;
  shown_nanos_ = now;
  Show(Line(done, note), false);
}

void Progress::Finish(std::string_view note) {
  if (finished_) return;
  finished_ = true;
  if (mode_ != Mode::kQuiet) Show(Line(done_, note), true);
}

void Progress::Show(const std::string& line, bool last) {
  // What a log has as its last line already is not said again.
  if (mode_ == Mode::kLines && line == shown_line_) return;
  shown_line_ = line;
  if (mode_ == Mode::kTerminal) {
    std::fprintf(stderr, "\r\x1b[K%s%s", line.c_str(), last ? "\n" : "");
  } else {
    std::fprintf(stderr, "%s\n", line.c_str());
  }
  std::fflush(stderr);
}

}  // namespace tw
