// What a client of `tradewind serve` may send: the target of the request line, the parameters
// behind its question mark, and the body of a simulation request. Whatever comes is taken apart or
// refused; what was read writes and reads back.
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "net/request_target.h"
#include "server/problem.h"
#include "server/query.h"
#include "server/simulation_request.h"

namespace {

void TakeTarget(std::string_view text) {
  const auto target = tw::net::ParseRequestTarget(text);
  if (!target.ok()) {
    TW_CHECK(!tw::server::ToJson(tw::server::ProblemOf(target.error())).empty(), "no problem");
    return;
  }
  for (const std::string& segment : target->segments) {
    TW_CHECK(!segment.empty() && segment != "." && segment != "..", "a segment '{}'", segment);
    TW_CHECK(segment.find('\0') == std::string::npos, "a NUL in a segment");
  }
  tw::server::Query query(target->query);
  query.Integer("limit", 1, {1, 1000});
  query.Flag("nested", false);
  query.Text("filter", 2000);
  query.Choice("order", "asc", {"asc", "desc"});
  query.Instant("from");
  query.Texts("key", 0, 20, 250);
  const auto finished = query.Finish();
  if (!finished.ok()) tw::server::ToJson(tw::server::ProblemOf(finished.error()));
}

void TakeBody(std::string_view text) {
  const auto request = tw::server::ParseSimulationRequest(text);
  if (!request.ok()) {
    tw::server::ToJson(tw::server::ProblemOf(request.error()));
    return;
  }
  const auto again = tw::server::ParseSimulationRequest(tw::server::ToJson(*request));
  TW_CHECK(again.ok() && *again == *request, "what was written reads back otherwise");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (text.starts_with('/')) {
    TakeTarget(text);
  } else {
    TakeBody(text);
  }
  return 0;
}
