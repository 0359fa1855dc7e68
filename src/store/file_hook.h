#pragma once

#include <functional>
#include <string>

namespace tw::store {

enum class FileOp { kMakeDirectory, kCreate, kWrite, kSync, kLink, kSymlink, kRename, kRemove };

/// Sees every change that the store is about to make on disk, in order. Returns 0 to let it happen,
/// or an errno value with which it fails. A write of a file's content comes as two halves.
using FileHook = std::function<int(FileOp, const std::string& path)>;

}  // namespace tw::store
