#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace tw {

/// The whole file. Errors: kNotFound, kIo, naming the path.
Result<std::string> ReadFile(const std::string& path);

/// Writes a temporary file beside `path`, syncs it, and renames it over: readers see the old
/// content or the new one, never half of it, and a crash leaves one of the two. Errors: kIo, also
/// for a `path` that is a directory, pipe or device: nothing is put in the place of one.
Result<void> WriteFileAtomically(const std::string& path, std::string_view content);

/// Creates the directory and its parents. Errors: kIo naming the path.
Result<void> CreateDirectories(const std::string& path);

/// fsync of a directory, so that renames in it survive a power cut.
Result<void> SyncDirectory(const std::string& path);

/// An exclusive advisory lock on a file, held until destruction or process end.
class FileLock {
 public:
  /// Errors: kBusy naming the path when somebody else holds it, kIo.
  static Result<FileLock> Acquire(const std::string& path);

  FileLock(FileLock&& other) noexcept;
  FileLock& operator=(FileLock&& other) noexcept;
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  explicit FileLock(int fd) : fd_(fd) {}

  int fd_ = -1;
};

/// A file mapped read-only. The mapping stays valid when the file is replaced or unlinked.
class MappedFile {
 public:
  static Result<MappedFile> Open(const std::string& path);

  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;
  ~MappedFile();

  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(data_), size_}; }

  std::string_view text() const { return {static_cast<const char*>(data_), size_}; }

 private:
  MappedFile(void* data, std::size_t size) : data_(data), size_(size) {}

  void* data_ = nullptr;
  std::size_t size_ = 0;
};

/// What errno says of a call that failed just now: "PATH: cannot WHAT: reason". kNotFound when
/// there is nothing of that name, else kIo.
Error SystemError(std::string_view what, const std::string& path);

/// Lower-case hexadecimal SHA-256.
std::string Sha256Hex(std::string_view data);

/// The same of data that come piece by piece.
class Sha256 {
 public:
  Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;
  Sha256(Sha256&&) = delete;
  Sha256& operator=(Sha256&&) = delete;
  ~Sha256();

  void Add(std::string_view data);
  /// Of everything so far; nothing may be added afterwards.
  std::string Hex();

 private:
  void* context_;  // OpenSSL's
};

}  // namespace tw
