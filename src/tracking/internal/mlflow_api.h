#pragma once

#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "net/http.h"
#include "net/s3.h"
#include "net/url.h"
#include "tracking/mlflow_tracker.h"

namespace tw::tracking::internal {

using Json = nlohmann::json;

struct ApiCall {
  std::string method = "GET";
  std::string path = {};  // below the server's base, "/api/2.0/mlflow/runs/get"
  net::Query query = {};
  Json body = nullptr;  // sent as JSON unless null
  net::Repeat repeat = net::Repeat::kByMethod;
};

/// What else is known of a failed call.
struct ApiFailure {
  int status = 0;    // 0: no answer
  std::string code;  // MLflow's error_code, when the answer had one
  /// The server may have done it all the same.
  bool outcome_unknown = false;
};

/// The server's refusals as errors of ours; `body` is what it answered. Never kBadData.
Error ErrorOfAnswer(const net::HttpRequest& request, int status, std::string_view body,
                    ApiFailure& failure);

/// A text as MLflow's filters take it, which know no escape: in single quotes. Errors: kUsage when
/// it has quotes or backslashes.
Result<std::string> QuotedForFilter(std::string_view text);

/// A server's REST API: URLs, credentials, JSON both ways.
class MlflowApi {
 public:
  /// Errors: kUsage for the URI.
  static Result<MlflowApi> Make(MlflowOptions options, net::Http& http, net::Http& s3_http,
                                const Clock& clock);

  const MlflowOptions& options() const { return options_; }

  net::Http& http() const { return *http_; }

  net::S3Client& s3() const { return *s3_; }

  /// "http://host:5000/prefix"; no slash at the end.
  const std::string& base() const { return base_; }

  bool loopback() const { return loopback_; }

  /// The answer's JSON object. Errors: see MlflowTracker.
  Result<Json> Call(const ApiCall& call, ApiFailure& failure) const;

  Result<Json> Call(const ApiCall& call) const {
    ApiFailure failure;
    return Call(call, failure);
  }

  /// The same call for one page after the other, until an answer names no next one or `take` says
  /// false. A server whose pages do not end is an error.
  Result<void> EachPage(ApiCall call, const std::function<Result<bool>(const Json&)>& take) const;

  /// A request with the server's credentials. `url` is absolute and below the server's own origin.
  net::HttpRequest Request(std::string method, std::string url) const;
  /// Sends what Request made; an answer that is no success is an error.
  Result<net::HttpResponse> Send(const net::HttpRequest& request, ApiFailure& failure) const;

 private:
  MlflowApi(MlflowOptions options, net::Http& http, std::unique_ptr<net::S3Client> s3,
            std::string base, bool loopback);

  MlflowOptions options_;
  net::Http* http_;
  std::unique_ptr<net::S3Client> s3_;
  std::string base_;
  bool loopback_ = false;
};

}  // namespace tw::tracking::internal
