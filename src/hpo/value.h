#pragma once

#include <cstdint>
#include <limits>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"

namespace tw::hpo {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

/// What a parameter or a categorical choice may be in Optuna: null, bool, integer, number, text.
using ParamValue = std::variant<std::monostate, bool, std::int64_t, double, std::string>;

/// Attributes of trials and studies: key to JSON text, as Optuna's `value_json` columns hold it.
using Attributes = std::map<std::string, std::string, std::less<>>;

/// Equality as Python's `==` sees it (1 == 1.0 == true), NaN equal to itself.
bool SameValue(const ParamValue& a, const ParamValue& b);
/// The value as a number (bool 0/1). Errors: kBadData for null and text.
Result<double> NumberOf(const ParamValue& value);
/// For people: text without quotes.
std::string TextOf(const ParamValue& value);

/// JSON text exactly as Python's json.dumps writes it: ", " and ": " between parts, \u escapes for
/// anything beyond ASCII, shortest doubles with a point or exponent, and the tokens NaN, Infinity,
/// -Infinity.
std::string ToJson(double number);
std::string ToJson(const ParamValue& value);
std::string ToJson(const std::vector<double>& numbers);
std::string ToJson(const std::vector<std::int64_t>& numbers);
std::string ToJson(const std::vector<std::pair<std::string, ParamValue>>& object);
std::string JsonString(std::string_view text);

/// The readers accept Python's NaN, Infinity and -Infinity. Errors: kBadData naming the text.
Result<ParamValue> ValueFromJson(std::string_view json);
Result<double> NumberFromJson(std::string_view json);
/// A whole number within +-2^53.
Result<std::int64_t> IntegerFromJson(std::string_view json);
Result<std::vector<double>> NumbersFromJson(std::string_view json);
/// In the order of the text.
Result<std::vector<std::pair<std::string, ParamValue>>> ObjectFromJson(std::string_view json);

/// The text of an attribute; empty when there is none, or none that can be read.
std::string TextAttribute(const Attributes& attributes, std::string_view key);

}  // namespace tw::hpo
