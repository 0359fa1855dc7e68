#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <memory>
#include <mutex>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <vector>

#include "base/files.h"
#include "base/log.h"
#include "base/unique_id.h"
#include "hpo/storage.h"
#include "net/http_server.h"
#include "server/api.h"
#include "server/static_files.h"
#include "store/store.h"
#include "tradewind/app.h"
#include "tradewind/services.h"
#include "tradewind/study_storage.h"
#include "tradewind/tracking_session.h"

namespace tw::app {
namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t kTokenMin = 16;

struct ServeOptions {
  std::string address = "127.0.0.1";
  int port = 8765;
  std::string web;
  std::vector<std::string> hosts;
  int jobs = 2;
  int workers = 8;
};

// Kept beside the store, so that a page that is open outlives a restart of the server.
Result<std::string> TokenOf(const AppContext& context, const std::string& home) {
  if (const auto given = context.Env("TRADEWIND_SERVE_TOKEN")) {
    if (given->size() < kTokenMin) {
      return Error{ErrorCode::kUsage, fmt::format("TRADEWIND_SERVE_TOKEN has {} characters, wanted "
                                                  "{} or more",
                                                  given->size(), kTokenMin)};
    }
    return *given;
  }
  const std::string path = home + "/serve-token";
  std::error_code ignored;
  if (std::filesystem::exists(path, ignored)) {
    std::string token = TW_TRY(ReadFile(path));
    while (!token.empty() && token.back() == '\n') token.pop_back();
    if (token.size() >= kTokenMin) return token;
    std::filesystem::remove(path, ignored);
  }
  const std::string token = UniqueHex(24);
  // For its owner's eyes only, from its first byte on.
  const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (file < 0) return Error{ErrorCode::kIo, path + ": the token cannot be kept there"};
  const bool written =
      ::write(file, token.data(), token.size()) == static_cast<ssize_t>(token.size());
  ::close(file);
  if (!written) return Error{ErrorCode::kIo, path + ": the token cannot be written"};
  return token;
}

// Beside an installed program, or in the checkout that a build folder belongs to.
std::string FindBundle(const AppContext& context) {
  namespace fs = std::filesystem;
  std::vector<fs::path> places;
  if (const auto named = context.Env("TRADEWIND_WEB")) places.emplace_back(*named);
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error).parent_path();
  if (!error) {
    places.push_back(program / "../share/tradewind/web");
    places.push_back(program / "../../../web/dist");
  }
  for (const fs::path& place : places) {
    if (fs::exists(place / "index.html", error)) return place.lexically_normal().string();
  }
  return "";
}

Result<server::StaticFiles> LoadBundle(AppContext& context, const std::string& named) {
  const std::string dir = named.empty() ? FindBundle(context) : named;
  if (!dir.empty()) return server::StaticFiles::Load(dir);
  context.Note(
      "note: the web application is not built; scripts/quickstart.sh --web builds it (or cd web && "
      "npm ci && npm run build). The API works without it.");
  return server::StaticFiles();
}

// An empty home is no error here: the page says what to do. What is asked of a tracking server is
// asked at once and not by the spool: a promotion is done when the page says so, or it failed.
Result<Services> OpenForServing(const AppContext& context,
                                const std::optional<TrackingServer>& tracking) {
  const std::string home = TW_TRY(context.StoreDir());
  TW_TRY(CreateDirectories(home));
  TW_TRY(store::Store::OpenOrCreate(home));
  Services services = TW_TRY(OpenServices(context));
  if (tracking) {
    services.spool.reset();
    services.tracker = TW_TRY(OpenServer(*tracking, context));
  }
  return services;
}

// Without the studies of the search the rest works all the same.
std::shared_ptr<hpo::Storage> StudiesForServing(AppContext& context) {
  const auto url = StorageUrl(context, "");
  auto studies =
      url.ok() ? OpenStudies(context, *url) : Result<std::shared_ptr<hpo::Storage>>(url.error());
  if (studies.ok()) return std::move(studies).value();
  context.Note("warning: no studies are shown: " + studies.error().message);
  return nullptr;
}

void WaitForStop(const std::stop_token& stop) {
  std::mutex mutex;
  std::condition_variable_any stopped;
  std::unique_lock lock(mutex);
  stopped.wait(lock, stop, [] { return false; });
}

Status Serve(AppContext& context, const ServeOptions& options) {
  const std::string address = options.address == "localhost" ? "127.0.0.1" : options.address;
  const bool beyond = !net::IsLoopback(address);
  server::StaticFiles files = TW_TRY(LoadBundle(context, options.web));
  const auto tracking = TW_TRY(FindTrackingServer(context));
  const Services services = TW_TRY(OpenForServing(context, tracking));
  const std::shared_ptr<hpo::Storage> studies = StudiesForServing(context);
  server::ApiOptions api_options;
  api_options.token = TW_TRY(TokenOf(context, services.home));
  api_options.beyond_loopback = beyond;
  api_options.hosts = options.hosts;
  api_options.limits.workers = options.jobs;
  server::Api api({.store = services.store,
                   .tracker = *services.tracker,
                   .ledger = *services.ledger,
                   .clock = context.clock(),
                   .program = services.Train(context).program,
                   .version = TW_VERSION,
                   .tracker_name = tracking ? tracking->shown : services.home + "/tracking",
                   .studies = studies.get()},
                  api_options, std::move(files));
  net::HttpServerOptions server_options;
  server_options.address = address;
  server_options.port = options.port;
  server_options.workers = options.workers;
  server_options.refuse = &server::Api::Refuse;
  const auto server = TW_TRY(net::HttpServer::Start(
      server_options, context.clock(), [&](const auto& request) { return api.Handle(request); }));
  const std::string host = address.find(':') == std::string::npos ? address : "[" + address + "]";
  const std::string base = fmt::format("http://{}:{}/", host, server->port());
  const std::string url = base + "#token=" + api_options.token;
  if (context.json()) {
    context.Print(Json({{"url", url}, {"base", base}, {"port", server->port()}}).dump());
  } else {
    context.Print(
        fmt::format("Tradewind is at\n\n  {}\n\nThe part behind # is the token: keep it "
                    "to yourself. Ctrl-C stops the server.",
                    url));
  }
  if (beyond) {
    context.Note(
        "warning: listening beyond this machine without encryption; put a TLS proxy or a tunnel in "
        "front, and name its host by --allow-host");
  }
  WaitForStop(context.stop());
  server->Stop();
  context.Note("stopped");
  return {};
}

}  // namespace

void AddServeCommand(Command root, AppContext& context) {
  const auto options = std::make_shared<ServeOptions>();
  Command command =
      AddCommand(root, context,
                 {"serve", "The web application: look at what an agent did, compare, ask what if",
                  "tradewind serve\n"
                  "tradewind serve --port 9000 --web web/dist\n"
                  "tradewind serve --address 0.0.0.0 --allow-host trader.example\n"},
                 [&context, options] { return Serve(context, *options); });
  command.Add("--address", options->address,
              "Address to listen on (default 127.0.0.1; others need the token for all)");
  command.Add("--port", options->port, "Port (default 8765; 0: any that is free)")
      .Between(0, 65535);
  command.Add("--web", options->web, "Folder of the built web application");
  command.Add("--allow-host", options->hosts, "Another name that the server goes by")
      .OneValueEach();
  command.Add("--jobs", options->jobs, "Simulations that run at once (default 2)").Between(1, 64);
  command.Add("--threads", options->workers, "Requests that are worked on at once (default 8)")
      .Between(1, 256);
}

}  // namespace tw::app
