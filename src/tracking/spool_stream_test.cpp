#include "tracking/internal/spool_stream.h"

#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <fstream>

#include "tracking/test_support.h"

namespace tw::tracking::internal {
namespace {

using testing::HasSubstr;

SpoolRecord Point(std::int64_t step) {
  BatchRecord record;
  record.run = "pending-0123";
  record.metrics.push_back({"loss", 0.5 * static_cast<double>(step), 1'000 + step, step});
  return record;
}

class SpoolStreamTest : public testing::Test {
 protected:
  std::unique_ptr<StreamWriter> NewWriter(StreamWriterOptions options = {}) {
    return std::make_unique<StreamWriter>(dir_.path(), std::move(options), clock_);
  }

  // Steps of all records that can be read, and what the reader says of damage.
  std::vector<std::int64_t> Steps(const std::string& directory, std::string* damage = nullptr,
                                  std::size_t at_a_time = 3) {
    StreamReader reader = StreamReader::Open(directory).value();
    std::vector<std::int64_t> steps;
    for (;;) {
      const auto batch = reader.Read(at_a_time, 1U << 20U).value();
      for (const SpoolFrame& frame : batch.frames) {
        const SpoolRecord record = Decode(frame.type, frame.payload).value();
        steps.push_back(std::get<BatchRecord>(record).metrics.front().step);
      }
      if (!batch.damage.empty() && damage != nullptr) *damage = batch.damage;
      if (batch.frames.empty()) return steps;
    }
  }

  static std::string Segment(const std::string& directory, int number) {
    return fmt::format("{}/{:08}.seg", directory, number);
  }

  TempDir dir_;
  ManualClock clock_{UnixNanos::FromSeconds(1'700'000'000)};
};

RC_GTEST_PROP(SpoolRecordsTest, EveryRecordReadsBackAsItWas, ()) {
  const auto text = [] { return *rc::gen::arbitrary<std::string>(); };
  const auto number = [] { return *rc::gen::arbitrary<std::int64_t>(); };
  const std::vector<KeyValue> pairs = {{text(), text()}, {text(), text()}};
  const FileBody body{text(), text(), text(), 7, 0xffffffffU};
  const std::vector<SpoolRecord> records = {
      ExperimentRecord{text()},
      RunRecord{text(), text(), text(), text(), pairs, number()},
      StatusRecord{text(), RunStatus::kKilled, number()},
      ArtifactRecord{text(), body},
      ModelRecord{text(), text(), text(), {body, body}},
      VersionRecord{number(), text(), text(), text(), pairs},
      VersionTagRecord{text(), number(), {text(), text()}},
      AliasRecord{text(), text(), number()},
      LifecycleRecord{text(), true}};
  for (const SpoolRecord& record : records) {
    const std::string bytes = Encode(record);
    const auto type = static_cast<std::uint8_t>(record.index());
    const auto read = Decode(type, bytes);
    RC_ASSERT(read.ok());
    RC_ASSERT(Encode(*read) == bytes);
    // Never more or less than it wrote.
    RC_ASSERT(!Decode(type, bytes + "x").ok());
    RC_ASSERT(!Decode(type, bytes.substr(0, bytes.size() - 1)).ok());
  }
  BatchRecord batch{
      "run", {{text(), std::nan(""), 1, number()}, {text(), -0.0, 2, 3}}, pairs, pairs};
  const SpoolRecord read = Decode(3, Encode(batch)).value();
  RC_ASSERT(std::isnan(std::get<BatchRecord>(read).metrics[0].value));
  RC_ASSERT(std::get<BatchRecord>(read).metrics[1] == batch.metrics[1]);
  RC_ASSERT(std::get<BatchRecord>(read).tags == pairs);
}

TEST_F(SpoolStreamTest, GoesOnBehindWhatWasAcknowledgedAndDropsSentSegments) {
  auto writer = NewWriter({.segment_bytes = 300});
  for (std::int64_t step = 0; step < 20; ++step) ASSERT_TRUE(writer->Append(Point(step)).ok());
  const std::string directory = writer->directory();
  EXPECT_TRUE(std::filesystem::exists(Segment(directory, 5)));
  StreamReader reader = StreamReader::Open(directory).value();
  const auto first = reader.Read(12, 1U << 20U).value();
  ASSERT_EQ(first.frames.size(), 12U);
  ASSERT_TRUE(reader.Acknowledge(first.frames.back().end, {}).ok());
  EXPECT_FALSE(std::filesystem::exists(Segment(directory, 1)));
  EXPECT_EQ(Steps(directory), (std::vector<std::int64_t>{12, 13, 14, 15, 16, 17, 18, 19}));
  EXPECT_FALSE(reader.Abandoned());
  // A lost position: again from the oldest segment that is there.
  std::filesystem::remove(directory + "/position");
  const auto again = Steps(directory);
  EXPECT_LE(again.front(), 12);
  EXPECT_EQ(again.back(), 19);
  // One of rubbish, longer than a position is: the next one in its place counts all the same.
  ASSERT_TRUE(WriteFileAtomically(directory + "/position", std::string(100, 'x')).ok());
  EXPECT_LE(Steps(directory).front(), 12);
  ASSERT_TRUE(reader.Acknowledge(first.frames.back().end, {}).ok());
  EXPECT_EQ(Steps(directory).front(), 12);
  writer.reset();
  EXPECT_TRUE(reader.Abandoned());
  ASSERT_TRUE(reader.Remove().ok());
  EXPECT_TRUE(ListStreams(dir_.path()).value().empty());
}

TEST_F(SpoolStreamTest, ATailTornAnywhereLosesTheLastRecordOnly) {
  auto writer = NewWriter();
  for (std::int64_t step = 0; step < 3; ++step) ASSERT_TRUE(writer->Append(Point(step)).ok());
  const std::string directory = writer->directory();
  writer.reset();
  const std::string path = Segment(directory, 1);
  const std::string whole = ReadFile(path).value();
  const std::size_t frame = (whole.size() - 16) / 3;
  for (std::size_t size = whole.size(); size-- > whole.size() - frame;) {
    std::filesystem::resize_file(path, size);
    std::string damage;
    ASSERT_EQ(Steps(directory, &damage), (std::vector<std::int64_t>{0, 1})) << size;
    ASSERT_EQ(damage, "");
  }
}

TEST_F(SpoolStreamTest, ADamagedByteIsNeverReadAsARecord) {
  auto writer = NewWriter({.segment_bytes = 150});
  for (std::int64_t step = 0; step < 6; ++step) ASSERT_TRUE(writer->Append(Point(step)).ok());
  const std::string directory = writer->directory();
  writer.reset();
  ASSERT_TRUE(std::filesystem::exists(Segment(directory, 2)));
  const std::string path = Segment(directory, 1);
  const std::string whole = ReadFile(path).value();
  for (std::size_t i = 16; i < whole.size(); ++i) {
    std::string bytes = whole;
    bytes[i] = static_cast<char>(bytes[i] ^ 0x10);
    std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    std::string damage;
    std::vector<std::int64_t> steps = Steps(directory, &damage, 100);
    // Reading goes on behind the damage at the next call.
    StreamReader reader = StreamReader::Open(directory).value();
    ASSERT_THAT(damage, HasSubstr("cannot be read")) << i;
    ASSERT_LT(steps.size(), 6U) << i;
    for (std::size_t k = 1; k < steps.size(); ++k) ASSERT_LT(steps[k - 1], steps[k]);
  }
}

TEST_F(SpoolStreamTest, LargeFilesLieBesideTheRecords) {
  auto writer = NewWriter();
  const std::string large(100'000, 'x');
  ArtifactRecord record{"run", writer->MakeBody("big.bin", large).value()};
  EXPECT_FALSE(record.file.blob.empty());
  ASSERT_TRUE(writer->Append(record).ok());
  StreamReader reader = StreamReader::Open(writer->directory()).value();
  EXPECT_EQ(reader.ReadBody(record.file).value(), large);
  EXPECT_EQ(writer->MakeBody("small", "abc").value().content, "abc");
  const std::string path = writer->directory() + "/blobs/" + record.file.blob;
  std::ofstream(path, std::ios::binary) << std::string(100'000, 'y');
  EXPECT_EQ(reader.ReadBody(record.file).error().code, ErrorCode::kBadData);
  const auto batch = reader.Read(1, 1U << 20U).value();
  ASSERT_TRUE(reader.Acknowledge(batch.frames.front().end, {record.file.blob}).ok());
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST_F(SpoolStreamTest, AFullSpoolRefusesAndSaysWhatToDo) {
  auto writer = NewWriter({.bytes_max = 10'000, .reserve_bytes = 2'000});
  Result<void> status;
  std::int64_t steps = 0;
  std::int64_t warned = 0;
  for (; steps < 1'000 && status.ok(); ++steps) {
    status = writer->Append(Point(steps));
    if (warned == 0 && !writer->CheckRoom().ok()) warned = steps;
  }
  ASSERT_FALSE(status.ok());
  // The warning comes before the wall.
  EXPECT_GT(warned, 50);
  EXPECT_LT(warned, steps - 10);
  EXPECT_EQ(status.error().code, ErrorCode::kIo);
  EXPECT_THAT(status.error().message, HasSubstr("tradewind tracking flush"));
  const auto confirmed = static_cast<std::size_t>(steps - 1);
  EXPECT_EQ(Steps(writer->directory()).size(), confirmed);
  EXPECT_EQ(BytesBelow(dir_.path()) / 1'000, 11U);
  EXPECT_FALSE(writer->MakeBody("b", std::string(20'000, 'x')).ok());
}

void LimitFiles(rlim_t bytes) {
  const rlimit limit{bytes, RLIM_INFINITY};
  ::setrlimit(RLIMIT_FSIZE, &limit);
}

TEST_F(SpoolStreamTest, AFullDiskLeavesWholeRecordsAndGoesOnWithRoom) {
  const pid_t child = InChild([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    auto writer = NewWriter();
    if (!writer->Append(Point(0)).ok()) return 9;
    LimitFiles(5'000);
    Result<void> status;
    std::int64_t step = 1;
    for (; step < 1'000 && status.ok(); ++step) status = writer->Append(Point(step));
    if (status.ok() || status.error().code != ErrorCode::kIo) return 1;
    const auto confirmed = static_cast<std::size_t>(step - 1);
    if (Steps(writer->directory()).size() != confirmed) return 2;
    // Nothing of the record that failed stays behind.
    const auto size = std::filesystem::file_size(Segment(writer->directory(), 1));
    if (writer->Append(Point(0)).ok()) return 3;
    if (std::filesystem::file_size(Segment(writer->directory(), 1)) != size) return 4;
    if (writer->MakeBody("b", std::string(50'000, 'x')).ok()) return 5;
    if (!std::filesystem::is_empty(writer->directory() + "/blobs")) return 6;
    LimitFiles(RLIM_INFINITY);
    if (!writer->Append(Point(7)).ok()) return 7;
    const auto steps = Steps(writer->directory());
    return steps.size() == confirmed + 1 && steps.back() == 7 ? 0 : 8;
  });
  EXPECT_EQ(WaitFor(child), 0);
}

// On a file system of 3 MB, if this process may mount one.
TEST_F(SpoolStreamTest, TheReserveTakesWhatIsUnderWayWhenTheDiskIsFull) {
  const pid_t child = InChild([&] {
    if (::unshare(CLONE_NEWNS) != 0) return 77;
    if (::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return 77;
    if (::mount("tmpfs", dir_.path().c_str(), "tmpfs", 0, "size=3m") != 0) return 77;
    auto writer = NewWriter();
    if (!writer->Append(Point(0)).ok() || !writer->CheckRoom().ok()) return 1;
    std::ofstream(dir_ / "others") << std::string(std::size_t{3} << 20U, 'x');
    std::int64_t step = 1;
    while (step < 1'000 && writer->CheckRoom().ok()) {
      if (!writer->Append(Point(step)).ok()) return 2;
      ++step;
    }
    if (step == 1'000) return 3;
    if (!writer->MakeBody("report.html", std::string(100'000, 'x')).ok()) return 4;
    if (writer->CheckRoom().error().message.find("No space left") == std::string::npos) return 5;
    Result<void> status;
    for (; step < 100'000 && status.ok(); ++step) status = writer->Append(Point(step));
    if (status.ok()) return 6;
    return Steps(writer->directory()).size() == static_cast<std::size_t>(step - 1) ? 0 : 7;
  });
  const int code = WaitFor(child);
  if (code == 77) GTEST_SKIP() << "this process may not mount a file system";
  EXPECT_EQ(code, 0);
}

TEST_F(SpoolStreamTest, AReaderMaySeeAStreamWhileItGrows) {
  auto writer = NewWriter({.segment_bytes = 500});
  ASSERT_TRUE(writer->Append(Point(0)).ok());
  StreamReader reader = StreamReader::Open(writer->directory()).value();
  std::int64_t next = 0;
  for (std::int64_t step = 1; step < 200; ++step) {
    ASSERT_TRUE(writer->Append(Point(step)).ok());
    if (step % 7 != 0) continue;
    for (;;) {
      const auto batch = reader.Read(2, 1U << 20U).value();
      ASSERT_EQ(batch.damage, "");
      if (batch.frames.empty()) break;
      for (const SpoolFrame& frame : batch.frames) {
        const SpoolRecord record = Decode(frame.type, frame.payload).value();
        ASSERT_EQ(std::get<BatchRecord>(record).metrics.front().step, next++);
      }
    }
    ASSERT_EQ(next, step + 1);
  }
}

}  // namespace
}  // namespace tw::tracking::internal
