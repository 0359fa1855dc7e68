#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include "base/result.h"
#include "tracking/tracker.h"

namespace tw::tracking::internal {

// What a spool holds: one record a call of the port. Ids that a record names are the server's, or
// provisional ones that the drain replaces. Layout on disk: docs/formats/spool.md.

/// Provisional ids begin so; the rest is 32 hexadecimal digits. No server makes such ids.
inline constexpr std::string_view kPending = "pending-";
/// Stands before the name of an experiment in place of its id, which the drain looks up.
inline constexpr std::string_view kPendingExperiment = "pending-experiment:";

bool IsPending(std::string_view id);

/// Bytes of an artifact: in the record when they are few, else in a file of the stream's blobs/.
struct FileBody {
  std::string path;  // of the artifact
  std::string content;
  std::string blob;  // name below blobs/, empty when `content` holds the bytes
  std::uint64_t size = 0;
  std::uint32_t crc = 0;  // of a blob's bytes

  bool operator==(const FileBody&) const = default;
};

struct ExperimentRecord {
  std::string name;

  bool operator==(const ExperimentRecord&) const = default;
};

struct RunRecord {
  std::string id;  // provisional, and the run's unique key at the server
  std::string experiment;
  std::string name;
  std::string parent;
  std::vector<KeyValue> tags;
  std::int64_t start_time_ms = 0;

  bool operator==(const RunRecord&) const = default;
};

struct StatusRecord {
  std::string run;
  RunStatus status = RunStatus::kRunning;
  std::int64_t end_time_ms = 0;  // 0: none

  bool operator==(const StatusRecord&) const = default;
};

struct BatchRecord {
  std::string run;
  std::vector<Metric> metrics;
  std::vector<KeyValue> params;
  std::vector<KeyValue> tags;
};

struct ArtifactRecord {
  std::string run;
  FileBody file;

  bool operator==(const ArtifactRecord&) const = default;
};

struct ModelRecord {
  std::string id;  // provisional, and the model's unique key
  std::string run;
  std::string name;
  std::vector<FileBody> files;

  bool operator==(const ModelRecord&) const = default;
};

struct VersionRecord {
  std::int64_t version = 0;  // provisional: negative
  std::string name;
  std::string model;
  std::string description;
  std::vector<KeyValue> tags;

  bool operator==(const VersionRecord&) const = default;

  /// The version's unique key at the server.
  std::string Key() const;
};

struct VersionTagRecord {
  std::string name;
  std::int64_t version = 0;
  KeyValue tag;

  bool operator==(const VersionTagRecord&) const = default;
};

struct AliasRecord {
  std::string name;
  std::string alias;
  std::int64_t version = 0;  // 0: the alias goes

  bool operator==(const AliasRecord&) const = default;
};

struct LifecycleRecord {
  std::string run;
  bool deleted = false;

  bool operator==(const LifecycleRecord&) const = default;
};

/// The type number on disk is the index: only append.
using SpoolRecord =
    std::variant<ExperimentRecord, RunRecord, StatusRecord, BatchRecord, ArtifactRecord,
                 ModelRecord, VersionRecord, VersionTagRecord, AliasRecord, LifecycleRecord>;

/// The type number of a kind of record.
template <class Record, std::size_t kIndex = 0>
constexpr std::uint8_t TypeOf() {
  if constexpr (std::is_same_v<std::variant_alternative_t<kIndex, SpoolRecord>, Record>) {
    return kIndex;
  } else {
    return TypeOf<Record, kIndex + 1>();
  }
}

std::string Encode(const SpoolRecord& record);
/// Errors: kBadData for bytes that Encode did not make.
Result<SpoolRecord> Decode(std::uint8_t type, std::string_view payload);

/// "metrics of run 12ab...", for messages.
std::string Describe(const SpoolRecord& record);
/// The run that the record writes to, empty when it is about none.
std::string RunOf(const SpoolRecord& record);
/// Blobs of the record.
std::vector<std::string> BlobsOf(const SpoolRecord& record);

}  // namespace tw::tracking::internal
