#include "net/http.h"

#include <fmt/core.h>

#include <algorithm>

#include "net/url.h"

namespace tw::net {
namespace {

constexpr std::size_t kExcerptBytes = 200;

char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

bool HttpRequest::repeatable() const {
  if (repeat != Repeat::kByMethod) return repeat == Repeat::kSafe;
  return method == "GET" || method == "HEAD" || method == "PUT" || method == "DELETE";
}

std::optional<std::string> HttpResponse::Header(std::string_view name) const {
  for (auto header = headers.rbegin(); header != headers.rend(); ++header) {
    if (std::ranges::equal(header->name, name, {}, Lower, Lower)) return header->value;
  }
  return std::nullopt;
}

std::string NameOf(const HttpRequest& request) {
  const std::string url = RedactUrl(request.url);
  const std::size_t scheme = url.find("://");
  return fmt::format("{} {}", request.method,
                     scheme == std::string::npos ? url : url.substr(scheme + 3));
}

Error StatusError(const HttpRequest& request, const HttpResponse& response) {
  const std::string excerpt = Excerpt(response.body, kExcerptBytes);
  return {ErrorCode::kExternal, fmt::format("{}: status {}{}{}", NameOf(request), response.status,
                                            excerpt.empty() ? "" : ": ", excerpt)};
}

namespace {

// How many bytes follow the first one of a character in UTF-8; npos when it is none.
std::size_t Utf8Tail(std::string_view text) {
  const auto byte = [&text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 0;
  const std::size_t more = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : 1;
  if (first < 0xC2 || first > 0xF4 || text.size() <= more) return std::string_view::npos;
  for (std::size_t i = 1; i <= more; ++i) {
    if ((byte(i) & 0xC0U) != 0x80U) return std::string_view::npos;
  }
  // Overlong forms, surrogates, beyond U+10FFFF.
  const unsigned char second = byte(1);
  const bool bad = (first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) ||
                   (first == 0xF0 && second < 0x90) || (first == 0xF4 && second > 0x8F);
  return bad ? std::string_view::npos : more;
}

}  // namespace

std::string Excerpt(std::string_view text, std::size_t bytes_max) {
  std::string out;
  text = text.substr(0, std::min(text.size(), bytes_max * 4 + 4));
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::size_t more = Utf8Tail(text.substr(at));
    if (more == std::string_view::npos) {
      // A message must be text, whatever a server answers.
      out += '?';
      continue;
    }
    if (more > 0) {
      out += text.substr(at, more + 1);
      at += more;
      continue;
    }
    const char c = text[at];
    const bool blank = static_cast<unsigned char>(c) <= 0x20 || c == 0x7f;
    if (blank && (out.empty() || out.back() == ' ')) continue;
    out += blank ? ' ' : c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  if (out.size() <= bytes_max) return out;
  std::size_t end = bytes_max;
  while (end > 0 && (static_cast<unsigned char>(out[end]) & 0xC0U) == 0x80U) --end;
  out.resize(end);
  return out + "...";
}

}  // namespace tw::net
