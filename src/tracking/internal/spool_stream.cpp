#include "tracking/internal/spool_stream.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/files.h"
#include "base/unique_id.h"

namespace tw::tracking::internal {
namespace {

namespace fs = std::filesystem;

// Segment: 8 bytes of magic, then the number of its first record. Frame: length of the payload,
// CRC-32 of all that follows, number, time, type, payload. Little-endian.
constexpr std::string_view kMagic = "TWSPOOL1";
constexpr std::size_t kSegmentHeader = 16;
constexpr std::size_t kFrameHeader = 25;
constexpr std::size_t kPositionBytes = 32;

std::uint32_t Crc(std::string_view bytes) {
  return static_cast<std::uint32_t>(
      ::crc32_z(0, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
}

void Put(std::string& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) out.push_back(static_cast<char>(value >> (8 * i) & 0xffU));
}

std::uint64_t Get(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < size; ++i)
    value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[at + i])) << (8 * i);
  return value;
}

bool WriteAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(put));
  }
  return true;
}

// Bytes that are really taken from the disk.
Result<void> WriteReserve(const std::string& path, std::int64_t bytes) {
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError("create", path);
  errno = bytes > 0 ? ::posix_fallocate(fd, 0, bytes) : 0;
  const bool taken = errno == 0;
  Error error = SystemError("reserve room in", path);
  ::close(fd);
  if (taken) return {};
  return error;
}

std::string SegmentName(std::uint64_t segment) { return fmt::format("{:08}.seg", segment); }

}  // namespace

std::string EncodeFrame(std::uint64_t seq, std::int64_t time_ms, std::uint8_t type,
                        std::string_view payload) {
  std::string body;
  body.reserve(kFrameHeader + payload.size());
  Put(body, seq, 8);
  Put(body, static_cast<std::uint64_t>(time_ms), 8);
  Put(body, type, 1);
  body += payload;
  std::string frame;
  frame.reserve(kFrameHeader + payload.size());
  Put(frame, payload.size(), 4);
  Put(frame, Crc(body), 4);
  return frame + body;
}

ParsedFrame ParseFrame(std::string_view bytes) {
  ParsedFrame parsed;
  parsed.size = kFrameHeader;
  if (bytes.size() < kFrameHeader) return parsed;
  const std::uint64_t length = Get(bytes, 0, 4);
  if (length > kMaxRecordBytes) {
    parsed.state = FrameState::kDamaged;
    return parsed;
  }
  parsed.size = kFrameHeader + length;
  if (bytes.size() < parsed.size) return parsed;
  if (Crc(bytes.substr(8, parsed.size - 8)) != Get(bytes, 4, 4)) {
    parsed.state = FrameState::kDamaged;
    return parsed;
  }
  parsed.state = FrameState::kWhole;
  parsed.frame.seq = Get(bytes, 8, 8);
  parsed.frame.time_ms = static_cast<std::int64_t>(Get(bytes, 16, 8));
  parsed.frame.type = static_cast<std::uint8_t>(bytes[24]);
  parsed.frame.payload = bytes.substr(kFrameHeader, length);
  return parsed;
}

StreamWriter::StreamWriter(std::string root, StreamWriterOptions options, const Clock& clock)
    : root_(std::move(root)), options_(std::move(options)), clock_(clock) {
  if (!options_.hook) options_.hook = [](std::string_view) {};
}

StreamWriter::~StreamWriter() { CloseSegment(); }

void StreamWriter::Close() {
  CloseSegment();
  lock_.reset();
}

void StreamWriter::CloseSegment() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

// The stream gets its final name only once it is locked, so that nobody takes it for abandoned.
Result<void> StreamWriter::Begin() {
  if (!directory_.empty()) return {};
  options_.hook("create stream");
  TW_TRY(CreateDirectories(root_ + "/streams"));
  const std::string name = fmt::format("{:013}-{}", clock_.Now().nanos() / 1'000'000, UniqueHex(8));
  const std::string building = root_ + "/streams/.new-" + name;
  TW_TRY(CreateDirectories(building + "/blobs"));
  FileLock lock = TW_TRY(FileLock::Acquire(building + "/writer.lock"));
  TW_TRY(WriteReserve(building + "/reserve", options_.reserve_bytes));
  options_.hook("name stream");
  const std::string directory = root_ + "/streams/" + name;
  if (::rename(building.c_str(), directory.c_str()) != 0) return SystemError("rename", building);
  lock_ = std::move(lock);
  directory_ = directory;
  return SyncDirectory(root_ + "/streams");
}

Result<void> StreamWriter::OpenSegment() {
  if (fd_ >= 0 && segment_size_ < options_.segment_bytes) return {};
  if (fd_ >= 0) {
    TW_TRY(Sync());
    CloseSegment();
  }
  const std::string path = directory_ + "/" + SegmentName(segment_ + 1);
  std::string header(kMagic);
  Put(header, next_seq_, 8);
  options_.hook("create segment");
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError("create", path);
  options_.hook("write segment header");
  if (!WriteAll(fd, header)) {
    Error error = SystemError("write", path);
    ::close(fd);
    ::unlink(path.c_str());
    return error;
  }
  fd_ = fd;
  ++segment_;
  segment_size_ = static_cast<std::int64_t>(header.size());
  return SyncDirectory(directory_);
}

Result<void> StreamWriter::CheckLimit(std::uint64_t bytes) {
  // A look at all files of the spool costs more than an append, so it is done now and then.
  constexpr std::uint64_t kLookEvery = std::uint64_t{4} << 20U;
  const auto limit = static_cast<std::uint64_t>(options_.bytes_max);
  if (waiting_ == 0 || since_look_ >= kLookEvery || waiting_ + bytes > limit) {
    waiting_ = BytesBelow(root_);
    since_look_ = 0;
  }
  if (waiting_ + bytes <= limit) return {};
  full_ = Error{ErrorCode::kIo,
                fmt::format("{}: the spool is full: {} bytes wait for the tracking server, {} are "
                            "allowed (tracking.spool_bytes_max); send them with: tradewind "
                            "tracking flush",
                            root_, waiting_, options_.bytes_max)};
  const auto reserve = static_cast<std::uint64_t>(options_.reserve_bytes);
  if (waiting_ + bytes <= limit + reserve) return {};
  return *full_;
}

Result<void> StreamWriter::CheckRoom() const {
  if (full_) return *full_;
  return {};
}

bool StreamWriter::UseReserve() {
  if (errno != ENOSPC && errno != EDQUOT) return false;
  const std::string path = directory_ + "/reserve";
  full_ = SystemError("write", directory_);
  return ::unlink(path.c_str()) == 0;
}

Result<void> StreamWriter::Append(const SpoolRecord& record) {
  const std::string payload = Encode(record);
  if (payload.size() > kMaxRecordBytes) {
    return Error{ErrorCode::kUsage, fmt::format("{}: a record of {} bytes, at most {} are allowed",
                                                Describe(record), payload.size(), kMaxRecordBytes)};
  }
  TW_TRY(CheckLimit(payload.size() + kFrameHeader));
  TW_TRY(Begin());
  TW_TRY(OpenSegment());
  const std::string frame = EncodeFrame(next_seq_, clock_.Now().nanos() / 1'000'000,
                                        static_cast<std::uint8_t>(record.index()), payload);
  options_.hook("append");
  const auto write = [&] { return WriteAll(fd_, frame); };
  bool written = write();
  if (!written && UseReserve()) written = ::ftruncate(fd_, segment_size_) == 0 && write();
  if (!written) {
    Error error = SystemError("write", directory_ + "/" + SegmentName(segment_));
    // Half a record at the end is cut off. If even that fails, the next one begins a new segment,
    // and a reader passes over the half.
    if (::ftruncate(fd_, segment_size_) != 0) CloseSegment();
    return error;
  }
  segment_size_ += static_cast<std::int64_t>(frame.size());
  waiting_ += frame.size();
  since_look_ += frame.size();
  ++next_seq_;
  dirty_ = true;
  return {};
}

Result<FileBody> StreamWriter::MakeBody(std::string_view path, std::string_view content) {
  FileBody body;
  body.path = path;
  body.size = content.size();
  body.crc = Crc(content);
  if (content.size() <= options_.inline_bytes_max) {
    body.content = content;
    return body;
  }
  TW_TRY(CheckLimit(content.size()));
  TW_TRY(Begin());
  body.blob = fmt::format("{:08}", next_blob_);
  const std::string file = directory_ + "/blobs/" + body.blob;
  options_.hook("write blob");
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError("create", file);
  const auto write = [&] { return WriteAll(fd, content) && ::fsync(fd) == 0; };
  bool written = write();
  if (!written && UseReserve())
    written = ::ftruncate(fd, 0) == 0 && ::lseek(fd, 0, SEEK_SET) == 0 && write();
  Error error = written ? Error{} : SystemError("write", file);
  ::close(fd);
  if (!written) {
    ::unlink(file.c_str());
    return error;
  }
  ++next_blob_;
  waiting_ += content.size();
  since_look_ += content.size();
  return body;
}

Result<void> StreamWriter::Sync() {
  if (fd_ < 0 || !dirty_) return {};
  options_.hook("sync");
  if (::fdatasync(fd_) != 0) return SystemError("sync", directory_ + "/" + SegmentName(segment_));
  dirty_ = false;
  return {};
}

int StreamWriter::TakeUnsynced() {
  if (fd_ < 0 || !dirty_) return -1;
  dirty_ = false;
  return ::fcntl(fd_, F_DUPFD_CLOEXEC, 0);
}

void SyncAndClose(int fd) {
  if (fd < 0) return;
  // An error here shows at the next Sync() or append; the records are in the file all the same.
  static_cast<void>(::fdatasync(fd));
  ::close(fd);
}

StreamReader::StreamReader(std::string directory, DiskHook hook)
    : directory_(std::move(directory)), hook_(std::move(hook)) {
  acknowledged_ = ReadPosition(directory_);
  position_ = acknowledged_;
}

Result<StreamReader> StreamReader::Open(std::string directory, DiskHook hook) {
  std::error_code error;
  if (!fs::is_directory(directory, error))
    return Error{ErrorCode::kNotFound, fmt::format("{}: no stream of a spool", directory)};
  return StreamReader(std::move(directory), std::move(hook));
}

void StreamReader::Hook(std::string_view what) const {
  if (hook_) hook_(what);
}

std::string StreamReader::name() const { return directory_.substr(directory_.rfind('/') + 1); }

std::string StreamReader::SegmentPath(std::uint64_t segment) const {
  return directory_ + "/" + SegmentName(segment);
}

Result<std::string> StreamReader::Bytes(std::uint64_t segment, std::uint64_t offset,
                                        std::uint64_t size) const {
  const std::string path = SegmentPath(segment);
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) {
    if (errno == ENOENT) return std::string();
    return SystemError("open", path);
  }
  std::string bytes(size, '\0');
  std::size_t got = 0;
  ssize_t part = 1;
  while (got < size && part != 0) {
    part = ::pread(fd, bytes.data() + got, size - got, static_cast<off_t>(offset + got));
    if (part < 0 && errno != EINTR) break;
    if (part > 0) got += static_cast<std::size_t>(part);
  }
  if (part < 0) {
    Error error = SystemError("read", path);
    ::close(fd);
    return error;
  }
  ::close(fd);
  bytes.resize(got);
  return bytes;
}

// Steps over to the next segment when there is one. What is left of this one was never confirmed to
// the writer's caller, unless records are missing.
Result<bool> StreamReader::NextSegment(Batch& batch) {
  const std::string header = TW_TRY(Bytes(position_.segment + 1, 0, kSegmentHeader));
  if (header.size() < kSegmentHeader) return false;
  if (!header.starts_with(kMagic)) {
    return Error{ErrorCode::kBadData,
                 fmt::format("{}: not a segment of a spool", SegmentPath(position_.segment + 1))};
  }
  const std::uint64_t first = Get(header, 8, 8);
  if (first != position_.seq) {
    batch.damage = fmt::format("{}: records {} to {} cannot be read",
                               SegmentPath(position_.segment), position_.seq, first - 1);
  }
  position_ = {std::max(first, position_.seq), position_.segment + 1, kSegmentHeader};
  return true;
}

Result<StreamReader::Batch> StreamReader::Read(std::size_t records_max, std::uint64_t bytes_max) {
  Batch batch;
  std::uint64_t total = 0;
  if (position_.offset == 0) position_.offset = kSegmentHeader;
  std::string buffer;
  std::uint64_t buffer_offset = position_.offset;  // of buffer[0] in the segment
  while (batch.frames.size() < records_max && total < bytes_max) {
    const std::uint64_t at = position_.offset - buffer_offset;
    ParsedFrame parsed = ParseFrame(std::string_view(buffer).substr(at));
    if (parsed.state == FrameState::kTorn) {
      // More may have been written, and the buffer may end before the frame.
      const std::uint64_t want =
          std::max(parsed.size, std::min<std::uint64_t>(bytes_max, 1U << 18U));
      buffer = TW_TRY(Bytes(position_.segment, position_.offset, want));
      buffer_offset = position_.offset;
      parsed = ParseFrame(buffer);
      if (parsed.state == FrameState::kTorn && parsed.size > want) {
        buffer = TW_TRY(Bytes(position_.segment, position_.offset, parsed.size));
        parsed = ParseFrame(buffer);
      }
    }
    if (parsed.state == FrameState::kWhole && parsed.frame.seq == position_.seq) {
      position_.offset += parsed.size;
      ++position_.seq;
      total += parsed.size;
      parsed.frame.end = position_;
      batch.frames.push_back(std::move(parsed.frame));
      continue;
    }
    // Whoever sees a next segment has to look at this one again: it was complete before.
    const bool more =
        TW_TRY(Bytes(position_.segment + 1, 0, kSegmentHeader)).size() == kSegmentHeader;
    if (more && parsed.state == FrameState::kTorn) {
      const std::string again =
          TW_TRY(Bytes(position_.segment, position_.offset, kMaxRecordBytes + kFrameHeader));
      if (ParseFrame(again).state == FrameState::kWhole) continue;
    }
    if (more) {
      if (!TW_TRY(NextSegment(batch))) {
        batch.at_end = true;
        break;
      }
      buffer.clear();
      buffer_offset = position_.offset;
      if (!batch.damage.empty()) break;
      continue;
    }
    if (parsed.state != FrameState::kTorn && Abandoned()) {
      batch.damage = fmt::format("{}: damaged from byte {} on, record {}",
                                 SegmentPath(position_.segment), position_.offset, position_.seq);
    }
    batch.at_end = true;
    break;
  }
  return batch;
}

Result<void> StreamReader::Acknowledge(const SpoolPosition& end,
                                       const std::vector<std::string>& blobs) {
  std::string bytes;
  Put(bytes, end.seq, 8);
  Put(bytes, end.segment, 8);
  Put(bytes, end.offset, 8);
  Put(bytes, Crc(bytes), 8);
  const std::string path = directory_ + "/position";
  Hook("write position");
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) return SystemError("open", path);
  // In place: a torn position is found by its checksum, and then everything that is still there is
  // sent again, which does no harm.
  const ssize_t put = ::pwrite(fd, bytes.data(), bytes.size(), 0);
  Error error = SystemError("write", path);
  ::close(fd);
  if (put != static_cast<ssize_t>(bytes.size())) return error;
  const std::uint64_t before = acknowledged_.segment;
  acknowledged_ = end;
  Hook("remove sent files");
  for (const std::string& blob : blobs) ::unlink((directory_ + "/blobs/" + blob).c_str());
  for (std::uint64_t segment = before; segment < end.segment; ++segment)
    ::unlink(SegmentPath(segment).c_str());
  return {};
}

Result<std::string> StreamReader::ReadBody(const FileBody& body) const {
  if (body.blob.empty()) return body.content;
  const std::string path = directory_ + "/blobs/" + body.blob;
  if (body.blob.find('/') != std::string::npos)
    return Error{ErrorCode::kBadData, fmt::format("{}: no name of a blob", path)};
  auto content = ReadFile(path);
  if (!content.ok()) return Error{ErrorCode::kBadData, content.error().message};
  if (content->size() != body.size || Crc(*content) != body.crc)
    return Error{ErrorCode::kBadData, fmt::format("{}: damaged", path)};
  return content;
}

bool StreamReader::Abandoned() const {
  const auto lock = FileLock::Acquire(directory_ + "/writer.lock");
  return lock.ok();
}

Result<void> StreamReader::Remove() {
  const std::string parent = directory_.substr(0, directory_.rfind('/'));
  const std::string gone = parent + "/.done-" + name();
  Hook("remove stream");
  if (::rename(directory_.c_str(), gone.c_str()) != 0) return SystemError("rename", directory_);
  Hook("remove stream's files");
  std::error_code ignored;
  fs::remove_all(gone, ignored);
  return {};
}

Result<std::vector<std::string>> ListStreams(const std::string& root) {
  std::vector<std::string> names;
  std::error_code error;
  fs::directory_iterator entry(root + "/streams", error);
  if (error == std::errc::no_such_file_or_directory) return names;
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    std::string name = entry->path().filename().string();
    if (!name.starts_with('.')) names.push_back(std::move(name));
  }
  if (error) return Error{ErrorCode::kIo, fmt::format("{}/streams: {}", root, error.message())};
  std::ranges::sort(names);
  return names;
}

std::uint64_t BytesBelow(const std::string& root) {
  std::uint64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator entry(root, error);
  for (; !error && entry != fs::recursive_directory_iterator(); entry.increment(error)) {
    std::error_code gone;
    const bool file = entry->is_regular_file(gone) && entry->path().filename() != "reserve";
    const std::uintmax_t size = file ? entry->file_size(gone) : 0;
    if (file && !gone) bytes += size;
  }
  return bytes;
}

void RemoveLeftovers(const std::string& root, std::int64_t now_ms) {
  std::vector<fs::path> leftovers;
  std::error_code error;
  fs::directory_iterator entry(root + "/streams", error);
  for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.starts_with(".done-")) leftovers.push_back(entry->path());
    if (!name.starts_with(".new-")) continue;
    // Somebody may be making it just now; an old one belongs to nobody.
    std::int64_t made_ms = 0;
    for (const char c : name.substr(5, name.find('-', 5) - 5))
      made_ms = made_ms * 10 + (c >= '0' && c <= '9' ? c - '0' : 0);
    if (now_ms - made_ms > 600'000) leftovers.push_back(entry->path());
  }
  for (const fs::path& path : leftovers) fs::remove_all(path, error);
}

SpoolPosition ReadPosition(const std::string& directory) {
  const auto bytes = ReadFile(directory + "/position");
  // What stands behind it does not matter: it is written in place.
  if (bytes.ok() && bytes->size() >= kPositionBytes &&
      Get(*bytes, 24, 8) == Crc(bytes->substr(0, 24)))
    return {Get(*bytes, 0, 8), Get(*bytes, 8, 8), Get(*bytes, 16, 8)};
  // Lost: from the oldest segment that is still there.
  SpoolPosition position;
  std::vector<std::string> segments;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error); !error && entry != fs::directory_iterator();
       entry.increment(error)) {
    if (entry->path().extension() == ".seg") segments.push_back(entry->path().string());
  }
  if (segments.empty()) return position;
  std::ranges::sort(segments);
  const auto header = ReadFile(segments.front());
  if (!header.ok() || header->size() < kSegmentHeader) return position;
  position.seq = Get(*header, 8, 8);
  position.segment = 0;
  for (const char c : fs::path(segments.front()).stem().string()) {
    if (c < '0' || c > '9') return {};
    position.segment = position.segment * 10 + static_cast<std::uint64_t>(c - '0');
  }
  return position;
}

}  // namespace tw::tracking::internal
