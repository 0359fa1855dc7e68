#include "net/request_target.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace tw::net {
namespace {

constexpr std::size_t kSegmentsMax = 32;
constexpr std::size_t kParametersMax = 64;

std::optional<unsigned> HexDigit(char c) {
  if (c >= '0' && c <= '9') return static_cast<unsigned>(c - '0');
  if (c >= 'a' && c <= 'f') return static_cast<unsigned>(c - 'a') + 10U;
  if (c >= 'A' && c <= 'F') return static_cast<unsigned>(c - 'A') + 10U;
  return std::nullopt;
}

Result<std::vector<std::string>> ParseSegments(std::string_view path) {
  std::vector<std::string> segments;
  path.remove_prefix(1);
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    const std::string_view raw = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    std::string segment = TW_TRY(PercentDecode(raw, false));
    if (segment.empty() || segment == "." || segment == "..")
      return Error{ErrorCode::kUsage, fmt::format("path: a segment '{}'", segment)};
    if (segments.size() == kSegmentsMax)
      return Error{ErrorCode::kUsage, fmt::format("path: more than {} segments", kSegmentsMax)};
    segments.push_back(std::move(segment));
  }
  return segments;
}

Result<std::vector<std::pair<std::string, std::string>>> ParseQuery(std::string_view text) {
  std::vector<std::pair<std::string, std::string>> query;
  while (!text.empty()) {
    const std::size_t end = text.find('&');
    const std::string_view item = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (item.empty()) continue;
    const std::size_t equals = item.find('=');
    if (query.size() == kParametersMax) {
      return Error{ErrorCode::kUsage,
                   fmt::format("query: more than {} parameters", kParametersMax)};
    }
    std::string name = TW_TRY_CTX(PercentDecode(item.substr(0, equals), true), "query");
    std::string value;
    if (equals != std::string_view::npos)
      value = TW_TRY_CTX(PercentDecode(item.substr(equals + 1), true), "query." + name);
    query.emplace_back(std::move(name), std::move(value));
  }
  return query;
}

}  // namespace

Result<std::string> PercentDecode(std::string_view text, bool plus_is_blank) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '+' && plus_is_blank) c = ' ';
    if (c == '%') {
      const auto high = i + 1 < text.size() ? HexDigit(text[i + 1]) : std::nullopt;
      const auto low = i + 2 < text.size() ? HexDigit(text[i + 2]) : std::nullopt;
      if (!high || !low)
        return Error{ErrorCode::kUsage, "a '%' without two hexadecimal digits behind it"};
      c = static_cast<char>(*high * 16U + *low);
      i += 2;
    }
    if (c == '\0') return Error{ErrorCode::kUsage, "a NUL character"};
    out.push_back(c);
  }
  return out;
}

Result<RequestTarget> ParseRequestTarget(std::string_view raw) {
  if (!raw.starts_with('/'))
    return Error{ErrorCode::kUsage, "path: it does not begin with a slash"};
  if (std::ranges::any_of(raw, [](char c) { return static_cast<unsigned char>(c) < 0x20U; }))
    return Error{ErrorCode::kUsage, "path: a control character"};
  const std::size_t question = raw.find('?');
  RequestTarget target;
  target.segments = TW_TRY(ParseSegments(raw.substr(0, question)));
  if (question != std::string_view::npos)
    target.query = TW_TRY(ParseQuery(raw.substr(question + 1)));
  return target;
}

}  // namespace tw::net
