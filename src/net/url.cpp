#include "net/url.h"

#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "net/http.h"

namespace tw::net {
namespace {

struct CurlUrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};

using CurlUrl = std::unique_ptr<CURLU, CurlUrlDeleter>;

std::string Part(CURLU* url, CURLUPart part, unsigned flags = 0) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, flags) != CURLUE_OK || text == nullptr) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

// A server may have sent the text: what is shown of it stays on one line.
Error Bad(std::string_view text, std::string_view reason) {
  constexpr std::size_t kShownBytes = 500;
  return {ErrorCode::kUsage,
          fmt::format("URL '{}': {}", Excerpt(RedactUrl(text), kShownBytes), reason)};
}

bool IsUnreserved(char c) {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

std::string Escape(std::string_view text, bool keep_slash) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (const char c : text) {
    if (IsUnreserved(c) || (keep_slash && c == '/')) {
      out += c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out += '%';
    out += kDigits[byte >> 4U];
    out += kDigits[byte & 0xFU];
  }
  return out;
}

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

}  // namespace

std::string Url::authority() const { return port.empty() ? host : host + ":" + port; }

std::string Url::origin() const { return scheme + "://" + authority(); }

bool Url::loopback() const {
  return host == "localhost" || host == "[::1]" || host == "127.0.0.1" || host.starts_with("127.");
}

Result<Url> ParseUrl(std::string_view text) {
  const CurlUrl handle(curl_url());
  const std::string copy(text);
  if (const CURLUcode code =
          curl_url_set(handle.get(), CURLUPART_URL, copy.c_str(), CURLU_PATH_AS_IS);
      code != CURLUE_OK || copy.size() != text.size()) {
    return Bad(text, curl_url_strerror(code));
  }
  Url url;
  url.scheme = Part(handle.get(), CURLUPART_SCHEME);
  if (url.scheme != "http" && url.scheme != "https") return Bad(text, "wanted http:// or https://");
  url.user = Part(handle.get(), CURLUPART_USER, CURLU_URLDECODE);
  url.password = Part(handle.get(), CURLUPART_PASSWORD, CURLU_URLDECODE);
  url.host = Part(handle.get(), CURLUPART_HOST);
  std::ranges::transform(url.host, url.host.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  if (url.host.empty()) return Bad(text, "no host");
  url.port = Part(handle.get(), CURLUPART_PORT, CURLU_NO_DEFAULT_PORT);
  url.path = Part(handle.get(), CURLUPART_PATH);
  if (url.path.empty()) url.path = "/";
  url.query = Part(handle.get(), CURLUPART_QUERY);
  return url;
}

Result<std::string> ResolveUrl(const std::string& base, const std::string& reference) {
  const CurlUrl handle(curl_url());
  CURLUcode code = curl_url_set(handle.get(), CURLUPART_URL, base.c_str(), CURLU_PATH_AS_IS);
  if (code == CURLUE_OK)
    code = curl_url_set(handle.get(), CURLUPART_URL, reference.c_str(), CURLU_PATH_AS_IS);
  if (code != CURLUE_OK) return Bad(reference, curl_url_strerror(code));
  return Part(handle.get(), CURLUPART_URL);
}

std::string EscapeUrl(std::string_view text) { return Escape(text, false); }

std::string EscapeUrlPath(std::string_view path) { return Escape(path, true); }

std::string UnescapeUrl(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && i + 2 < text.size() ? HexDigit(text[i + 1]) : -1;
    const int low = high >= 0 ? HexDigit(text[i + 2]) : -1;
    if (low < 0) {
      out += text[i];
      continue;
    }
    out += static_cast<char>(high * 16 + low);
    i += 2;
  }
  return out;
}

std::string EncodeQuery(const Query& query) {
  std::string out;
  for (const auto& [key, value] : query) {
    if (!out.empty()) out += '&';
    out += EscapeUrl(key) + "=" + EscapeUrl(value);
  }
  return out;
}

std::string RedactUrl(std::string_view url) {
  std::string text(url.substr(0, url.find_first_of("?#")));
  const std::size_t scheme = text.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  const std::size_t end = std::min(text.find('/', begin), text.size());
  const std::size_t at = text.substr(0, end).rfind('@');
  if (at != std::string::npos && at >= begin) text.erase(begin, at + 1 - begin);
  if (text.size() > 300) text.resize(300);
  return text;
}

}  // namespace tw::net
