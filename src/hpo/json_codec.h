#pragma once

// Internal: nlohmann/json for Python's dialect of JSON, which knows NaN, Infinity and -Infinity.

#include <nlohmann/json.hpp>
#include <string_view>

#include "base/result.h"
#include "hpo/value.h"

namespace tw::hpo::internal {

using Json = nlohmann::ordered_json;

/// Non-finite numbers become marked texts that AsValue turns back. Errors: kBadData.
Result<Json> ParseJson(std::string_view text);
/// Errors: kBadData for arrays and objects.
Result<ParamValue> AsValue(const Json& json);
Result<double> AsNumber(const Json& json);

}  // namespace tw::hpo::internal
