#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/files.h"
#include "base/progress.h"
#include "base/wait.h"
#include "net/url.h"
#include "tracking/export.h"
#include "tracking/local_tracker.h"
#include "tradewind/app.h"
#include "tradewind/server_environment.h"
#include "tradewind/tracking_session.h"

namespace tw::app {
namespace {

using Json = nlohmann::ordered_json;

struct TrackingArguments {
  std::string to;
  std::vector<std::string> experiments;
  bool dry_run = false;
  bool set_aside = false;
  std::int64_t limit = 10;
};

std::string Dump(const Json& json) {
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string TimeText(std::int64_t time_ms) {
  return FormatIso(UnixNanos::FromMillis(time_ms / 1000 * 1000));
}

// A server as it answers now.
struct Answer {
  bool reachable = false;
  std::string version;
  std::string error;
};

Answer Ask(const TrackingServer& server, const AppContext& context) {
  tracking::MlflowConnection connection = server.connection;
  connection.mlflow.timeout_ms = 5'000;
  connection.retry.tries_max = 1;
  const auto tracker = tracking::MlflowTracker::Connect(connection, context.clock());
  if (!tracker.ok()) return {false, "", tracker.error().message};
  const auto version = (*tracker)->ServerVersion();
  if (!version.ok()) return {false, "", version.error().message};
  return {true, *version, ""};
}

Json SpoolJson(const std::string& directory, const tracking::SpoolStatus& status) {
  return {{"directory", directory},
          {"records", status.records},
          {"bytes", status.bytes},
          {"processes", status.streams},
          {"oldest", status.oldest_ms > 0 ? Json(TimeText(status.oldest_ms)) : Json(nullptr)},
          {"sending", status.draining}};
}

std::string SpoolText(const tracking::SpoolStatus& status) {
  if (status.records == 0) return "nothing";
  return fmt::format("{} records, {} bytes on disk, the oldest of {}{}", status.records,
                     status.bytes, TimeText(status.oldest_ms),
                     status.draining ? "; a process sends just now" : "");
}

// What waits for servers that are not in use now.
Result<Json> OtherSpools(const std::string& home, const std::string& used) {
  Json list = Json::array();
  std::error_code error;
  std::vector<std::string> folders;
  for (std::filesystem::directory_iterator entry(home + "/spool", error);
       !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    if (entry->is_directory()) folders.push_back(entry->path().string());
  }
  std::ranges::sort(folders);
  for (const std::string& folder : folders) {
    if (folder == used) continue;
    const tracking::SpoolStatus status = TW_TRY(tracking::ReadSpoolStatus(folder));
    if (status.records == 0) continue;
    Json json = SpoolJson(folder, status);
    const auto server = ReadFile(folder + "/server");
    json["server"] = server.ok() ? server->substr(0, server->find('\n')) : std::string();
    list.push_back(std::move(json));
  }
  return list;
}

Json RefusalsJson(const std::vector<tracking::SpoolRefusal>& refusals, std::int64_t limit) {
  Json list = Json::array();
  const auto shown = static_cast<std::size_t>(limit);
  for (std::size_t i = refusals.size() > shown ? refusals.size() - shown : 0; i < refusals.size();
       ++i) {
    list.push_back({{"time", TimeText(refusals[i].time_ms)},
                    {"what", refusals[i].what},
                    {"run_id", refusals[i].run_id},
                    {"reason", refusals[i].reason}});
  }
  return list;
}

Status ShowStatus(AppContext& context, const TrackingArguments& arguments) {
  const auto server = TW_TRY(FindTrackingServer(context));
  const std::string home = TW_TRY(context.StoreDir());
  Json json = {{"server", server ? Json(server->shown) : Json(nullptr)}};
  std::string text = server ? fmt::format("server     {}\n", server->shown)
                            : "server     none: runs and models are kept in the store "
                              "(MLFLOW_TRACKING_URI)\n";
  if (server) {
    const Answer answer = Ask(*server, context);
    json["reachable"] = answer.reachable;
    json["version"] = answer.reachable ? Json(answer.version) : Json(nullptr);
    json["error"] = answer.reachable ? Json(nullptr) : Json(answer.error);
    text += answer.reachable ? fmt::format("reachable  yes, MLflow {}\n", answer.version)
                             : fmt::format("reachable  no: {}\n", answer.error);
    const auto status = TW_TRY(tracking::ReadSpoolStatus(server->spool));
    const auto refusals = TW_TRY(tracking::ReadSpoolRefusals(server->spool));
    json["spool"] = SpoolJson(server->spool, status);
    json["refused"] = {{"count", refusals.size()},
                       {"file", server->spool + "/dead.jsonl"},
                       {"last", RefusalsJson(refusals, arguments.limit)}};
    text += fmt::format("waiting    {}\nrefused    {}\n", SpoolText(status), refusals.size());
    for (const Json& refusal : json["refused"]["last"]) {
      text += fmt::format("  {}  {}: {}\n", refusal["time"].get<std::string>(),
                          refusal["what"].get<std::string>(), refusal["reason"].get<std::string>());
    }
    if (!refusals.empty()) text += fmt::format("  kept in {}/dead.jsonl\n", server->spool);
  }
  json["other_servers"] = TW_TRY(OtherSpools(home, server ? server->spool : ""));
  for (const Json& other : json["other_servers"]) {
    text += fmt::format("also       {} records wait for {}\n", other["records"].get<std::int64_t>(),
                        other["server"].get<std::string>());
  }
  context.Print(context.json() ? Dump(json) : text);
  return {};
}

Error NoServer() {
  return {ErrorCode::kUsage,
          "no tracking server: set MLFLOW_TRACKING_URI, or tracking.uri in the config"};
}

// Another process sends: that is as good, as long as it goes on.
Result<tracking::FlushOutcome> FlushOrWatch(AppContext& context, const TrackingServer& server,
                                            tracking::Tracker& tracker,
                                            const tracking::FlushOptions& options) {
  bool told = false;
  for (;;) {
    auto outcome =
        tracking::FlushSpool(server.spool, tracker, context.clock(), options, context.stop());
    if (outcome.ok() || outcome.error().code != ErrorCode::kBusy) return outcome;
    if (TW_TRY(tracking::ReadSpoolStatus(server.spool)).records == 0)
      return tracking::FlushOutcome{};
    if (!told) context.Note("another process sends already; waiting for it");
    told = true;
    if (!WaitUnlessStopped(3 * kNanosPerSecond / 10, context.stop()))
      return Error{ErrorCode::kInterrupted, "the other process goes on sending"};
  }
}

Status Flush(AppContext& context, const TrackingArguments& arguments) {
  const auto server = TW_TRY(FindTrackingServer(context));
  if (!server) return NoServer();
  const tracking::SpoolStatus before = TW_TRY(tracking::ReadSpoolStatus(server->spool));
  tracking::MlflowConnection connection = server->connection;
  connection.retry.tries_max = std::min(connection.retry.tries_max, 2);
  connection.mlflow.stop = context.stop();
  const auto tracker = TW_TRY(tracking::MlflowTracker::Connect(connection, context.clock()));
  std::optional<Progress> progress;
  tracking::FlushOptions options;
  options.tries_max = 4;
  options.set_aside = arguments.set_aside;
  options.on_progress = [&](std::int64_t records) {
    if (!progress && before.records > 0)
      progress.emplace(context.clock(), context.progress_mode(), "sending", "records",
                       before.records);
    if (progress) progress->Update(std::min(records, before.records));
  };
  const auto flushed = FlushOrWatch(context, *server, *tracker, options);
  if (progress) progress->Finish();
  if (!flushed.ok()) {
    const auto left = tracking::ReadSpoolStatus(server->spool);
    return Error{flushed.error().code,
                 fmt::format("{}\n{} records still wait in {}", flushed.error().message,
                             left.ok() ? left->records : before.records, server->spool)};
  }
  if (context.json()) {
    context.Print(Dump({{"server", server->shown},
                        {"sent", flushed->records - flushed->refused},
                        {"refused", flushed->refused},
                        {"waiting", 0}}));
  } else {
    context.Print(
        before.records == 0
            ? fmt::format("nothing waited for {}", server->shown)
            : fmt::format("{} records sent to {}, {} refused{}",
                          flushed->records - flushed->refused, server->shown, flushed->refused,
                          flushed->refused > 0 ? " (see tradewind tracking status)" : ""));
  }
  return {};
}

Status Export(AppContext& context, const TrackingArguments& arguments) {
  const std::string home = TW_TRY(context.StoreDir());
  std::error_code error;
  if (!std::filesystem::exists(home + "/tracking/tracking.db", error)) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("{} holds no runs yet; `tradewind train` makes the first", home)};
  }
  tracking::MlflowConnection connection;
  std::string shown;
  if (!arguments.to.empty()) {
    connection = TW_TRY(MlflowAt(context, arguments.to));
    shown = net::RedactUrl(arguments.to);
  } else {
    auto server = TW_TRY(FindTrackingServer(context));
    if (!server) return NoServer();
    connection = std::move(server->connection);
    shown = server->shown;
  }
  const auto from = TW_TRY(tracking::LocalTracker::Open(home + "/tracking", context.clock()));
  const auto to = TW_TRY(tracking::MlflowTracker::Connect(connection, context.clock()));
  tracking::ExportOptions options;
  options.experiments = arguments.experiments;
  options.dry_run = arguments.dry_run;
  options.on_step = [&](const std::string& what) { context.Note(what); };
  const auto outcome = TW_TRY(tracking::ExportStore(*from, *to, options, context.stop()));
  for (const std::string& note : outcome.notes) context.Note("note: " + note);
  if (context.json()) {
    context.Print(Dump({{"server", shown},
                        {"dry_run", arguments.dry_run},
                        {"runs", outcome.runs},
                        {"unchanged_runs", outcome.unchanged},
                        {"points", outcome.points},
                        {"files", outcome.files},
                        {"models", outcome.models},
                        {"versions", outcome.versions},
                        {"aliases", outcome.aliases},
                        {"notes", outcome.notes}}));
  } else {
    context.Print(fmt::format(
        "{} {}: {} runs ({} were there), {} points, {} files, {} models, {} versions, {} aliases",
        arguments.dry_run ? "would copy to" : "copied to", shown, outcome.runs, outcome.unchanged,
        outcome.points, outcome.files, outcome.models, outcome.versions, outcome.aliases));
  }
  return {};
}

}  // namespace

void AddTrackingCommands(Command root, AppContext& context) {
  context.RegisterConfig([](const ConfigSection& section) {
    TrackingConfig config;
    Bind(section, config);
  });
  Command group = AddGroup(
      root, {"tracking", "What goes to the MLflow server: look, send, copy the store there",
             "tradewind tracking status\n"
             "tradewind tracking flush\n"
             "tradewind tracking export --dry-run\n"});
  const auto arguments = std::make_shared<TrackingArguments>();
  const auto add = [&](const CommandText& text,
                       Status (*run)(AppContext&, const TrackingArguments&)) {
    return AddCommand(group, context, text,
                      [&context, arguments, run] { return run(context, *arguments); });
  };
  add({"status", "Show the server, what waits for it, and what it refused",
       "tradewind tracking status\n"
       "MLFLOW_TRACKING_URI=http://127.0.0.1:5000 tradewind tracking status --json\n"},
      ShowStatus)
      .Add("--limit", arguments->limit, "Show the last so many refusals")
      .Between(0, 1'000'000)
      .ShowsDefault();
  add({"flush", "Send what waits to the server now; Ctrl-C keeps the rest for later",
       "tradewind tracking flush\n"
       "tradewind tracking flush --set-aside\n"},
      Flush)
      .AddFlag("--set-aside", arguments->set_aside,
               "What fails each time at a server that answers otherwise joins what it refused");
  Command exported =
      add({"export",
           "Copy the store's runs and models to the server; again changes nothing, and goes on",
           "tradewind tracking export --dry-run\n"
           "tradewind tracking export --to http://127.0.0.1:5000 --experiment hourly\n"},
          Export);
  exported.Add("--to", arguments->to, "Server [tracking.uri, else MLFLOW_TRACKING_URI]");
  exported.Add("--experiment", arguments->experiments, "Only this experiment; repeatable")
      .OneValueEach();
  exported.AddFlag("--dry-run", arguments->dry_run, "Count only");
}

}  // namespace tw::app
