#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"
#include "tracking/internal/spool_ids.h"
#include "tracking/internal/spool_stream.h"
#include "tracking/tracker.h"

namespace tw::tracking::internal {

/// An error that the same call will meet again however often it is repeated.
bool IsFinal(const Error& error);

/// Sends what waits in a spool to the server. One process at a time: the object holds the spool's
/// lock. Every record is sent until the server has answered for it, and only then acknowledged on
/// disk; so that a repeated record does no harm, what is not idempotent by itself (runs, models,
/// versions) carries a unique key and is looked for before it is made. What the server refuses for
/// good becomes a dead letter. One thread.
class SpoolDrain {
 public:
  /// With `set_aside`, what fails again and again (kExternal) at a server that answers otherwise is
  /// given up, too. Errors: kBusy when another process drains, kIo. Server and clock outlive it.
  static Result<std::unique_ptr<SpoolDrain>> Begin(const std::string& root, Tracker& server,
                                                   const Clock& clock, DiskHook hook = {},
                                                   bool set_aside = false);

  struct Pass {
    std::int64_t records = 0;      // sent or given up by this pass
    std::int64_t dead = 0;         // given up
    std::optional<Error> failure;  // why the rest waits; nothing when all was sent
  };

  /// Sends everything that is there, stream by stream, until the server fails or `stop`. After each
  /// step `on_step` hears how many records are done.
  Pass SendAll(const std::stop_token& stop,
               const std::function<void(std::int64_t records)>& on_step = {});

 private:
  // What became of a step.
  enum class Step { kMore, kEnd, kFailed };

  // One metric, parameter or tag, and the record that it comes from.
  struct Item {
    enum class Kind { kMetric, kParam, kTag };
    Kind kind = Kind::kMetric;
    const SpoolFrame* frame = nullptr;
    Metric metric = {};
    KeyValue pair = {};
  };

  SpoolDrain(std::string root, Tracker& server, const Clock& clock, DiskHook hook, FileLock lock,
             bool set_aside);

  Step Advance(StreamReader& stream, const std::stop_token& stop);
  Result<std::size_t> SendFrames(StreamReader& stream, std::span<const SpoolFrame> frames,
                                 const std::stop_token& stop);
  Result<void> SendBatches(const StreamReader& stream, std::span<const SpoolFrame> frames,
                           const std::stop_token& stop);
  Result<void> SendItems(const StreamReader& stream, const std::string& run,
                         std::span<const Item> items, const std::stop_token& stop);
  Result<void> SendChunk(const StreamReader& stream, const std::string& run,
                         std::span<const Item> items);
  /// Calls until it is settled whether the record can be sent. Errors: as of `call`.
  template <class Call>
  Result<void> Settle(bool& final, Call&& call);
  Result<void> SendOne(const StreamReader& stream, const SpoolFrame& frame);
  Result<void> Dispatch(const StreamReader& stream, const SpoolRecord& record);
  Result<void> GiveUp(const StreamReader& stream, const SpoolFrame& frame,
                      const SpoolRecord& record, const Error& error);

  Result<void> SendRun(const RunRecord& record);
  Result<void> SendStatus(const StatusRecord& record);
  Result<void> SendModel(const StreamReader& stream, const ModelRecord& record);
  Result<void> SendVersion(const VersionRecord& record);

  Result<std::string> ExperimentId(const std::string& experiment);
  /// Runs with this unique key, oldest first.
  Result<std::vector<Run>> RunsWithKey(const std::vector<std::string>& experiments,
                                       const std::string& key);
  Result<std::string> ServerRun(const std::string& id);
  Result<std::string> ServerModel(const std::string& id);
  Result<std::int64_t> ServerVersion(std::int64_t version);
  /// For an id that is not known yet: kBusy when another stream still has it, else kNotFound.
  template <class Makes>
  Error Unknown(const std::string& what, Makes&& makes);

  std::string root_;
  Tracker& server_;
  const Clock& clock_;
  DiskHook hook_;
  FileLock lock_;
  bool set_aside_;
  SpoolIds ids_;
  std::map<std::string, std::string> experiments_;  // name to id
  std::set<std::string> tried_;  // keys whose making failed without a clear answer
  std::map<std::string, std::unique_ptr<StreamReader>> streams_;
  std::string first_stream_;  // of the next pass: the one behind the last that failed
  bool blocked_ = false;      // the last failure waits for another stream, not for the server
  Pass pass_;
};

}  // namespace tw::tracking::internal
