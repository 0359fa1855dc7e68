#pragma once

#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

namespace tw {

enum class LogLevel { kDebug, kInfo, kWarn, kError, kOff };

/// Sets up the process's logger: lines `UTC level event key=value` on standard error. Only apps/
/// call this; without it nothing is logged. Errors while logging are dropped.
void SetUpLog(LogLevel level);

/// True when a line of this level would be written; for arguments that are dear to compute.
bool LogEnabled(LogLevel level);
void LogLine(LogLevel level, std::string_view line);

/// `LogInfo("import.done", "instrument={} bars={}", symbol, bars)`. Never put a secret into a line.
template <class... Args>
void LogInfo(std::string_view event, fmt::format_string<Args...> format, Args&&... args) {
  if (LogEnabled(LogLevel::kInfo)) {
    LogLine(LogLevel::kInfo,
            std::string(event) + " " + fmt::format(format, std::forward<Args>(args)...));
  }
}

template <class... Args>
void LogWarn(std::string_view event, fmt::format_string<Args...> format, Args&&... args) {
  if (LogEnabled(LogLevel::kWarn)) {
    LogLine(LogLevel::kWarn,
            std::string(event) + " " + fmt::format(format, std::forward<Args>(args)...));
  }
}

template <class... Args>
void LogError(std::string_view event, fmt::format_string<Args...> format, Args&&... args) {
  if (LogEnabled(LogLevel::kError)) {
    LogLine(LogLevel::kError,
            std::string(event) + " " + fmt::format(format, std::forward<Args>(args)...));
  }
}

template <class... Args>
void LogDebug(std::string_view event, fmt::format_string<Args...> format, Args&&... args) {
  if (LogEnabled(LogLevel::kDebug)) {
    LogLine(LogLevel::kDebug,
            std::string(event) + " " + fmt::format(format, std::forward<Args>(args)...));
  }
}

}  // namespace tw
