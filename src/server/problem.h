#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "net/http_server.h"

namespace tw::server {

/// A field of a request that is at fault.
struct FieldError {
  std::string field;  // "/costs/slippage_pips" of the body, "query.limit", "path.id", "header.Host"
  std::string message;
};

/// An error as a client sees it: RFC 9457, with a stable code and the fields at fault.
struct Problem {
  int status = 500;
  std::string code;  // "not_found"
  std::string detail;
  std::vector<FieldError> errors;
};

/// The status follows from the code. Each line of the message that begins with a field and ": "
/// ("query.limit: 0 is below 1", "/from: ...") names it.
Problem ProblemOf(const Error& error);

/// For refusals that no Error stands for: 401, 403, 405, 413, 415.
Problem Refusal(int status, std::string detail, std::string field = {});

std::string ToJson(const Problem& problem);

/// application/problem+json. 401 says which scheme, 503 when to try again.
net::ServerResponse Respond(const Problem& problem);

/// The phrase of a status code.
std::string TitleOf(int status);

}  // namespace tw::server
