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

std::string Excerpt(std::string_view text, std::size_t bytes_max) {
  std::string out;
  for (const char c : text.substr(0, std::min(text.size(), bytes_max * 4 + 4))) {
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
