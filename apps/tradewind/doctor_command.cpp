#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/embedded_config.h"
#include "base/files.h"
#include "net/url.h"
#include "tracking/mlflow_tracker.h"
#include "tradewind/app.h"
#include "tradewind/server_environment.h"

namespace tw::app {
namespace {

enum class State { kGood, kOff, kBad };

// One line of the answer. kOff is something optional that is not there.
struct Finding {
  std::string topic;
  State state = State::kGood;
  std::string text;
};

std::string_view NameOfState(State state) {
  switch (state) {
    case State::kGood:
      return "ok";
    case State::kOff:
      return "off";
    case State::kBad:
      return "bad";
  }
  return "bad";
}

Finding CheckCpu() {
  std::string sets;
  const auto add = [&sets](bool has, std::string_view name) {
    if (has) sets += (sets.empty() ? "" : " ") + std::string(name);
  };
  const bool avx2 = __builtin_cpu_supports("avx2") != 0;
  const bool fma = __builtin_cpu_supports("fma") != 0;
  const bool bmi2 = __builtin_cpu_supports("bmi2") != 0;
  add(avx2, "avx2");
  add(fma, "fma");
  add(bmi2, "bmi2");
  add(__builtin_cpu_supports("avx512f") != 0, "avx512f");
  add(__builtin_cpu_supports("avx512vl") != 0, "avx512vl");
  add(__builtin_cpu_supports("avx512dq") != 0, "avx512dq");
  add(__builtin_cpu_supports("avx512bw") != 0, "avx512bw");
  if (avx2 && fma && bmi2) return {"cpu", State::kGood, "x86-64-v3 (" + sets + ")"};
  return {"cpu", State::kBad, "this build needs x86-64-v3 (AVX2, FMA, BMI2); found: " + sets};
}

Finding CheckThreads() {
  const unsigned threads = std::thread::hardware_concurrency();
  return {"threads", threads > 0 ? State::kGood : State::kBad,
          fmt::format("{} hardware threads", threads)};
}

Finding CheckMemory() {
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long size = ::sysconf(_SC_PAGESIZE);
  if (pages <= 0 || size <= 0) return {"memory", State::kBad, "size of the memory is not known"};
  constexpr double kGibi = 1024.0 * 1024.0 * 1024.0;
  constexpr double kWanted = 1.0;
  const double gib = static_cast<double>(pages) * static_cast<double>(size) / kGibi;
  return {"memory", gib >= kWanted ? State::kGood : State::kBad, fmt::format("{:.1f} GiB", gib)};
}

// Tries a real file: permissions, a read-only mount and a full disk all show that way.
Finding CheckStore(const AppContext& context) {
  const auto dir = context.StoreDir();
  if (!dir.ok()) return {"store", State::kBad, dir.error().message};
  const auto made = CreateDirectories(*dir);
  if (!made.ok()) return {"store", State::kBad, made.error().message};
  const std::string probe = fmt::format("{}/.doctor-{}", *dir, ::getpid());
  const auto written = WriteFileAtomically(probe, "writable\n");
  ::unlink(probe.c_str());
  if (!written.ok()) return {"store", State::kBad, written.error().message};

  struct statvfs space {};

  if (::statvfs(dir->c_str(), &space) != 0) return {"store", State::kGood, *dir + " is writable"};
  const double free_gb =
      static_cast<double>(space.f_bavail) * static_cast<double>(space.f_frsize) / 1e9;
  return {"store", State::kGood, fmt::format("{} is writable, {:.1f} GB free", *dir, free_gb)};
}

Finding CheckTimeZones(const AppContext& context) {
  const std::string root = context.Env("TZDIR").value_or("/usr/share/zoneinfo");
  const auto index = ReadFile(root + "/tzdata.zi");

  struct stat info {};

  const bool new_york = ::stat((root + "/America/New_York").c_str(), &info) == 0;
  if (!new_york) {
    return {"time zones", State::kBad,
            root + " has no America/New_York; install the package tzdata"};
  }
  constexpr std::string_view kMark = "# version ";
  if (!index.ok() || !index->starts_with(kMark))
    return {"time zones", State::kGood, root + ", version not stated"};
  return {"time zones", State::kGood,
          "tz database " + index->substr(kMark.size(), index->find('\n') - kMark.size()) + " in " +
              root};
}

Finding CheckConfig(const AppContext& context) {
  const auto config = context.LoadConfig();
  if (!config.ok()) return {"config", State::kBad, config.error().message};
  return {"config", State::kGood,
          fmt::format("sound; {} files built in", EmbeddedConfigNames().size())};
}

// Servers that may stand behind the embedded defaults. Named from the environment; a password in
// the address is not shown.
Finding CheckPeer(const AppContext& context, const char* topic, const char* variable,
                  const char* without) {
  const auto address = context.Env(variable);
  if (!address) return {topic, State::kOff, fmt::format("{} is not set: {}", variable, without)};
  std::string shown = *address;
  const std::size_t at = shown.rfind('@');
  const std::size_t scheme = shown.find("://");
  if (at != std::string::npos && scheme != std::string::npos && scheme < at)
    shown.replace(scheme + 3, at - scheme - 3, "***");
  return {topic, State::kBad,
          fmt::format("{} is {}: this version has no client for it yet", variable, shown)};
}

Finding CheckMlflow(const AppContext& context) {
  constexpr const char* kTopic = "mlflow";
  auto connection = MlflowFromEnvironment(context);
  if (!connection.ok()) return {kTopic, State::kBad, connection.error().message};
  if (!*connection) {
    return {kTopic, State::kOff,
            "MLFLOW_TRACKING_URI is not set: runs and models are kept in the store"};
  }
  tracking::MlflowConnection& server = **connection;
  server.mlflow.timeout_ms = 5'000;
  server.retry.tries_max = 1;
  const std::string shown = net::RedactUrl(server.mlflow.uri);
  const auto tracker = tracking::MlflowTracker::Connect(server, context.clock());
  if (!tracker.ok()) return {kTopic, State::kBad, tracker.error().message};
  const auto version = (*tracker)->ServerVersion();
  if (!version.ok()) return {kTopic, State::kBad, version.error().message};
  // Any call that needs a permission: the version needs none.
  const auto allowed = (*tracker)->SearchRuns({.experiment_ids = {"0"}, .max_results = 1});
  if (!allowed.ok()) return {kTopic, State::kBad, allowed.error().message};
  return {kTopic, State::kGood, fmt::format("MLflow {} at {}", *version, shown)};
}

Status Doctor(AppContext& context) {
  const std::array findings = {
      Finding{"version", State::kGood,
              fmt::format("tradewind {}, {} {}", TW_VERSION,
#ifdef __clang__
                          "clang", __clang_version__
#else
                          "g++", __VERSION__
#endif
                          )},
      CheckCpu(),
      CheckThreads(),
      CheckMemory(),
      CheckStore(context),
      CheckTimeZones(context),
      CheckConfig(context),
      CheckMlflow(context),
      CheckPeer(context, "postgresql", "TRADEWIND_DB",
                "studies, ledger and journal are kept in the store"),
  };
  bool good = true;
  std::string text;
  nlohmann::ordered_json document = {{"ok", true}, {"checks", nlohmann::ordered_json::array()}};
  for (const Finding& finding : findings) {
    good = good && finding.state != State::kBad;
    text += fmt::format("{:<4}{:<12}{}\n", NameOfState(finding.state), finding.topic, finding.text);
    document["checks"].push_back(
        {{"topic", finding.topic}, {"state", NameOfState(finding.state)}, {"text", finding.text}});
  }
  document["ok"] = good;
  context.Print(context.json()
                    ? document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace)
                    : text);
  if (!good)
    return Error{ErrorCode::kUnsupported,
                 "something does not work here: see the lines that begin with 'bad'"};
  return {};
}

}  // namespace

void AddDoctorCommand(Command root, AppContext& context) {
  AddCommand(root, context,
             {"doctor",
              "Say what works on this machine: processor, memory, store, time zones, "
              "configuration, servers",
              "tradewind doctor\n"
              "tradewind doctor --json\n"},
             [&context] { return Doctor(context); });
}

}  // namespace tw::app
