// What a spool holds after a crash, a full disk or a bad sector: records, frames, and whole
// streams. The first byte chooses. Whatever comes is read, left out with a sentence, or refused.
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/check.h"
#include "base/files.h"
#include "tracking/internal/spool_records.h"
#include "tracking/internal/spool_stream.h"

namespace {

namespace spool = tw::tracking::internal;

void TakeRecord(std::uint8_t type, std::string_view payload) {
  const auto record = spool::Decode(type, payload);
  if (!record.ok()) {
    TW_CHECK(record.error().message.find('\n') == std::string::npos, "an error of several lines");
    return;
  }
  TW_CHECK(record->index() == type, "type {} is read as {}", type, record->index());
  // Bytes are compared, not records: a metric that is NaN is not equal to itself.
  TW_CHECK(spool::Encode(*record) == payload, "a record of type {} is written otherwise", type);
  TW_CHECK(!spool::Describe(*record).empty(), "a record without a name");
  (void)spool::RunOf(*record);
  (void)spool::BlobsOf(*record);
}

void TakeFrame(std::string_view bytes) {
  const spool::ParsedFrame parsed = spool::ParseFrame(bytes);
  if (parsed.state == spool::FrameState::kTorn)
    TW_CHECK(parsed.size > bytes.size(), "a frame of {} bytes is torn in {}", parsed.size,
             bytes.size());
  if (parsed.state != spool::FrameState::kWhole) return;
  TW_CHECK(parsed.size <= bytes.size(), "a frame of {} bytes in {}", parsed.size, bytes.size());
  const spool::SpoolFrame& frame = parsed.frame;
  TW_CHECK(spool::EncodeFrame(frame.seq, frame.time_ms, frame.type, frame.payload) ==
               bytes.substr(0, parsed.size),
           "a frame is written otherwise");
  TakeRecord(frame.type, frame.payload);
}

/// A folder of this process, gone with it.
class Folder {
 public:
  Folder()
      : path_(std::filesystem::temp_directory_path() /
              ("tradewind-fuzz-spool-" + std::to_string(::getpid()))) {
    std::filesystem::create_directories(path_);
  }

  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  Folder(Folder&&) = delete;
  Folder& operator=(Folder&&) = delete;

  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }

  std::string Empty() const {
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
    return path_.string();
  }

 private:
  std::filesystem::path path_;
};

// "TWSPOOL1" begins a segment, wherever it stands; what is before the first one is the position.
void TakeStream(std::string_view bytes) {
  static const Folder folder;
  constexpr std::string_view kMagic = "TWSPOOL1";
  constexpr std::size_t kSegmentsMax = 4;
  const std::string directory = folder.Empty();
  const std::size_t first = std::min(bytes.find(kMagic), bytes.size());
  TW_CHECK(tw::WriteFileAtomically(directory + "/position", bytes.substr(0, first)).ok(),
           "position");
  bytes.remove_prefix(first);
  for (std::size_t segment = 1; !bytes.empty() && segment <= kSegmentsMax; ++segment) {
    const std::size_t end = std::min(bytes.find(kMagic, 1), bytes.size());
    const std::string path = directory + "/0000000" + std::to_string(segment) + ".seg";
    TW_CHECK(tw::WriteFileAtomically(path, bytes.substr(0, end)).ok(), "segment");
    bytes.remove_prefix(end);
  }
  auto stream = spool::StreamReader::Open(directory);
  if (!stream.ok()) return;
  // Each batch takes a record, or leaves something else out, or is the end.
  std::string damage;
  for (int batches = 0;; ++batches) {
    TW_CHECK(batches < 100'000, "reading does not end");
    const auto batch = stream->Read(3, 1U << 16U);
    if (!batch.ok()) return;
    for (const spool::SpoolFrame& frame : batch->frames) {
      if (spool::Decode(frame.type, frame.payload).ok()) TakeRecord(frame.type, frame.payload);
    }
    TW_CHECK(batch->damage.find('\n') == std::string::npos, "damage in several lines");
    if (batch->frames.empty() && batch->damage == damage) return;
    damage = batch->damage;
    if (batch->frames.empty()) continue;
    TW_CHECK(stream->Acknowledge(batch->frames.back().end, {}).ok(), "acknowledge");
    const auto position = spool::ReadPosition(directory);
    TW_CHECK(position == batch->frames.back().end, "another position than what was acknowledged");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  switch (data[0] % 4) {
    case 0:
      TakeFrame(text);
      break;
    case 1:
      TakeStream(text);
      break;
    default:
      TakeRecord(static_cast<std::uint8_t>(data[0] / 4), text);
  }
  return 0;
}
