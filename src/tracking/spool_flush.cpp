// What commands ask of a spool without writing to it.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/files.h"
#include "base/wait.h"
#include "tracking/internal/spool_drain.h"
#include "tracking/internal/spool_ids.h"
#include "tracking/internal/spool_stream.h"
#include "tracking/spool.h"

namespace tw::tracking {

std::string SpoolNameOf(std::string_view server) {
  std::string name;
  for (const char c : server.substr(0, 80)) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '.' || c == '-';
    if (plain) {
      name += c;
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
  }
  return name + "-" + Sha256Hex(server).substr(0, 8);
}

Result<SpoolStatus> ReadSpoolStatus(const std::string& directory) {
  SpoolStatus status;
  const auto names = TW_TRY(internal::ListStreams(directory));
  for (const std::string& name : names) {
    auto stream = internal::StreamReader::Open(directory + "/streams/" + name);
    std::int64_t records = 0;
    while (stream.ok()) {
      const auto batch = stream->Read(4096, 1U << 20U);
      if (!batch.ok() || batch->frames.empty()) break;
      if (records == 0 &&
          (status.oldest_ms == 0 || batch->frames.front().time_ms < status.oldest_ms))
        status.oldest_ms = batch->frames.front().time_ms;
      records += static_cast<std::int64_t>(batch->frames.size());
    }
    if (records == 0) continue;
    status.records += records;
    ++status.streams;
    status.bytes += static_cast<std::int64_t>(internal::BytesBelow(directory + "/streams/" + name));
  }
  std::error_code error;
  if (std::filesystem::exists(directory + "/drain.lock", error)) {
    const auto lock = FileLock::Acquire(directory + "/drain.lock");
    status.draining = !lock.ok() && lock.error().code == ErrorCode::kBusy;
  }
  return status;
}

Result<std::vector<SpoolRefusal>> ReadSpoolRefusals(const std::string& directory) {
  std::vector<SpoolRefusal> refusals;
  for (internal::DeadLetter& letter : TW_TRY(internal::ReadDeadLetters(directory))) {
    refusals.push_back(
        {letter.time_ms, std::move(letter.what), std::move(letter.run), std::move(letter.reason)});
  }
  return refusals;
}

Result<FlushOutcome> FlushSpool(const std::string& directory, Tracker& server, const Clock& clock,
                                const FlushOptions& options, const std::stop_token& stop) {
  FlushOutcome outcome;
  const auto drain = TW_TRY(
      internal::SpoolDrain::Begin(directory, server, clock, options.disk_hook, options.set_aside));
  std::int64_t pause_ms = options.first_pause_ms;
  for (int tries = 0;;) {
    const auto pass = drain->SendAll(stop, [&](std::int64_t records) {
      if (options.on_progress) options.on_progress(outcome.records + records);
    });
    outcome.records += pass.records;
    outcome.refused += pass.dead;
    if (!pass.failure) return outcome;
    if (stop.stop_requested()) {
      return Error{
          ErrorCode::kInterrupted,
          fmt::format("{} records sent; go on with: tradewind tracking flush", outcome.records)};
    }
    if (pass.records > 0) {
      tries = 0;
      pause_ms = options.first_pause_ms;
    }
    if (++tries >= options.tries_max) return *pass.failure;
    WaitUnlessStopped(pause_ms * 1'000'000, stop);
    pause_ms = std::min(2 * pause_ms, options.pause_max_ms);
  }
}

}  // namespace tw::tracking
