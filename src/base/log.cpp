#include "base/log.h"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <memory>

namespace tw {
namespace {

// The logger is process-wide state by nature; apps/ set it once before any thread starts.
std::shared_ptr<spdlog::logger>& Logger() {
  static std::shared_ptr<spdlog::logger> logger;
  return logger;
}

std::atomic<LogLevel>& Level() {
  static std::atomic<LogLevel> level{LogLevel::kOff};
  return level;
}

}  // namespace

void SetUpLog(LogLevel level) {
  auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  auto logger = std::make_shared<spdlog::logger>("tradewind", std::move(sink));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc);
  logger->set_level(spdlog::level::debug);
  logger->set_error_handler([](const std::string&) {});
  Logger() = std::move(logger);
  Level().store(level);
}

bool LogEnabled(LogLevel level) {
  return level >= Level().load(std::memory_order_relaxed) && level != LogLevel::kOff;
}

void LogLine(LogLevel level, std::string_view line) {
  if (!LogEnabled(level) || Logger() == nullptr) return;
  static constexpr spdlog::level::level_enum kLevels[] = {spdlog::level::debug, spdlog::level::info,
                                                          spdlog::level::warn, spdlog::level::err};
  Logger()->log(kLevels[static_cast<int>(level)], spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace tw
