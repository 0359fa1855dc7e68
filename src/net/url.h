#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tw::net {

/// Parts of an absolute http or https URL.
struct Url {
  std::string scheme;    // "http" or "https"
  std::string user;      // decoded; empty when there is none
  std::string password;  // decoded
  std::string host;      // lower case; an IPv6 address keeps its brackets
  std::string port;      // empty when it is the scheme's own
  std::string path;      // as written, percent-encoded; "/" when there is none
  std::string query;     // as written, without '?'

  /// "host" or "host:port": the value of the Host header.
  std::string authority() const;
  /// "https://host:port", what two URLs must share before a credential may go to both.
  std::string origin() const;
  bool loopback() const;
};

/// Errors: kUsage naming the text (without a password in it).
Result<Url> ParseUrl(std::string_view text);

/// `reference` (absolute, or relative such as a Location header) as seen from `base`. Errors:
/// kUsage.
Result<std::string> ResolveUrl(const std::string& base, const std::string& reference);

/// Percent-encodes everything but A-Z a-z 0-9 - . _ ~ (RFC 3986's unreserved characters).
std::string EscapeUrl(std::string_view text);
/// As EscapeUrl, keeping '/'.
std::string EscapeUrlPath(std::string_view path);
/// Decodes %XX; a broken escape stays as it is.
std::string UnescapeUrl(std::string_view text);

using Query = std::vector<std::pair<std::string, std::string>>;

/// "a=1&b=x%20y", in the given order.
std::string EncodeQuery(const Query& query);

/// For messages and logs: scheme, host and path, without user, password and query.
std::string RedactUrl(std::string_view url);

}  // namespace tw::net
