#pragma once

#include <memory>
#include <string>
#include <vector>

#include "net/http_server.h"
#include "server/engine.h"
#include "server/simulations.h"
#include "server/static_files.h"

namespace tw::server {

struct ApiOptions {
  /// At least 16 characters; whoever has it may do everything that the API offers.
  std::string token;
  /// Listening beyond loopback: then reading needs the token too, and requests may name any
  /// address literally.
  bool beyond_loopback = false;
  /// Names under which the server may be asked for, besides loopback's own: "trader.example".
  std::vector<std::string> hosts = {};
  SimulationLimits limits = {};
};

/// Requests to answers: the guard, the routes of docs/api/openapi.yaml, and the application's
/// files.
///
/// The guard, for every request: Host must be a name that the server goes by (a page of another
/// site whose name was pointed here is refused), Origin must be the server's own when there is one,
/// and other sites' pages get nothing of the API. There are no cookies, so no page can act in
/// another's name; what changes state also needs the token in the Authorization header and a JSON
/// body. Every answer carries a content security policy without inline scripts and eval.
class Api {
 public:
  /// What `services` names outlives the API.
  Api(const ServerServices& services, const ApiOptions& options, StaticFiles files);
  Api(const Api&) = delete;
  Api& operator=(const Api&) = delete;
  Api(Api&&) = delete;
  Api& operator=(Api&&) = delete;
  /// Cancels what runs and waits for it.
  ~Api();

  /// Called by several threads at once.
  net::ServerResponse Handle(const net::ServerRequest& request);

  /// What the server answers without asking (413, 503).
  static net::ServerResponse Refuse(int status);

  struct RouteName {
    std::string method;
    std::string pattern;  // "/simulations/{id}", below /api/v1
    bool needs_token = false;
  };

  /// All routes, for the test that compares them with the description.
  static std::vector<RouteName> Routes();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tw::server
