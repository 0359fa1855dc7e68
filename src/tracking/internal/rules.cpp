#include "tracking/internal/rules.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace tw::tracking::internal {
namespace {

constexpr std::array<std::string_view, 10> kSecretWords = {
    "password", "passwd",     "secret",      "token",         "apikey",
    "api_key",  "credential", "private_key", "authorization", "passphrase"};

bool IsWord(char c) {
  // Bytes of other scripts are word characters too, as in MLflow.
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         static_cast<unsigned char>(c) >= 0x80;
}

Error Bad(std::string_view what, std::string_view text, std::string_view rule) {
  return {ErrorCode::kUsage, fmt::format("{} '{}': {}", what, text.substr(0, 300), rule)};
}

/// No leading or trailing slash, no empty, "." or ".." part.
bool IsNormalPath(std::string_view path) {
  while (true) {
    const std::size_t slash = path.find('/');
    const std::string_view part = path.substr(0, slash);
    if (part.empty() || part == "." || part == "..") return false;
    if (slash == std::string_view::npos) return true;
    path.remove_prefix(slash + 1);
  }
}

// A database behind a server takes none, so that the server would answer 500 for ever.
std::string WithoutNul(std::string text) {
  constexpr std::string_view kReplacement = "\xEF\xBF\xBD";
  for (std::size_t at = text.find('\0'); at != std::string::npos; at = text.find('\0', at))
    text.replace(at, 1, kReplacement);
  return text;
}

/// "scheme://user:password@host" anywhere in the text.
std::string MaskPasswords(std::string_view value) {
  std::string text(value);
  std::size_t from = 0;
  for (;;) {
    const std::size_t scheme = text.find("://", from);
    if (scheme == std::string::npos) return text;
    const std::size_t begin = scheme + 3;
    const std::size_t end = std::min(text.find_first_of("/?# \t\n\"'", begin), text.size());
    const std::size_t at = text.substr(0, end).rfind('@');
    const std::size_t colon = text.find(':', begin);
    from = begin;
    if (at == std::string::npos || at < begin || colon == std::string::npos || colon > at) continue;
    text.replace(colon + 1, at - colon - 1, "***");
  }
}

}  // namespace

Result<void> CheckKey(std::string_view key, std::string_view what) {
  if (key.empty() || key.size() > kMaxKey)
    return Bad(what, key, fmt::format("1 to {} bytes, not {}", kMaxKey, key.size()));
  const bool plain = std::ranges::all_of(key, [](char c) {
    return IsWord(c) || c == '/' || c == '.' || c == '-' || c == ':' || c == ' ';
  });
  if (!plain) return Bad(what, key, "letters, digits, _ - . : / and blanks only");
  if (!IsNormalPath(key))
    return Bad(what, key, "no leading, trailing or double slash, no . or .. part");
  return {};
}

Result<void> CheckName(std::string_view name, std::string_view what) {
  const bool blank =
      std::ranges::all_of(name, [](char c) { return c == ' ' || c == '\t' || c == '\n'; });
  if (blank || name.size() > kMaxName)
    return Bad(what, name, fmt::format("1 to {} bytes, not only blanks", kMaxName));
  if (name.find('\0') != std::string_view::npos)
    return Bad(what, name.substr(0, name.find('\0')), "no NUL behind that");
  return {};
}

Result<void> CheckBatch(std::span<const Metric> metrics, std::span<const KeyValue> params,
                        std::span<const KeyValue> tags) {
  for (const Metric& metric : metrics) {
    TW_TRY(CheckKey(metric.key, "metric"));
    if (metric.timestamp_ms < 0) {
      return Error{ErrorCode::kUsage, fmt::format("metric '{}': timestamp {} is negative",
                                                  metric.key, metric.timestamp_ms)};
    }
  }
  for (const KeyValue& param : params) TW_TRY(CheckKey(param.key, "parameter"));
  for (const KeyValue& tag : tags) TW_TRY(CheckKey(tag.key, "tag"));
  return {};
}

Result<void> CheckModelName(std::string_view name) {
  if (Result<void> status = CheckName(name, "model name"); !status.ok()) return status;
  // '@' would make NAME@alias ambiguous; the others are MLflow's.
  if (name.find_first_of("/:.%\"'@") != std::string_view::npos)
    return Bad("model name", name, "none of / : . % \" ' @");
  return {};
}

Result<void> CheckAlias(std::string_view alias) {
  const bool plain = std::ranges::all_of(alias, [](char c) { return IsWord(c) || c == '-'; });
  if (alias.empty() || alias.size() > 255 || !plain)
    return Bad("alias", alias, "letters, digits, _ and -, 1 to 255 bytes");
  std::string lower(alias);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  const bool version =
      lower.size() > 1 && lower[0] == 'v' &&
      std::ranges::all_of(lower.substr(1), [](char c) { return c >= '0' && c <= '9'; });
  if (lower == "latest" || version) return Bad("alias", alias, "reserved for versions");
  return {};
}

Result<void> CheckArtifactPath(std::string_view path) {
  if (!IsNormalPath(path) || path.size() > 500)
    return Bad("artifact path", path, "relative, without empty, . or .. parts");
  const bool plain = std::ranges::all_of(path, [](char c) {
    return static_cast<unsigned char>(c) >= 0x20 && c != '\\' && c != '#' && c != 0x7f;
  });
  if (!plain) return Bad("artifact path", path, "no control characters, \\ or #");
  return {};
}

std::string Storable(std::string_view key, std::string_view value, std::size_t limit) {
  std::string lower(key);
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    if (c == '-' || c == ' ') c = '_';
  }
  const bool secret = std::ranges::any_of(kSecretWords, [&lower](std::string_view word) {
    return lower.find(word) != std::string::npos;
  });
  if (secret) return "[redacted]";
  std::string text = WithoutNul(MaskPasswords(value));
  if (text.size() > limit) {
    // Not through the middle of a UTF-8 character.
    std::size_t end = limit;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
    text.resize(end);
  }
  return text;
}

}  // namespace tw::tracking::internal
