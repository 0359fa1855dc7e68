#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "tracking/internal/rules.h"
#include "tracking/tracker.h"

namespace tw::tracking {

Result<ModelVersion> FindModel(Tracker& tracker, std::string_view reference) {
  const std::size_t mark = reference.find_first_of("@:");
  const std::string_view name = reference.substr(0, mark);
  TW_TRY(internal::CheckModelName(name));
  if (mark == std::string_view::npos) return tracker.GetModelVersionByAlias(name, "latest");
  const std::string_view rest = reference.substr(mark + 1);
  if (reference[mark] == '@') return tracker.GetModelVersionByAlias(name, rest);
  std::int64_t version = 0;
  const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), version);
  if (error != std::errc() || end != rest.data() + rest.size() || version < 1) {
    return Error{ErrorCode::kUsage,
                 fmt::format("model '{}': wanted NAME, NAME@alias or NAME:VERSION", reference)};
  }
  return tracker.GetModelVersion(name, version);
}

std::string VersionText(std::int64_t version) {
  return version < 0 ? "pending" : fmt::format("{}", version);
}

}  // namespace tw::tracking
