#pragma once

#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/rng.h"
#include "net/http.h"

namespace tw::tracking {

/// A small MLflow server in memory, as far as the tracker's creates need one, that goes wrong on
/// purpose. What it must answer is settled by the live tests against the real one
/// (tests/peers/mlflow); here it is the faults that matter.
class FakeMlflow final : public net::Http {
 public:
  struct Faults {
    double before = 0;   // the connection breaks before the request arrives
    double refused = 0;  // no connection at all
    double after = 0;    // the request is carried out, the answer is lost
    double garbage = 0;  // carried out, the answer is half of it
    double status = 0;   // carried out or not, then 500
  };

  explicit FakeMlflow(std::uint64_t seed = 1) : rng_(seed, "fake mlflow") {}

  using net::Http::Send;
  Result<net::HttpResponse> Send(const net::HttpRequest& request, net::SendNote& note) override;

  /// Runs that are not deleted, by id.
  std::vector<nlohmann::json> Runs() const;
  std::vector<nlohmann::json> Models() const;
  std::vector<nlohmann::json> Versions() const;

  Faults faults;
  bool logged_models = true;  // false: a server of MLflow 2
  std::string artifact_root = "mlflow-artifacts:/0";
  std::map<std::string, std::string> files;  // by path below the artifact root
  std::vector<net::HttpRequest> requests;
  /// Answers instead of the server when set and not empty.
  std::function<std::optional<net::HttpResponse>(const net::HttpRequest&)> instead;

 private:
  using Json = nlohmann::json;

  net::HttpResponse Handle(const net::HttpRequest& request);
  net::HttpResponse Post(const std::string& path, const Json& body);
  net::HttpResponse Get(const std::string& path, const std::map<std::string, std::string>& query);
  net::HttpResponse ModelCall(const net::HttpRequest& request, const std::string& path,
                              const Json& body);

  Rng rng_;
  std::map<std::string, Json> runs_;
  std::map<std::string, Json> models_;
  std::vector<Json> versions_;
  int next_ = 0;
};

}  // namespace tw::tracking
