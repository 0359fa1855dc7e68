#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/import/import.h"

namespace tw::store {

/// Folder of the real data beside the checkout ($TW_SHARED/data), or empty.
std::string SharedData();

#define TW_SKIP_WITHOUT_SHARED_DATA() \
  if (SharedData().empty())           \
  GTEST_SKIP() << "no ../shared/data and no TW_SHARED: real data are not on this machine"

Instrument InstrumentOf(std::string_view symbol);

/// A directory of its own for one test, removed at the end.
class TempDir {
 public:
  TempDir();
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  TempDir(TempDir&&) = delete;
  TempDir& operator=(TempDir&&) = delete;
  ~TempDir();

  const std::string& path() const { return path_; }

  /// Writes a file (folders in the name are made) and returns its path.
  std::string Write(const std::string& name, std::string_view content) const;

 private:
  std::string path_;
};

std::string Gzip(std::string_view content);
/// One stored or deflated member per (name, content).
std::string Zip(const std::vector<std::pair<std::string, std::string>>& members);
/// The "LZMA alone" container.
std::string Lzma(std::string_view content);

/// Imports, and fails the test with the message if that does not work.
ImportResult MustImport(const std::vector<std::string>& paths, const ImportOptions& options);
/// The error of an import that must fail with bad data.
std::string MustRefuse(const std::vector<std::string>& paths, const ImportOptions& options);

ImportOptions OptionsFor(std::string_view symbol);

UnixNanos At(std::string_view iso);

}  // namespace tw::store
