#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"
#include "tracking/internal/spool_records.h"

namespace tw::tracking::internal {

/// Called before every change of the disk, with its name; tests die there.
using DiskHook = std::function<void(std::string_view what)>;

/// Where reading a stream goes on.
struct SpoolPosition {
  std::uint64_t seq = 1;  // of the next record
  std::uint64_t segment = 1;
  std::uint64_t offset = 0;  // in the segment's file; 0: at its first record

  bool operator==(const SpoolPosition&) const = default;
};

struct SpoolFrame {
  std::uint64_t seq = 0;
  std::int64_t time_ms = 0;
  std::uint8_t type = 0;
  std::string payload;
  SpoolPosition end;  // behind it
};

/// Larger records are refused when written and taken for damage when read.
inline constexpr std::uint64_t kMaxRecordBytes = std::uint64_t{8} << 20U;

/// The bytes of one record, checksum included.
std::string EncodeFrame(std::uint64_t seq, std::int64_t time_ms, std::uint8_t type,
                        std::string_view payload);

enum class FrameState { kWhole, kTorn, kDamaged };

struct ParsedFrame {
  FrameState state = FrameState::kTorn;  // kTorn: the bytes end before the frame does
  SpoolFrame frame;                      // without `end`
  std::uint64_t size = 0;                // of the whole frame as far as it is known
};

ParsedFrame ParseFrame(std::string_view bytes);

struct StreamWriterOptions {
  std::int64_t segment_bytes = std::int64_t{8} << 20U;
  std::int64_t bytes_max = std::int64_t{2} << 30U;  // of the whole spool
  /// Kept free for what must still be written when disk or spool are full.
  std::int64_t reserve_bytes = std::int64_t{1} << 20U;
  std::size_t inline_bytes_max = std::size_t{16} << 10U;
  DiskHook hook = {};
};

/// Appends the records of one process to a stream of its own below root/streams. The stream appears
/// with the first record, and belongs to the process until it ends. A record is whole in the file
/// or not there at all: what cannot be written is cut off again. One thread.
///
/// A file of reserve_bytes is kept beside the records. When the disk is full it goes, so that what
/// is under way can still be written, and CheckRoom() begins to fail; the spool's limit works
/// alike.
///
/// Errors: kIo when the disk or the spool is full and the reserve is used up (the message says how
/// much waits).
class StreamWriter {
 public:
  /// The clock outlives it.
  StreamWriter(std::string root, StreamWriterOptions options, const Clock& clock);
  StreamWriter(const StreamWriter&) = delete;
  StreamWriter& operator=(const StreamWriter&) = delete;
  StreamWriter(StreamWriter&&) = delete;
  StreamWriter& operator=(StreamWriter&&) = delete;
  ~StreamWriter();

  /// The record survives the end of the process when this returns, and a power cut after Sync().
  Result<void> Append(const SpoolRecord& record);
  /// A body for a record to come; large ones are on disk, and synced, when this returns.
  Result<FileBody> MakeBody(std::string_view path, std::string_view content);
  Result<void> Sync();
  /// Gives the stream up: nothing can be appended any more, and who drains may remove it.
  void Close();
  /// Fails once the reserve is in use: time to stop.
  Result<void> CheckRoom() const;
  /// A descriptor of what is not synced yet, for SyncAndClose() on a thread that may wait; -1 when
  /// there is nothing.
  int TakeUnsynced();

  /// Empty before the first record.
  const std::string& directory() const { return directory_; }

  /// The number that the next record gets.
  std::uint64_t next_seq() const { return next_seq_; }

 private:
  Result<void> Begin();
  Result<void> OpenSegment();
  Result<void> CheckLimit(std::uint64_t bytes);
  /// Gives the reserve free; false when there is none any more.
  bool UseReserve();
  void CloseSegment();

  std::string root_;
  StreamWriterOptions options_;
  const Clock& clock_;
  std::string directory_;
  std::optional<FileLock> lock_;
  int fd_ = -1;
  std::uint64_t segment_ = 0;
  std::int64_t segment_size_ = 0;
  std::uint64_t next_seq_ = 1;
  std::uint64_t next_blob_ = 1;
  std::uint64_t waiting_ = 0;     // bytes of the spool when last looked at, and since
  std::uint64_t since_look_ = 0;  // appended since
  bool dirty_ = false;
  std::optional<Error> full_;  // set once the reserve is in use
};

/// Reads one stream, for the process that holds the spool's drain lock, or for looking only.
class StreamReader {
 public:
  /// From the position that was acknowledged last.
  static Result<StreamReader> Open(std::string directory, DiskHook hook = {});

  struct Batch {
    std::vector<SpoolFrame> frames;
    /// What could not be read and was left out: a sentence, empty when nothing was.
    std::string damage;
    /// Everything that stood there was read, rather than as much as was asked for.
    bool at_end = false;
  };

  /// Up to `records_max` records of together about `bytes_max` bytes; fewer at the end. Goes on
  /// behind them at the next call.
  Result<Batch> Read(std::size_t records_max, std::uint64_t bytes_max);

  /// Everything up to `end` is done for good: it is not read again by anybody, and its files go.
  Result<void> Acknowledge(const SpoolPosition& end, const std::vector<std::string>& blobs);

  /// Back to the position that was acknowledged last.
  void Rewind() { position_ = acknowledged_; }

  Result<std::string> ReadBody(const FileBody& body) const;

  const std::string& directory() const { return directory_; }

  std::string name() const;

  const SpoolPosition& acknowledged() const { return acknowledged_; }

  /// True when no process can add to it any more. Then, read to its end, it may be removed.
  bool Abandoned() const;
  /// The whole stream goes, atomically for other readers.
  Result<void> Remove();

 private:
  explicit StreamReader(std::string directory, DiskHook hook);

  std::string SegmentPath(std::uint64_t segment) const;
  /// The bytes of the segment from `offset` on, `size` at most; empty when there are none.
  Result<std::string> Bytes(std::uint64_t segment, std::uint64_t offset, std::uint64_t size) const;
  Result<bool> NextSegment(Batch& batch);
  void Hook(std::string_view what) const;

  std::string directory_;
  DiskHook hook_;
  SpoolPosition position_;
  SpoolPosition acknowledged_;
};

/// Names of the streams below root/streams, oldest first.
Result<std::vector<std::string>> ListStreams(const std::string& root);

/// Calls visit(record, stream) with every record of one kind that waits below root, stream after
/// stream. For looking only: what cannot be read is passed over.
template <class Record, class Visit>
void ForEachWaiting(const std::string& root, const Visit& visit) {
  const auto names = ListStreams(root);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    auto stream = StreamReader::Open(root + "/streams/" + name);
    while (stream.ok()) {
      const auto batch = stream->Read(4096, 1U << 20U);
      if (!batch.ok() || batch->frames.empty()) break;
      for (const SpoolFrame& frame : batch->frames) {
        if (frame.type != TypeOf<Record>()) continue;
        const auto record = Decode(frame.type, frame.payload);
        if (record.ok()) visit(std::get<Record>(*record), *stream);
      }
    }
  }
}

/// Bytes of all files below root.
std::uint64_t BytesBelow(const std::string& root);

/// Removes what processes that died left half made or half removed.
void RemoveLeftovers(const std::string& root, std::int64_t now_ms);

/// For StreamWriter::TakeUnsynced().
void SyncAndClose(int fd);

/// The position that was acknowledged last; the beginning when there is none that can be read.
SpoolPosition ReadPosition(const std::string& directory);

}  // namespace tw::tracking::internal
