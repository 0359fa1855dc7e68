#include "tracking/internal/mlflow_api.h"

#include <fmt/core.h>

#include <utility>

#include "tracking/internal/mlflow_json.h"

namespace tw::tracking::internal {
namespace {

constexpr std::size_t kExcerptBytes = 300;
constexpr int kPagesMax = 100'000;

ErrorCode CodeOf(int status, std::string_view code) {
  if (status == 401 || status == 403 || status == 408 || status == 429) return ErrorCode::kExternal;
  if (code == "RESOURCE_ALREADY_EXISTS" || code == "ALREADY_EXISTS") return ErrorCode::kExists;
  if (code == "RESOURCE_DOES_NOT_EXIST" || code == "NOT_FOUND") return ErrorCode::kNotFound;
  if (code == "ENDPOINT_NOT_FOUND" || status == 501 || status == 405)
    return ErrorCode::kUnsupported;
  if (code == "RESOURCE_CONFLICT" || code == "ABORTED") return ErrorCode::kExternal;
  if (status == 413 || (status >= 400 && status < 500 && !code.empty())) return ErrorCode::kUsage;
  return ErrorCode::kExternal;
}

std::string_view HintOf(int status, bool json) {
  if (status == 401) {
    return "; set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or "
           "MLFLOW_TRACKING_TOKEN";
  }
  if (status == 403 && !json)
    return "; the server or a proxy refuses this address (see its --allowed-hosts)";
  if (status == 404 && !json) return "; is this an MLflow tracking server?";
  if (status >= 300 && status < 400) return "; give the address that it redirects to";
  return "";
}

}  // namespace

Error ErrorOfAnswer(const net::HttpRequest& request, int status, std::string_view body,
                    ApiFailure& failure) {
  const Json json = Json::parse(body, nullptr, false);
  const bool is_error = json.is_object() && json.contains("error_code");
  std::string message;
  failure.status = status;
  failure.code.clear();
  if (is_error) {
    const Json& code = json["error_code"];
    failure.code = code.is_string() ? code.get<std::string>() : code.dump();
    if (const auto text = json.find("message"); text != json.end() && text->is_string())
      message = text->get<std::string>();
  } else {
    message = std::string(body.substr(0, 4096));
  }
  failure.outcome_unknown = status >= 500 && status != 501;
  const std::string code = failure.code.empty() ? "" : " " + net::Excerpt(failure.code, 60);
  const std::string excerpt = net::Excerpt(message, kExcerptBytes);
  return {CodeOf(status, failure.code),
          fmt::format("{}: status {}{}{}{}{}", net::NameOf(request), status, code,
                      excerpt.empty() ? "" : ": ", excerpt, HintOf(status, is_error))};
}

Result<std::string> QuotedForFilter(std::string_view text) {
  if (text.find_first_of("'\"\\") != std::string_view::npos)
    return Error{ErrorCode::kUsage, fmt::format("'{}' cannot stand in a filter", text)};
  return fmt::format("'{}'", text);
}

MlflowApi::MlflowApi(MlflowOptions options, net::Http& http, std::unique_ptr<net::S3Client> s3,
                     std::string base, bool loopback)
    : options_(std::move(options)),
      http_(&http),
      s3_(std::move(s3)),
      base_(std::move(base)),
      loopback_(loopback) {}

Result<MlflowApi> MlflowApi::Make(MlflowOptions options, net::Http& http, net::Http& s3_http,
                                  const Clock& clock) {
  const net::Url url = TW_TRY_CTX(net::ParseUrl(options.uri), "tracking URI");
  if (!url.query.empty())
    return Error{ErrorCode::kUsage,
                 fmt::format("tracking URI '{}': has a query", net::RedactUrl(options.uri))};
  if (options.auth.empty() && !url.user.empty())
    options.auth = {url.user, net::Secret(url.password), {}};
  options.uri.clear();  // it may hold a password
  std::string base = url.origin() + url.path;
  while (base.ends_with('/')) base.pop_back();
  const bool loopback = url.loopback();
  options.s3.stop = options.stop;
  auto s3 = std::make_unique<net::S3Client>(options.s3, s3_http, clock);
  return MlflowApi(std::move(options), http, std::move(s3), std::move(base), loopback);
}

net::HttpRequest MlflowApi::Request(std::string method, std::string url) const {
  net::HttpRequest request;
  request.method = std::move(method);
  request.url = std::move(url);
  request.auth = options_.auth;
  request.timeout_ms = options_.timeout_ms;
  request.stop = options_.stop;
  if (!options_.workspace.empty())
    request.headers.push_back({"X-MLFLOW-WORKSPACE", options_.workspace});
  return request;
}

Result<net::HttpResponse> MlflowApi::Send(const net::HttpRequest& request,
                                          ApiFailure& failure) const {
  net::SendNote note;
  failure = {};
  Result<net::HttpResponse> response = http_->Send(request, note);
  if (!response.ok()) {
    failure.outcome_unknown = note.delivery == net::Delivery::kUnknown;
    return response;
  }
  if (response->ok()) return response;
  return ErrorOfAnswer(request, response->status, response->body, failure);
}

Result<Json> MlflowApi::Call(const ApiCall& call, ApiFailure& failure) const {
  std::string url = base_ + call.path;
  if (!call.query.empty()) url += "?" + net::EncodeQuery(call.query);
  net::HttpRequest request = Request(call.method, std::move(url));
  request.repeat = call.repeat;
  if (!call.body.is_null()) {
    request.headers.push_back({"Content-Type", "application/json"});
    request.body = call.body.dump(-1, ' ', false, Json::error_handler_t::replace);
  }
  const net::HttpResponse response = TW_TRY(Send(request, failure));
  Json json = Json::parse(response.body, nullptr, false);
  if (json.is_object()) return json;
  failure.status = response.status;
  failure.outcome_unknown = true;
  return Error{ErrorCode::kExternal,
               fmt::format("{}: the answer is no JSON object: '{}'", net::NameOf(request),
                           net::Excerpt(response.body, kExcerptBytes))};
}

Result<void> MlflowApi::EachPage(ApiCall call,
                                 const std::function<Result<bool>(const Json&)>& take) const {
  std::string token;
  for (int page = 0; page < kPagesMax; ++page) {
    const Json answer = TW_TRY(Call(call));
    const bool more = TW_TRY(take(answer));
    std::string next = TW_TRY(TextAt(answer, "next_page_token"));
    if (!more || next.empty()) return {};
    if (next == token) break;
    if (call.body.is_object()) {
      call.body["page_token"] = next;
    } else {
      if (!token.empty()) call.query.pop_back();
      call.query.emplace_back("page_token", next);
    }
    token = std::move(next);
  }
  return Error{ErrorCode::kExternal,
               fmt::format("{} {}: pages without end", call.method, base_ + call.path)};
}

}  // namespace tw::tracking::internal
