#include "store/import/source_file.h"

#include <archive.h>
#include <archive_entry.h>
#include <fmt/core.h>
#include <lzma.h>
#include <zlib.h>

#include <algorithm>
#include <utility>

namespace tw::store {
namespace {

constexpr std::size_t kChunk = std::size_t{1} << 18;

/// Refuses output that has grown beyond the limits for an input of `packed` bytes.
Status CheckSize(std::size_t unpacked, std::size_t packed, const UnpackLimits& limits) {
  if (unpacked > limits.bytes_max) {
    return BadData(
        fmt::format("unpacks to more than {} bytes, the limit for one file", limits.bytes_max));
  }
  if (unpacked > limits.ratio_from &&
      unpacked / std::max<std::size_t>(packed, 1) > limits.ratio_max) {
    return BadData(
        fmt::format("unpacks to more than {} times its size: refused as a decompression bomb",
                    limits.ratio_max));
  }
  return {};
}

struct InflateEnd {
  void operator()(z_stream* stream) const {
    inflateEnd(stream);
    delete stream;
  }
};

/// zlib takes its input in pieces of 32-bit size.
void FeedInflate(z_stream& stream, std::string_view packed, std::size_t& fed) {
  if (stream.avail_in != 0) return;
  const std::size_t piece = std::min<std::size_t>(packed.size() - fed, std::size_t{1} << 30);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data() + fed));
  stream.avail_in = static_cast<uInt>(piece);
  fed += piece;
}

bool EndsWith(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

bool IsHidden(std::string_view name) {
  const std::size_t slash = name.rfind('/');
  const std::string_view base = slash == std::string_view::npos ? name : name.substr(slash + 1);
  return base.empty() || base[0] == '.' || name.substr(0, 8) == "__MACOSX";
}

/// Notes beside a table (HistData packs a status .txt) are no tables.
void DropNotes(std::vector<ArchiveMember>& members) {
  const bool has_csv = std::any_of(members.begin(), members.end(), [](const ArchiveMember& member) {
    return EndsWith(member.name, ".csv");
  });
  if (!has_csv) return;
  std::erase_if(members, [](const ArchiveMember& member) { return EndsWith(member.name, ".txt"); });
}

struct ArchiveFree {
  void operator()(archive* handle) const { archive_read_free(handle); }
};

/// A zip archive ends with the record of its directory and a comment of at most 65,535 bytes. An
/// archive that was cut between two members would otherwise pass for a shorter one.
bool HasDirectory(std::string_view packed) {
  constexpr std::size_t kRecordBytes = 22;
  constexpr std::size_t kCommentBytesMax = 65'535;
  const std::size_t tail = std::min(packed.size(), kRecordBytes + kCommentBytesMax);
  const std::size_t at = packed.substr(packed.size() - tail).rfind("PK\x05\x06");
  return at != std::string_view::npos && tail - at >= kRecordBytes;
}

Result<std::string> ReadMember(archive* handle, std::size_t packed, std::size_t& total,
                               const UnpackLimits& limits) {
  std::string content;
  for (;;) {
    const std::size_t before = content.size();
    content.resize(before + kChunk);
    const la_ssize_t got = archive_read_data(handle, content.data() + before, kChunk);
    if (got < 0) {
      const char* what = archive_error_string(handle);
      return BadData(fmt::format("is a damaged or cut zip archive ({})",
                                 what == nullptr ? "no detail" : what));
    }
    content.resize(before + static_cast<std::size_t>(got));
    if (got == 0) return content;
    total += static_cast<std::size_t>(got);
    TW_TRY(CheckSize(total, packed, limits));
  }
}

void AppendUtf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xC0 | code >> 6);
    put(0x80 | (code & 0x3F));
  } else if (code < 0x10000) {
    put(0xE0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  } else {
    put(0xF0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3F));
    put(0x80 | (code >> 6 & 0x3F));
    put(0x80 | (code & 0x3F));
  }
}

/// Text as UTF-8 without a byte-order mark; anything else is left as it is.
Status Transcode(SourcePart& part) {
  if (part.view.substr(0, 3) == "\xEF\xBB\xBF") {
    part.view.remove_prefix(3);
  } else if (part.view.substr(0, 2) == "\xFF\xFE" || part.view.substr(0, 2) == "\xFE\xFF") {
    part.owned =
        std::make_shared<const std::string>(TW_TRY_CTX(Utf16ToUtf8(part.view), part.name()));
    part.view = *part.owned;
  }
  return {};
}

/// `whole` is the file as it lies on disk.
Result<SourceFile> Unpack(SourcePart whole, const UnpackLimits& limits) {
  SourceFile file;
  file.path = whole.path;
  const std::string_view bytes = whole.view;
  file.sha256 = Sha256Hex(bytes);
  if (bytes.substr(0, 4) == "PK\x03\x04" || bytes.substr(0, 4) == "PK\x05\x06") {
    std::vector<ArchiveMember> members = TW_TRY_CTX(UnzipBounded(bytes, limits), whole.path);
    for (ArchiveMember& member : members) {
      SourcePart part;
      part.path = whole.path;
      part.member = std::move(member.name);
      part.packed = true;
      part.owned = std::make_shared<const std::string>(std::move(member.content));
      part.view = *part.owned;
      file.parts.push_back(std::move(part));
    }
  } else if (bytes.substr(0, 2) == "\x1F\x8B") {
    SourcePart part;
    part.path = whole.path;
    part.packed = true;
    part.owned =
        std::make_shared<const std::string>(TW_TRY_CTX(GunzipBounded(bytes, limits), whole.path));
    part.view = *part.owned;
    file.parts.push_back(std::move(part));
  } else {
    file.parts.push_back(std::move(whole));
  }
  for (SourcePart& each : file.parts) TW_TRY(Transcode(each));
  return file;
}

}  // namespace

Result<std::string> GunzipBounded(std::string_view packed, const UnpackLimits& limits) {
  const std::unique_ptr<z_stream, InflateEnd> stream(new z_stream{});
  if (inflateInit2(stream.get(), 16 + MAX_WBITS) != Z_OK)
    return Error{ErrorCode::kIo, "zlib could not start"};
  std::string out;
  std::size_t fed = 0;
  for (;;) {
    FeedInflate(*stream, packed, fed);
    const std::size_t before = out.size();
    out.resize(before + std::max(kChunk, before / 2));
    stream->next_out = reinterpret_cast<Bytef*>(out.data() + before);
    stream->avail_out =
        static_cast<uInt>(std::min<std::size_t>(out.size() - before, std::size_t{1} << 30));
    const uInt room = stream->avail_out;
    const int code = inflate(stream.get(), Z_NO_FLUSH);
    out.resize(before + (room - stream->avail_out));
    TW_TRY(CheckSize(out.size(), packed.size(), limits));
    if (code == Z_STREAM_END) {
      if (stream->avail_in == 0 && fed == packed.size()) return out;
      if (inflateReset(stream.get()) != Z_OK) return Error{ErrorCode::kIo, "zlib could not go on"};
      continue;
    }
    if (code != Z_OK && code != Z_BUF_ERROR) {
      return BadData(fmt::format("is a damaged gzip file ({}) behind {} unpacked bytes",
                                 stream->msg == nullptr ? "no detail" : stream->msg, out.size()));
    }
    if (stream->avail_in == 0 && fed == packed.size() && stream->avail_out != 0) {
      return BadData(
          fmt::format("is a gzip file that is cut off behind {} unpacked bytes", out.size()));
    }
  }
}

Result<std::string> UnlzmaBounded(std::string_view packed, const UnpackLimits& limits) {
  lzma_stream stream = LZMA_STREAM_INIT;
  if (lzma_alone_decoder(&stream, std::uint64_t{128} << 20) != LZMA_OK)
    return Error{ErrorCode::kIo, "liblzma could not start"};
  const std::unique_ptr<lzma_stream, decltype(&lzma_end)> guard(&stream, &lzma_end);
  stream.next_in = reinterpret_cast<const std::uint8_t*>(packed.data());
  stream.avail_in = packed.size();
  std::string out;
  for (;;) {
    const std::size_t before = out.size();
    out.resize(before + kChunk);
    stream.next_out = reinterpret_cast<std::uint8_t*>(out.data() + before);
    stream.avail_out = kChunk;
    const lzma_ret code = lzma_code(&stream, stream.avail_in == 0 ? LZMA_FINISH : LZMA_RUN);
    out.resize(before + (kChunk - stream.avail_out));
    TW_TRY(CheckSize(out.size(), packed.size(), limits));
    if (code == LZMA_STREAM_END) {
      if (stream.avail_in != 0)
        return BadData(
            fmt::format("has {} bytes behind the end of its LZMA stream", stream.avail_in));
      return out;
    }
    if (code == LZMA_MEMLIMIT_ERROR)
      return BadData("asks for an LZMA dictionary above 128 MiB: refused");
    if (code == LZMA_BUF_ERROR)
      return BadData(
          fmt::format("is an LZMA file that is cut off behind {} unpacked bytes", out.size()));
    if (code != LZMA_OK)
      return BadData(fmt::format("is a damaged LZMA file (code {})", static_cast<int>(code)));
  }
}

Result<std::vector<ArchiveMember>> UnzipBounded(std::string_view packed,
                                                const UnpackLimits& limits) {
  if (!HasDirectory(packed))
    return BadData("is a damaged or cut zip archive (the directory at its end is missing)");
  const std::unique_ptr<archive, ArchiveFree> handle(archive_read_new());
  if (handle == nullptr || archive_read_support_format_zip(handle.get()) != ARCHIVE_OK ||
      archive_read_open_memory(handle.get(), packed.data(), packed.size()) != ARCHIVE_OK) {
    return BadData("could not be opened as a zip archive");
  }
  std::vector<ArchiveMember> members;
  std::size_t total = 0;
  std::size_t entries = 0;
  for (;;) {
    archive_entry* entry = nullptr;
    const int code = archive_read_next_header(handle.get(), &entry);
    if (code == ARCHIVE_EOF) break;
    if (code != ARCHIVE_OK && code != ARCHIVE_WARN) {
      const char* what = archive_error_string(handle.get());
      return BadData(fmt::format("is a damaged or cut zip archive ({})",
                                 what == nullptr ? "no detail" : what));
    }
    if (++entries > limits.members_max)
      return BadData(fmt::format("holds more than {} members", limits.members_max));
    const char* name = archive_entry_pathname(entry);
    const std::string member = name == nullptr ? std::string("unnamed") : std::string(name);
    if (archive_entry_filetype(entry) != AE_IFREG || IsHidden(member)) continue;
    if (archive_entry_is_encrypted(entry) != 0)
      return BadData(fmt::format("member {} is encrypted", member));
    // Not inside the braces: a return from there would leak what the list has made so far.
    std::string content =
        TW_TRY_CTX(ReadMember(handle.get(), packed.size(), total, limits), member);
    members.push_back({member, std::move(content)});
  }
  DropNotes(members);
  if (members.empty()) return BadData("is a zip archive without a file in it");
  return members;
}

Result<std::string> Utf16ToUtf8(std::string_view bytes) {
  if (bytes.size() < 2 || bytes.size() % 2 != 0)
    return BadData(fmt::format("is UTF-16 of odd length {}", bytes.size()));
  const bool little = bytes[0] == '\xFF';
  const auto unit = [bytes, little](std::size_t at) {
    const auto low = static_cast<unsigned char>(bytes[little ? at : at + 1]);
    const auto high = static_cast<unsigned char>(bytes[little ? at + 1 : at]);
    return static_cast<std::uint32_t>(high) << 8 | low;
  };
  std::string out;
  out.reserve(bytes.size() / 2);
  for (std::size_t at = 2; at < bytes.size(); at += 2) {
    std::uint32_t code = unit(at);
    if (code >= 0xD800 && code < 0xE000) {
      if (code >= 0xDC00 || at + 2 >= bytes.size())
        return BadData(fmt::format("has a lone UTF-16 surrogate at byte {}", at));
      const std::uint32_t low = unit(at + 2);
      if (low < 0xDC00 || low >= 0xE000)
        return BadData(fmt::format("has a lone UTF-16 surrogate at byte {}", at));
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
      at += 2;
    }
    AppendUtf8(out, code);
  }
  return out;
}

Result<SourceFile> OpenSource(const std::string& path, const UnpackLimits& limits) {
  const auto mapped = std::make_shared<const MappedFile>(TW_TRY(MappedFile::Open(path)));
  SourcePart whole;
  whole.path = path;
  whole.mapped = mapped;
  whole.view = mapped->text();
  return Unpack(std::move(whole), limits);
}

Result<SourceFile> SourceFromBytes(const std::string& path, std::string bytes,
                                   const UnpackLimits& limits) {
  SourcePart whole;
  whole.path = path;
  whole.owned = std::make_shared<const std::string>(std::move(bytes));
  whole.view = *whole.owned;
  return Unpack(std::move(whole), limits);
}

}  // namespace tw::store
