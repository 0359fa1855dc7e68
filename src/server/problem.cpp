#include "server/problem.h"

#include <nlohmann/json.hpp>
#include <string_view>

#include "server/internal/json.h"

namespace tw::server {
namespace {

int StatusOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
      return 400;
    case ErrorCode::kConfig:
    case ErrorCode::kBadData:
    case ErrorCode::kUnsupported:
      return 422;
    case ErrorCode::kNotFound:
      return 404;
    case ErrorCode::kExists:
    case ErrorCode::kInterrupted:
      return 409;
    case ErrorCode::kIo:
      return 500;
    case ErrorCode::kBusy:
      return 503;
    case ErrorCode::kExternal:
      return 502;
  }
  return 500;
}

// "query.limit: 0 is below 1" -> the field and the rest; nothing when no field stands in front.
void AddField(std::string_view line, std::vector<FieldError>& errors) {
  const std::size_t end = line.find(": ");
  if (end == std::string_view::npos || end == 0) return;
  const std::string_view field = line.substr(0, end);
  const bool known = field.starts_with('/') || field.starts_with("query") ||
                     field.starts_with("path") || field.starts_with("header.") || field == "body";
  if (!known || field.find(' ') != std::string_view::npos) return;
  errors.push_back({std::string(field), std::string(line.substr(end + 2))});
}

std::string RefusalCode(int status) {
  switch (status) {
    case 401:
      return "unauthorized";
    case 403:
      return "forbidden";
    case 404:
      return "not_found";
    case 405:
      return "method_not_allowed";
    case 413:
      return "too_large";
    case 415:
      return "media_type";
    case 503:
      return "busy";
    default:
      return "usage";
  }
}

}  // namespace

Problem ProblemOf(const Error& error) {
  Problem problem{StatusOf(error.code), std::string(NameOf(error.code)), error.message, {}};
  std::string_view rest = error.message;
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    AddField(rest.substr(0, end), problem.errors);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return problem;
}

Problem Refusal(int status, std::string detail, std::string field) {
  Problem problem{status, RefusalCode(status), std::move(detail), {}};
  if (!field.empty()) problem.errors.push_back({std::move(field), problem.detail});
  return problem;
}

std::string TitleOf(int status) {
  switch (status) {
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 409:
      return "Conflict";
    case 413:
      return "Content Too Large";
    case 415:
      return "Unsupported Media Type";
    case 422:
      return "Unprocessable Content";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    default:
      return "Internal Server Error";
  }
}

namespace internal {

Json ProblemJson(const Problem& problem) {
  Json errors = Json::array();
  for (const FieldError& error : problem.errors)
    errors.push_back({{"field", error.field}, {"message", error.message}});
  return {{"type", "about:blank"},    {"title", TitleOf(problem.status)},
          {"status", problem.status}, {"code", problem.code},
          {"detail", problem.detail}, {"errors", std::move(errors)}};
}

std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

net::ServerResponse Reply(const Json& json, int status) {
  return {.status = status, .headers = {{"Content-Type", "application/json"}}, .body = Dump(json)};
}

}  // namespace internal

std::string ToJson(const Problem& problem) {
  return internal::Dump(internal::ProblemJson(problem));
}

net::ServerResponse Respond(const Problem& problem) {
  net::ServerResponse response{.status = problem.status,
                               .headers = {{"Content-Type", "application/problem+json"}},
                               .body = ToJson(problem)};
  if (problem.status == 401) response.headers.emplace_back("WWW-Authenticate", "Bearer");
  if (problem.status == 503) response.headers.emplace_back("Retry-After", "2");
  return response;
}

}  // namespace tw::server
