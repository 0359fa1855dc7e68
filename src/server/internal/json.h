#pragma once

#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/time.h"
#include "net/http_server.h"
#include "server/problem.h"

namespace tw::server::internal {

using Json = nlohmann::ordered_json;

Json ProblemJson(const Problem& problem);

/// One line; text that is no UTF-8 comes with replacement characters.
std::string Dump(const Json& json);

net::ServerResponse Reply(const Json& json, int status = 200);

template <class T>
Json OrNull(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

inline Json TextOrNull(const std::string& text) {
  return text.empty() ? Json(nullptr) : Json(text);
}

inline std::string InstantOfMillis(std::int64_t millis) {
  return FormatIso(UnixNanos::FromMillis(millis));
}

}  // namespace tw::server::internal
