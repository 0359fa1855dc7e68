#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tracking/internal/spool_stream.h"

namespace tw::tracking::internal {

/// What became of a run, model or version that had a provisional id.
struct Resolved {
  std::string id;       // the server's; empty when refused
  std::string refused;  // why
};

/// A run that went through the spool.
struct KnownRun {
  std::string id;  // provisional
  std::string server_id;
  std::string name;
  std::string parent;      // as it was given: provisional or the server's
  std::string experiment;  // as it was given
  std::int64_t start_time_ms = 0;
  /// An earlier attempt to make it may have come through later: look for others at its end.
  bool uncertain = false;
  std::string refused;
};

/// What is known of a run before the server has answered.
KnownRun KnownFrom(const RunRecord& record);

/// The file ids.jsonl below a spool's root: what the server called the things that were sent. Lines
/// of JSON, only appended, by the process that holds the drain lock; anybody may read. Half a line
/// at the end was never there. One thread an object.
class SpoolIds {
 public:
  explicit SpoolIds(std::string root, DiskHook hook = {});

  /// Reads what was appended since.
  Result<void> Refresh();

  /// Drops the older half of a file that has grown beyond 8 MiB. Only under the drain lock.
  Result<void> Compact();
  /// Synced when they return. Only under the drain lock.
  Result<void> AddRun(const KnownRun& run);
  Result<void> AddModel(const std::string& id, const Resolved& resolved);
  Result<void> AddVersion(std::int64_t version, const Resolved& resolved);

  /// By either id; null when unknown.
  const KnownRun* FindRun(std::string_view id) const;
  const Resolved* FindModel(std::string_view id) const;
  const Resolved* FindVersion(std::int64_t version) const;

  const std::map<std::string, KnownRun, std::less<>>& runs() const { return runs_; }

 private:
  Result<void> Append(const std::string& line);
  void Take(std::string_view line);

  std::string path_;
  DiskHook hook_;
  std::uint64_t offset_ = 0;
  std::uint64_t inode_ = 0;
  std::map<std::string, KnownRun, std::less<>> runs_;            // by provisional id
  std::map<std::string, std::string, std::less<>> provisional_;  // by the server's id
  std::map<std::string, Resolved, std::less<>> models_;
  std::map<std::int64_t, Resolved> versions_;
};

/// One thing that the server refused for good.
struct DeadLetter {
  std::int64_t time_ms = 0;
  std::string stream;
  std::uint64_t seq = 0;
  std::string what;
  std::string run;
  std::string reason;
};

/// Appends to the file dead.jsonl below a spool's root; `record` is kept with it, files of it go to
/// dead/. A letter may be written twice when the process dies in between.
Result<void> WriteDeadLetter(const std::string& root, const DeadLetter& letter,
                             const SpoolRecord& record, const StreamReader* stream,
                             const DiskHook& hook);

/// Each letter once, oldest first.
Result<std::vector<DeadLetter>> ReadDeadLetters(const std::string& root);

}  // namespace tw::tracking::internal
