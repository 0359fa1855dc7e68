#include "server/query.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace tw::server {
namespace {

// Values stand in messages, so they are cut.
std::string Shown(std::string_view text) {
  constexpr std::size_t kShown = 60;
  return text.size() <= kShown ? std::string(text) : std::string(text.substr(0, kShown)) + "...";
}

}  // namespace

void Query::Complain(const std::string& name, const std::string& message) {
  if (!errors_.empty()) errors_ += '\n';
  errors_ += fmt::format("query.{}: {}", Shown(name), message);
}

std::optional<std::string> Query::One(const std::string& name) {
  known_.insert(name);
  std::optional<std::string> found;
  for (const auto& [key, value] : parameters_) {
    if (key != name) continue;
    if (found) {
      Complain(name, "it stands there more than once");
      return std::nullopt;
    }
    found = value;
  }
  return found;
}

std::int64_t Query::Integer(const std::string& name, std::int64_t missing, IntegerRange range) {
  const auto text = One(name);
  if (!text) return missing;
  std::int64_t value = 0;
  const auto [end, code] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (code != std::errc() || end != text->data() + text->size() || value < range.min ||
      value > range.max) {
    Complain(name, fmt::format("'{}' is no whole number from {} to {}", Shown(*text), range.min,
                               range.max));
    return missing;
  }
  return value;
}

bool Query::Flag(const std::string& name, bool missing) {
  const auto text = One(name);
  if (!text) return missing;
  if (*text == "true") return true;
  if (*text != "false") Complain(name, fmt::format("'{}' is not true or false", Shown(*text)));
  return false;
}

std::string Query::Text(const std::string& name, std::size_t max_bytes) {
  const auto text = One(name);
  if (!text) return {};
  if (text->size() > max_bytes) {
    Complain(name, fmt::format("longer than {} bytes", max_bytes));
    return {};
  }
  return *text;
}

std::string Query::Choice(const std::string& name, const std::string& missing,
                          const std::vector<std::string_view>& choices) {
  const auto text = One(name);
  if (!text) return missing;
  if (std::ranges::find(choices, *text) != choices.end()) return *text;
  std::string all;
  for (const std::string_view choice : choices)
    all += (all.empty() ? "" : ", ") + std::string(choice);
  Complain(name, fmt::format("'{}' is none of {}", Shown(*text), all));
  return missing;
}

std::optional<UnixNanos> Query::Instant(const std::string& name) {
  const auto text = One(name);
  if (!text) return std::nullopt;
  const auto instant = ParseIso(*text);
  if (!instant.ok()) {
    Complain(name, fmt::format("'{}' is no instant such as 2017-03-01T22:00:00Z", Shown(*text)));
    return std::nullopt;
  }
  return *instant;
}

std::vector<std::string> Query::Texts(const std::string& name, std::size_t min, std::size_t max,
                                      std::size_t max_bytes) {
  known_.insert(name);
  std::vector<std::string> values;
  for (const auto& [key, value] : parameters_) {
    if (key == name) values.push_back(value);
  }
  if (values.size() < min || values.size() > max)
    Complain(name, fmt::format("given {} times, wanted {} to {}", values.size(), min, max));
  for (const std::string& value : values) {
    if (value.empty() || value.size() > max_bytes) {
      Complain(name, fmt::format("'{}' has not 1 to {} bytes", Shown(value), max_bytes));
      break;
    }
  }
  return values;
}

Result<void> Query::Finish() {
  for (const auto& [key, value] : parameters_) {
    if (!known_.contains(key)) Complain(key, "this parameter does not exist here");
  }
  if (!errors_.empty()) return Error{ErrorCode::kUsage, errors_};
  return {};
}

}  // namespace tw::server
