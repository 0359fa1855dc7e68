#include "store/internal/disk.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <system_error>

namespace tw::store {
namespace {

Error DiskError(int code, const char* what, const std::string& path) {
  return Error{ErrorCode::kIo,
               fmt::format("{}: cannot {}: {}", path, what, std::generic_category().message(code))};
}

// Writes everything; returns 0 or errno.
int WriteFully(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(fd, bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return errno;
    bytes = bytes.subspan(static_cast<std::size_t>(put));
  }
  return 0;
}

}  // namespace

Result<void> Disk::Ask(FileOp op, const char* what, const std::string& path) const {
  if (!hook_) return {};
  const int code = hook_(op, path);
  if (code != 0) return DiskError(code, what, path);
  return {};
}

Result<void> Disk::MakeDirectory(const std::string& path) const {
  TW_TRY(Ask(FileOp::kMakeDirectory, "create the directory", path));
  if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
    return DiskError(errno, "create the directory", path);
  return {};
}

Result<void> Disk::WriteNew(const std::string& path,
                            std::span<const std::span<const std::byte>> parts) const {
  TW_TRY(Ask(FileOp::kCreate, "create", path));
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
  if (fd < 0) return DiskError(errno, "create", path);
  const auto fail = [&](Error error) {
    ::close(fd);
    return error;
  };
  for (const std::span<const std::byte> part : parts) {
    const std::size_t half = hook_ ? part.size() / 2 : part.size();
    for (const auto bytes : {part.first(half), part.subspan(half)}) {
      if (bytes.empty()) continue;
      const auto asked = Ask(FileOp::kWrite, "write", path);
      if (!asked.ok()) return fail(asked.error());
      const int code = WriteFully(fd, bytes);
      if (code != 0) return fail(DiskError(code, "write", path));
    }
  }
  if (::close(fd) != 0) return DiskError(errno, "close", path);
  return {};
}

Result<void> Disk::Sync(const std::string& path) const {
  TW_TRY(Ask(FileOp::kSync, "sync", path));
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return DiskError(errno, "open", path);
  const int code = ::fsync(fd) == 0 ? 0 : errno;
  ::close(fd);
  if (code != 0) return DiskError(code, "sync", path);
  return {};
}

Result<void> Disk::Link(const std::string& from, const std::string& to) const {
  TW_TRY(Ask(FileOp::kLink, "link", to));
  if (::link(from.c_str(), to.c_str()) != 0) return DiskError(errno, "link", to);
  return {};
}

Result<void> Disk::Symlink(const std::string& target, const std::string& path) const {
  TW_TRY(Ask(FileOp::kSymlink, "make the symbolic link", path));
  if (::symlink(target.c_str(), path.c_str()) != 0)
    return DiskError(errno, "make the symbolic link", path);
  return {};
}

Result<void> Disk::Rename(const std::string& from, const std::string& to) const {
  TW_TRY(Ask(FileOp::kRename, "replace", to));
  if (::rename(from.c_str(), to.c_str()) != 0) return DiskError(errno, "replace", to);
  return {};
}

Result<void> Disk::RemoveAll(const std::string& path) const {
  TW_TRY(Ask(FileOp::kRemove, "remove", path));
  std::error_code code;
  std::filesystem::remove_all(path, code);
  if (code) return DiskError(code.value(), "remove", path);
  return {};
}

std::vector<std::string> NamesIn(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code code;
  for (std::filesystem::directory_iterator at(directory, code), end; !code && at != end;
       at.increment(code)) {
    names.push_back(at->path().filename().string());
  }
  std::sort(names.begin(), names.end());
  return names;
}

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::span<const std::byte> BytesOf(const std::vector<float>& values) {
  return std::as_bytes(std::span(values));
}

}  // namespace tw::store
