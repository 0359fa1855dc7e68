#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace tw::store {

/// Where a row stands: the part of the import it came from, and the byte offset (record number for
/// binary and JSON).
struct RowRef {
  std::uint32_t part = 0;
  std::uint64_t offset = 0;
};

/// Counts by reason, with the first few rows of each.
class Findings {
 public:
  static constexpr std::size_t kExamplesPerReason = 5;

  struct Entry {
    std::int64_t count = 0;
    std::vector<RowRef> examples;
  };

  void Add(std::string_view reason, RowRef row) {
    Entry& entry = EntryOf(reason);
    ++entry.count;
    ++by_part_[row.part];
    if (entry.examples.size() < kExamplesPerReason) entry.examples.push_back(row);
  }

  void AddCount(std::string_view reason, std::int64_t count) {
    if (count != 0) EntryOf(reason).count += count;
  }

  std::int64_t total() const {
    std::int64_t sum = 0;
    for (const auto& [reason, entry] : by_reason_) sum += entry.count;
    return sum;
  }

  std::int64_t CountOfPart(std::uint32_t part) const {
    const auto found = by_part_.find(part);
    return found == by_part_.end() ? 0 : found->second;
  }

  const std::map<std::string, Entry, std::less<>>& by_reason() const { return by_reason_; }

 private:
  Entry& EntryOf(std::string_view reason) {
    const auto found = by_reason_.find(reason);
    return found != by_reason_.end() ? found->second : by_reason_[std::string(reason)];
  }

  std::map<std::string, Entry, std::less<>> by_reason_;
  std::map<std::uint32_t, std::int64_t> by_part_;
};

}  // namespace tw::store
