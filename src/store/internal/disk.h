#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "store/file_hook.h"

namespace tw::store {

/// The changes that the store makes on disk, each announced to the hook first. Errors: kIo naming
/// the path.
class Disk {
 public:
  explicit Disk(FileHook hook) : hook_(std::move(hook)) {}

  Result<void> MakeDirectory(const std::string& path) const;
  /// A new file of the parts one behind the other, not yet synced. Errors also when `path` exists.
  Result<void> WriteNew(const std::string& path,
                        std::span<const std::span<const std::byte>> parts) const;
  /// fsync of a file or directory.
  Result<void> Sync(const std::string& path) const;
  Result<void> Link(const std::string& from, const std::string& to) const;
  Result<void> Symlink(const std::string& target, const std::string& path) const;
  Result<void> Rename(const std::string& from, const std::string& to) const;
  /// A file or a whole directory; nothing there is fine.
  Result<void> RemoveAll(const std::string& path) const;

 private:
  Result<void> Ask(FileOp op, const char* what, const std::string& path) const;

  FileHook hook_;
};

/// Names in a directory, sorted; none when it does not exist.
std::vector<std::string> NamesIn(const std::string& directory);

std::span<const std::byte> BytesOf(const std::string& text);
std::span<const std::byte> BytesOf(const std::vector<float>& values);

}  // namespace tw::store
