#pragma once

#include <fmt/core.h>

#include <string>

namespace tw::internal {

/// Prints file, line, condition and message to standard error and aborts.
[[noreturn]] void CheckFailed(const char* file, int line, const char* condition,
                              const std::string& message);

}  // namespace tw::internal

/// A condition whose failure is a bug of ours: logs and aborts, in release builds too. The message
/// is fmt-style.
#define TW_CHECK(condition, ...)                                                               \
  do {                                                                                         \
    if (!(condition)) [[unlikely]] {                                                           \
      ::tw::internal::CheckFailed(__FILE__, __LINE__, #condition, ::fmt::format(__VA_ARGS__)); \
    }                                                                                          \
  } while (false)

/// As TW_CHECK, for inner loops: compiled out when NDEBUG is set and no sanitizer runs.
#if defined(NDEBUG) && !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#define TW_DCHECK(condition, ...)                \
  do {                                           \
    if (false) TW_CHECK(condition, __VA_ARGS__); \
  } while (false)
#else
#define TW_DCHECK(condition, ...) TW_CHECK(condition, __VA_ARGS__)
#endif
