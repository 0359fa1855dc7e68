#include "tradewind/tracking_session.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/files.h"
#include "net/url.h"
#include "tradewind/server_environment.h"

namespace tw::app {
namespace {

constexpr std::int64_t kFlushFirstMs = 3'000;

std::int64_t Millis(double seconds) { return static_cast<std::int64_t>(seconds * 1'000); }

std::string WaitingText(std::int64_t records, const std::string& why) {
  return fmt::format(
      "{} records wait for the tracking server{}; send them with: tradewind tracking "
      "flush",
      records, why.empty() ? "" : fmt::format(" ({})", why));
}

}  // namespace

void Bind(const ConfigSection& root, TrackingConfig& config) {
  const ConfigSection section = root.Section("tracking");
  section.Text("uri", config.uri);
  section.Number("answer_wait_seconds", config.answer_wait_seconds, {.min = 0, .max = 60});
  section.Number("exit_wait_seconds", config.exit_wait_seconds, {.min = 0, .max = 86'400});
  section.Integer("spool_bytes_max", config.spool_bytes_max, {.min = 1 << 20, .max = 1e15});
}

Result<std::optional<TrackingServer>> FindTrackingServer(const AppContext& context) {
  TrackingServer server;
  const Config settings = TW_TRY(context.LoadSettings());
  Bind(settings.root(), server.config);
  std::string uri = server.config.uri;
  if (uri.empty()) uri = context.Env("MLFLOW_TRACKING_URI").value_or("");
  if (uri.empty() || uri == "local") return std::optional<TrackingServer>();
  server.connection = TW_TRY(MlflowAt(context, uri));
  server.shown = net::RedactUrl(uri);
  server.spool = TW_TRY(context.StoreDir()) + "/spool/" + tracking::SpoolNameOf(server.shown);
  return std::optional(std::move(server));
}

Result<std::unique_ptr<tracking::SpoolTracker>> OpenSpool(const TrackingServer& server,
                                                          const AppContext& context) {
  tracking::SpoolOptions options;
  options.directory = server.spool;
  options.bytes_max = server.config.spool_bytes_max;
  options.answer_wait_ms = Millis(server.config.answer_wait_seconds);
  tracking::MlflowConnection connection = server.connection;
  connection.mlflow.stop = options.abort.get_token();
  // The spool tries again by itself and for as long as it takes; a second try here is for the
  // server's own Retry-After.
  connection.retry.tries_max = std::min(connection.retry.tries_max, 2);
  connection.mlflow.timeout_ms = std::min<std::int64_t>(connection.mlflow.timeout_ms, 30'000);
  auto tracker = TW_TRY(tracking::MlflowTracker::Connect(connection, context.clock()));
  TW_TRY(CreateDirectories(server.spool));
  // For people, and for `tracking status` about servers that are not in use now.
  if (!std::filesystem::exists(server.spool + "/server"))
    TW_TRY(WriteFileAtomically(server.spool + "/server", server.shown + "\n"));
  return tracking::SpoolTracker::Open(std::move(options), std::move(tracker), context.clock());
}

Result<std::unique_ptr<tracking::Tracker>> OpenServer(const TrackingServer& server,
                                                      const AppContext& context) {
  tracking::MlflowConnection connection = server.connection;
  // Somebody waits for the answer.
  connection.retry.tries_max = std::min(connection.retry.tries_max, 3);
  connection.mlflow.stop = context.stop();
  auto tracker = TW_TRY(tracking::MlflowTracker::Connect(connection, context.clock()));
  const auto waiting = tracking::ReadSpoolStatus(server.spool);
  if (waiting.ok() && waiting->records > 0) {
    std::stop_source enough;
    const std::int64_t until = context.clock().MonotonicNanos() + kFlushFirstMs * 1'000'000;
    tracking::FlushOptions options;
    options.tries_max = 1;
    options.on_progress = [&](std::int64_t) {
      if (context.clock().MonotonicNanos() > until || context.stop().stop_requested())
        enough.request_stop();
    };
    const auto flushed =
        tracking::FlushSpool(server.spool, *tracker, context.clock(), options, enough.get_token());
    const auto left = tracking::ReadSpoolStatus(server.spool);
    if (left.ok() && left->records > 0)
      context.Note(WaitingText(left->records, flushed.ok() ? "" : flushed.error().message));
  }
  return std::unique_ptr<tracking::Tracker>(std::move(tracker));
}

SpoolExit::SpoolExit(const AppContext& context, tracking::SpoolTracker& spool,
                     const TrackingServer& server)
    : context_(context), spool_(spool), server_(server) {}

SpoolExit::~SpoolExit() { Wait(); }

std::int64_t SpoolExit::Wait() {
  if (waiting_) return *waiting_;
  std::int64_t waiting = spool_.WaitUntilSent(200, {});
  if (waiting > 0 && !context_.stop().stop_requested()) {
    context_.Note(fmt::format("sending {} records to {} (Ctrl-C leaves them for later)", waiting,
                              server_.shown));
    waiting = spool_.WaitUntilSent(Millis(server_.config.exit_wait_seconds), context_.stop());
  }
  if (waiting > 0) context_.Note(WaitingText(waiting, spool_.last_failure()));
  waiting_ = waiting;
  return waiting;
}

}  // namespace tw::app
