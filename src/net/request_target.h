#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tw::net {

/// What a client asked for, taken apart.
struct RequestTarget {
  /// Between slashes, percent-decoded: "/models/a%2Fb" is {"models", "a/b"}; "/" has none. No
  /// segment is ".", ".." or holds a NUL.
  std::vector<std::string> segments;
  /// Decoded, '+' as a blank, in the order in which they came.
  std::vector<std::pair<std::string, std::string>> query;
};

/// "%41" -> "A". Errors: kUsage for a '%' without two hexadecimal digits, and for NUL.
Result<std::string> PercentDecode(std::string_view text, bool plus_is_blank);

/// Parses the target of a request line: a path that begins with '/', then perhaps '?' and a query.
/// Strict, since what stands here comes from anybody: control characters, empty segments in the
/// middle, dot segments, broken percent signs, and more than 32 segments or 64 parameters are
/// kUsage errors saying which.
Result<RequestTarget> ParseRequestTarget(std::string_view raw);

}  // namespace tw::net
