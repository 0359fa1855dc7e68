#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace tw::store {

/// Bounds against decompression bombs. FX text packs about six to one, at most thirty.
struct UnpackLimits {
  std::size_t bytes_max = std::size_t{4} << 30;  // of one file, unpacked
  std::size_t ratio_max = 200;                   // unpacked over packed, once past `ratio_from`
  std::size_t ratio_from = std::size_t{16} << 20;
  std::size_t members_max = 4096;  // of one archive
};

/// One text or binary stream to import: a plain file, a .gz's content, or one member of a .zip.
struct SourcePart {
  std::string path;    // the file on disk, as it was named
  std::string member;  // inside an archive, or empty
  bool packed = false;

  /// Bytes as they are after unpacking, UTF-8 without byte-order mark where they are text.
  std::string_view bytes() const { return view; }

  /// "eurusd.zip" or "eurusd.zip:eurusd.csv".
  std::string name() const { return member.empty() ? path : path + ":" + member; }

  std::shared_ptr<const MappedFile>
      mapped;  // shared by the members of an archive and by plain files' views
  std::shared_ptr<const std::string> owned;  // unpacked or transcoded content
  std::string_view view;
};

struct SourceFile {
  std::string path;
  std::string sha256;  // of the file as it lies on disk
  std::vector<SourcePart> parts;
};

/// Opens and unpacks a file; how is decided by its first bytes, never by its name. Archive members
/// that are no tables (HistData's status .txt) are left out: names ending in .txt beside a .csv,
/// folders, and hidden files. Errors: kNotFound; kBadData naming the file and what is wrong
/// (truncated, damaged, empty, too large when unpacked).
Result<SourceFile> OpenSource(const std::string& path, const UnpackLimits& limits = {});

/// The same for bytes that are in memory already; `path` names them in messages, and is where dates
/// and sides of LEAN and Dukascopy files are read from.
Result<SourceFile> SourceFromBytes(const std::string& path, std::string bytes,
                                   const UnpackLimits& limits = {});

/// Unpacks a gzip stream (all members of it). Errors: kBadData.
Result<std::string> GunzipBounded(std::string_view packed, const UnpackLimits& limits);

/// Unpacks the old "LZMA alone" container of .bi5 files. Errors: kBadData.
Result<std::string> UnlzmaBounded(std::string_view packed, const UnpackLimits& limits);

struct ArchiveMember {
  std::string name;
  std::string content;
};

/// Unpacks the tables of a zip. Errors: kBadData.
Result<std::vector<ArchiveMember>> UnzipBounded(std::string_view packed,
                                                const UnpackLimits& limits);

/// UTF-16 with a byte-order mark to UTF-8. Errors: kBadData on odd length or lone surrogates.
Result<std::string> Utf16ToUtf8(std::string_view bytes);

}  // namespace tw::store
