#pragma once

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace tw::server {

/// Limits of a whole number, both included.
struct IntegerRange {
  std::int64_t min = 0;
  std::int64_t max = 0;
};

/// The parameters behind the question mark, taken by name with their types and limits. What is
/// wrong is collected, a line a parameter ("query.limit: ..."), so that one answer names them all.
class Query {
 public:
  using Parameters = std::vector<std::pair<std::string, std::string>>;

  /// `parameters` outlive the query.
  explicit Query(const Parameters& parameters) : parameters_(parameters) {}

  std::int64_t Integer(const std::string& name, std::int64_t missing, IntegerRange range);
  bool Flag(const std::string& name, bool missing);
  /// At most `max_bytes`; "" when it is missing.
  std::string Text(const std::string& name, std::size_t max_bytes);
  std::string Choice(const std::string& name, const std::string& missing,
                     const std::vector<std::string_view>& choices);
  std::optional<UnixNanos> Instant(const std::string& name);
  /// Every value of a parameter that may be repeated, `min` to `max` times.
  std::vector<std::string> Texts(const std::string& name, std::size_t min, std::size_t max,
                                 std::size_t max_bytes);

  /// Also complains about parameters that nobody asked for. Errors: kUsage, a line a field.
  Result<void> Finish();

 private:
  std::optional<std::string> One(const std::string& name);
  void Complain(const std::string& name, const std::string& message);

  const Parameters& parameters_;
  std::set<std::string> known_;
  std::string errors_;
};

}  // namespace tw::server
