#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "store/store.h"

namespace tw::store {

/// A fresh directory, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory();

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

Instrument Known(const char* symbol);

/// `count` bars from the `skip`-th row of the week of `week` on, a fixed pattern of prices around
/// `price` half ticks.
BarTable SomeBars(const char* symbol, Timeframe timeframe, const char* week, std::int64_t skip,
                  std::int64_t count, std::int64_t half_ticks);

SourceInfo SomeSource(const std::string& name, std::int64_t rows);

/// Relative path -> content of every file of the current generation.
std::map<std::string, std::string> FilesOf(const std::string& store_dir);

/// Column by column; prints the first difference.
testing::AssertionResult SameBars(const BarTable& a, const BarTable& b);

}  // namespace tw::store
