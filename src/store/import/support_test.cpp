#include "store/import/support_test.h"

#include <archive.h>
#include <archive_entry.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <utility>

#include "market/instrument.h"

namespace tw::store {

std::string SharedData() {
  const char* const named = std::getenv("TW_SHARED");
  const std::string root = named != nullptr ? named : TW_SOURCE_DIR "/../shared";
  std::error_code error;
  return std::filesystem::is_directory(root + "/data", error) ? root + "/data" : std::string();
}

Instrument InstrumentOf(std::string_view symbol) {
  const auto found = InstrumentTable::BuiltIn().Find(symbol);
  TW_CHECK(found.ok(), "{}", found.error().message);
  return *found;
}

TempDir::TempDir() {
  std::string pattern = ::testing::TempDir() + "tw_import_XXXXXX";
  TW_CHECK(::mkdtemp(pattern.data()) != nullptr, "no temporary directory {}", pattern);
  path_ = pattern;
}

TempDir::~TempDir() {
  std::error_code error;
  std::filesystem::remove_all(path_, error);
}

std::string TempDir::Write(const std::string& name, std::string_view content) const {
  const std::string path = path_ + "/" + name;
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream file(path, std::ios::binary);
  file << content;
  TW_CHECK(file.good(), "{} cannot be written", path);
  file.close();
  return path;
}

std::string Gzip(std::string_view content) {
  z_stream stream{};
  TW_CHECK(deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) == Z_OK,
           "zlib");
  std::string out(deflateBound(&stream, content.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  TW_CHECK(deflate(&stream, Z_FINISH) == Z_STREAM_END, "zlib");
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::string Zip(const std::vector<std::pair<std::string, std::string>>& members) {
  std::size_t room = 4096;
  for (const auto& [name, content] : members) room += content.size() * 2 + name.size() * 4 + 1024;
  std::string out(room, '\0');
  std::size_t used = 0;
  archive* const handle = archive_write_new();
  TW_CHECK(archive_write_set_format_zip(handle) == ARCHIVE_OK, "libarchive");
  TW_CHECK(archive_write_open_memory(handle, out.data(), out.size(), &used) == ARCHIVE_OK,
           "libarchive");
  for (const auto& [name, content] : members) {
    archive_entry* const entry = archive_entry_new();
    archive_entry_set_pathname(entry, name.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    TW_CHECK(archive_write_header(handle, entry) == ARCHIVE_OK, "libarchive");
    TW_CHECK(archive_write_data(handle, content.data(), content.size()) >= 0, "libarchive");
    archive_entry_free(entry);
  }
  TW_CHECK(archive_write_close(handle) == ARCHIVE_OK, "libarchive");
  archive_write_free(handle);
  out.resize(used);
  return out;
}

std::string Lzma(std::string_view content) {
  lzma_options_lzma options;
  TW_CHECK(!lzma_lzma_preset(&options, 6), "liblzma");
  lzma_stream stream = LZMA_STREAM_INIT;
  TW_CHECK(lzma_alone_encoder(&stream, &options) == LZMA_OK, "liblzma");
  std::string out(content.size() * 2 + 4096, '\0');
  stream.next_in = reinterpret_cast<const std::uint8_t*>(content.data());
  stream.avail_in = content.size();
  stream.next_out = reinterpret_cast<std::uint8_t*>(out.data());
  stream.avail_out = out.size();
  TW_CHECK(lzma_code(&stream, LZMA_FINISH) == LZMA_STREAM_END, "liblzma");
  out.resize(stream.total_out);
  lzma_end(&stream);
  return out;
}

ImportResult MustImport(const std::vector<std::string>& paths, const ImportOptions& options) {
  Result<ImportResult> result = ImportFiles(paths, options);
  EXPECT_TRUE(result.ok()) << result.error().message;
  return result.ok() ? std::move(result).value() : ImportResult{};
}

std::string MustRefuse(const std::vector<std::string>& paths, const ImportOptions& options) {
  const Result<ImportResult> result = ImportFiles(paths, options);
  EXPECT_FALSE(result.ok()) << "imported " << (result.ok() ? result->report.bars : 0) << " bars";
  if (result.ok()) return {};
  EXPECT_EQ(result.error().code, ErrorCode::kBadData) << result.error().message;
  return result.error().message;
}

ImportOptions OptionsFor(std::string_view symbol) {
  ImportOptions options;
  options.instrument = InstrumentOf(symbol);
  return options;
}

UnixNanos At(std::string_view iso) {
  const auto time = ParseIso(iso);
  TW_CHECK(time.ok(), "{}", time.error().message);
  return *time;
}

}  // namespace tw::store
