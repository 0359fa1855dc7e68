#pragma once

#include <cstdint>
#include <string>
#include <variant>

namespace tw::db {

/// A parameter of a statement: NULL, an integer, a double, or text in UTF-8 (also for what only the
/// server knows the type of: dates, enums, arrays).
using Value = std::variant<std::monostate, std::int64_t, double, std::string>;

}  // namespace tw::db
