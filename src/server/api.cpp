#include "server/api.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/log.h"
#include "net/request_target.h"
#include "server/internal/handlers.h"
#include "server/problem.h"

namespace tw::server {
namespace internal {

const std::vector<Handlers::Route>& Handlers::Routes() {
  using H = Handlers;
  static const std::vector<Route> routes = {
      {"GET", "/status", false, &H::GetStatus},
      {"GET", "/overview", false, &H::GetOverview},
      {"GET", "/metric-definitions", false, &H::ListMetricDefinitions},
      {"GET", "/openapi.yaml", false, &H::GetDescription},
      {"GET", "/instruments", false, &H::ListInstruments},
      {"GET", "/instruments/{symbol}/{freq}", false, &H::GetInstrument},
      {"GET", "/instruments/{symbol}/{freq}/quality", false, &H::GetQuality},
      {"GET", "/instruments/{symbol}/{freq}/coverage", false, &H::GetCoverage},
      {"GET", "/instruments/{symbol}/{freq}/bars", false, &H::GetBars},
      {"GET", "/models", false, &H::ListModels},
      {"GET", "/models/{name}", false, &H::GetModel},
      {"GET", "/models/{name}/versions/{version}", false, &H::GetModelVersion},
      {"GET", "/simulations", false, &H::ListSimulations},
      {"POST", "/simulations", true, &H::StartSimulation},
      {"GET", "/simulations/{id}", false, &H::GetSimulation},
      {"DELETE", "/simulations/{id}", true, &H::DeleteSimulation},
      {"POST", "/simulations/{id}/cancel", true, &H::CancelSimulation},
      {"GET", "/simulations/{id}/events", false, &H::WatchSimulation},
      {"GET", "/simulations/{id}/result", false, &H::GetResult},
      {"GET", "/simulations/{id}/series", false, &H::GetSeries},
      {"GET", "/simulations/{id}/trades", false, &H::ListTrades},
      {"GET", "/simulations/{id}/compare/{other}", false, &H::CompareSimulations},
      {"GET", "/simulations/{id}/files/{file}", false, &H::DownloadSimulationFile},
      {"GET", "/experiments", false, &H::ListExperiments},
      {"GET", "/runs", false, &H::ListRuns},
      {"GET", "/runs/compare", false, &H::CompareRuns},
      {"GET", "/runs/{run_id}", false, &H::GetRun},
      {"GET", "/runs/{run_id}/curves", false, &H::GetCurves},
      {"GET", "/runs/{run_id}/file", false, &H::DownloadRunFile},
      {"GET", "/trials", false, &H::ListTrials},
      {"GET", "/studies", false, &H::ListStudies},
      {"GET", "/studies/{study_id}", false, &H::GetStudy},
      {"GET", "/studies/{study_id}/trials", false, &H::ListStudyTrials},
  };
  return routes;
}

}  // namespace internal

namespace {

constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: "
    "blob:; font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri "
    "'none'; form-action 'none'; frame-ancestors 'none'";

// The same time for every text of the wanted length.
bool SameSecret(std::string_view given, std::string_view wanted) {
  if (given.size() != wanted.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < wanted.size(); ++i)
    difference |= static_cast<unsigned>(given[i] != wanted[i]);
  return difference == 0;
}

// "localhost:8765" -> "localhost", "[::1]:80" -> "[::1]".
std::string_view WithoutPort(std::string_view host) {
  if (host.starts_with('[')) return host.substr(0, host.find(']') + 1);
  return host.substr(0, host.find(':'));
}

// An address and no name: nobody else's name server decides where it leads.
bool IsAddressLiteral(std::string_view host) {
  if (host.starts_with('[')) return host.ends_with(']');
  return !host.empty() &&
         std::ranges::all_of(host, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

std::vector<std::string_view> SplitPattern(std::string_view pattern) {
  std::vector<std::string_view> parts;
  pattern.remove_prefix(1);
  while (true) {
    const std::size_t slash = pattern.find('/');
    parts.push_back(pattern.substr(0, slash));
    if (slash == std::string_view::npos) return parts;
    pattern.remove_prefix(slash + 1);
  }
}

// The values of the braces when the path fits.
std::optional<std::map<std::string, std::string>> Match(const std::vector<std::string>& segments,
                                                        std::string_view pattern) {
  const std::vector<std::string_view> parts = SplitPattern(pattern);
  constexpr std::size_t kPrefix = 2;  // api, v1
  if (parts.size() + kPrefix != segments.size()) return std::nullopt;
  std::map<std::string, std::string> values;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const std::string& segment = segments[i + kPrefix];
    if (parts[i].starts_with('{')) {
      values[std::string(parts[i].substr(1, parts[i].size() - 2))] = segment;
    } else if (parts[i] != segment) {
      return std::nullopt;
    }
  }
  return values;
}

void AddSecurityHeaders(net::ServerResponse& response) {
  const auto add = [&](const char* name, std::string_view value) {
    response.headers.emplace_back(name, value);
  };
  add("Content-Security-Policy", kPolicy);
  add("X-Content-Type-Options", "nosniff");
  add("X-Frame-Options", "DENY");
  add("Referrer-Policy", "no-referrer");
  add("Cross-Origin-Opener-Policy", "same-origin");
  add("Cross-Origin-Resource-Policy", "same-origin");
  add("Permissions-Policy", "camera=(), geolocation=(), microphone=()");
  const bool cached = std::ranges::any_of(
      response.headers, [](const auto& header) { return header.first == "Cache-Control"; });
  if (!cached) add("Cache-Control", "no-store");
}

}  // namespace

class Api::Impl {
 public:
  Impl(const ServerServices& services, const ApiOptions& options, StaticFiles files)
      : options_(options),
        engine_(services),
        simulations_(engine_, options.limits),
        handlers_(engine_, simulations_, options.beyond_loopback),
        files_(std::move(files)) {
    constexpr std::size_t kTokenMin = 16;
    TW_CHECK(options.token.size() >= kTokenMin, "a token of {} characters", options.token.size());
  }

  net::ServerResponse Handle(const net::ServerRequest& request) {
    if (const auto refusal = CheckHost(request)) return Respond(*refusal);
    const auto target = net::ParseRequestTarget(request.target);
    if (!target.ok()) return Respond(ProblemOf(target.error()));
    const bool api = !target->segments.empty() && target->segments[0] == "api";
    if (!api) return files_.Serve(request, target->segments);
    return HandleApi(request, *target);
  }

 private:
  // Only names that the server goes by, and only its own pages.
  std::optional<Problem> CheckHost(const net::ServerRequest& request) const {
    const std::string& host = request.header("host");
    const std::string_view name = WithoutPort(host);
    const bool known = net::IsLoopback(name) ||
                       std::ranges::find(options_.hosts, name) != options_.hosts.end() ||
                       (options_.beyond_loopback && IsAddressLiteral(name));
    if (!known) {
      return Refusal(403,
                     "this server does not go by the name in the Host header; `tradewind serve "
                     "--allow-host NAME` adds one",
                     "header.Host");
    }
    const std::string& origin = request.header("origin");
    if (!origin.empty() && origin != "http://" + host && origin != "https://" + host)
      return Refusal(403, "requests of other sites' pages are not answered", "header.Origin");
    const std::string& site = request.header("sec-fetch-site");
    const bool foreign = site == "cross-site" || site == "same-site";
    // A link from elsewhere may open a page; nothing else may ask for anything.
    if (foreign && request.header("sec-fetch-mode") != "navigate")
      return Refusal(403, "requests of other sites' pages are not answered",
                     "header.Sec-Fetch-Site");
    return std::nullopt;
  }

  bool Authorised(const net::ServerRequest& request) const {
    constexpr std::string_view kBearer = "Bearer ";
    const std::string& given = request.header("authorization");
    return given.starts_with(kBearer) &&
           SameSecret(std::string_view(given).substr(kBearer.size()), options_.token);
  }

  net::ServerResponse HandleApi(const net::ServerRequest& request,
                                const net::RequestTarget& target) {
    const bool authorised = Authorised(request);
    const bool wrong = !authorised && !request.header("authorization").empty();
    if (wrong || (options_.beyond_loopback && !authorised)) {
      return Respond(Refusal(401,
                             wrong ? "the token is wrong; `tradewind serve` prints the right one"
                                   : "beyond loopback the API needs the token that `tradewind "
                                     "serve` prints",
                             "header.Authorization"));
    }
    const bool v1 = target.segments.size() >= 2 && target.segments[1] == "v1";
    const std::string method = request.method == "HEAD" ? "GET" : request.method;
    std::string allowed;
    for (const internal::Handlers::Route& route : internal::Handlers::Routes()) {
      if (!v1) break;
      auto values = Match(target.segments, route.pattern);
      if (!values) continue;
      if (route.method != method) {
        allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
        if (route.method == "GET") allowed += ", HEAD";
        continue;
      }
      return Run(route, request, target, std::move(*values), authorised);
    }
    if (!allowed.empty()) {
      net::ServerResponse response = Respond(
          Refusal(405, "this address does not know the method " + request.method.substr(0, 20)));
      response.headers.emplace_back("Allow", allowed);
      return response;
    }
    return Respond(Refusal(404, "the API has no such address; see /api/v1/openapi.yaml"));
  }

  net::ServerResponse Run(const internal::Handlers::Route& route, const net::ServerRequest& request,
                          const net::RequestTarget& target,
                          std::map<std::string, std::string> values, bool authorised) {
    if (route.needs_token && !authorised) {
      return Respond(Refusal(401,
                             "what changes the server's state needs the token that `tradewind "
                             "serve` prints",
                             "header.Authorization"));
    }
    if (!request.body.empty()) {
      if (route.method != "POST") return Respond(Refusal(400, "body: wanted none", "body"));
      const std::string& type = request.header("content-type");
      if (type != "application/json" && !type.starts_with("application/json;"))
        return Respond(Refusal(415, "wanted application/json", "header.Content-Type"));
    }
    internal::Call call{.request = request,
                        .path = std::move(values),
                        .query = Query(target.query),
                        .authorised = authorised};
    internal::Answer answer = (handlers_.*route.function)(call);
    if (answer.ok()) return std::move(answer).value();
    const Problem problem = ProblemOf(answer.error());
    if (problem.status >= 500)
      LogWarn("api.failed", "route={} status={} error={}", route.pattern, problem.status,
              problem.detail);
    return Respond(problem);
  }

  ApiOptions options_;
  Engine engine_;
  Simulations simulations_;
  internal::Handlers handlers_;
  StaticFiles files_;
};

Api::Api(const ServerServices& services, const ApiOptions& options, StaticFiles files)
    : impl_(std::make_unique<Impl>(services, options, std::move(files))) {}

Api::~Api() = default;

net::ServerResponse Api::Handle(const net::ServerRequest& request) {
  net::ServerResponse response = impl_->Handle(request);
  AddSecurityHeaders(response);
  return response;
}

net::ServerResponse Api::Refuse(int status) {
  net::ServerResponse response =
      Respond(Refusal(status, status == 413 ? "the body is larger than this server takes"
                                            : "too many requests wait, or the server stops"));
  AddSecurityHeaders(response);
  return response;
}

std::vector<Api::RouteName> Api::Routes() {
  std::vector<RouteName> names;
  for (const internal::Handlers::Route& route : internal::Handlers::Routes())
    names.push_back({std::string(route.method), std::string(route.pattern), route.needs_token});
  return names;
}

}  // namespace tw::server
