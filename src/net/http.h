#pragma once

#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/secret.h"

namespace tw::net {

struct HttpHeader {
  std::string name;
  std::string value;

  bool operator==(const HttpHeader&) const = default;
};

/// Part of a file as the body of a request; read while it is sent.
struct FileRange {
  std::string path;
  std::int64_t offset = 0;
  std::int64_t size = 0;
};

/// Basic when there is a user, else bearer when there is a token. Goes to the request's own origin
/// only: it is dropped when a redirect leads to another scheme, host or port.
struct HttpAuth {
  std::string user = {};
  Secret password = {};
  Secret token = {};

  bool empty() const { return user.empty() && token.empty(); }
};

/// Whether sending the same request twice does the same as sending it once. By method: GET, HEAD,
/// PUT and DELETE may be repeated, POST and PATCH may not.
enum class Repeat : std::uint8_t { kByMethod, kSafe, kUnsafe };

struct HttpRequest {
  std::string method = "GET";
  std::string url = {};  // absolute, http or https, without user and password
  std::vector<HttpHeader> headers = {};
  HttpAuth auth = {};
  std::string body = {};
  std::optional<FileRange> body_file = {};  // instead of `body`
  /// When set, the body of a 2xx answer is written to this file, which appears whole or not at all;
  /// HttpResponse::body stays empty. The body of another answer comes back as usual.
  std::string sink_path = {};
  std::int64_t connect_timeout_ms = 10'000;
  std::int64_t timeout_ms = 120'000;  // from begin to end; 0 is none
  /// Slower than 1 byte a second for so long is an error; 0 is off.
  std::int64_t stall_timeout_ms = 60'000;
  /// Larger answers are an error. A sink is not limited by it but by sink_bytes_max.
  std::int64_t response_bytes_max = std::int64_t{64} << 20U;
  std::int64_t sink_bytes_max = std::int64_t{1} << 40U;
  Repeat repeat = Repeat::kByMethod;
  std::stop_token stop = {};

  bool repeatable() const;
};

struct HttpResponse {
  int status = 0;
  std::vector<HttpHeader> headers = {};  // of the last answer, names as received
  std::string body = {};
  std::int64_t body_bytes = 0;  // also when they went to a file

  bool ok() const { return status >= 200 && status < 300; }

  /// The value of the last header of this name (any case), or nothing.
  std::optional<std::string> Header(std::string_view name) const;
};

/// What is known when there is no answer.
enum class Delivery : std::uint8_t {
  kNotSent,  // no connection: the server cannot have acted
  kUnknown,  // it may have acted
};

struct SendNote {
  Delivery delivery = Delivery::kUnknown;  // meaningful only when Send failed
  int tries = 0;
};

/// Port: sends requests. An answer of any status is a success. Implementations may be called from
/// several threads at once.
///
/// Errors: kExternal naming method, host, path and reason, never headers, query or credentials;
/// kInterrupted when stopped; kIo for the body's file or the sink; kUsage for a request that cannot
/// be sent.
class Http {
 public:
  Http() = default;
  Http(const Http&) = delete;
  Http& operator=(const Http&) = delete;
  Http(Http&&) = delete;
  Http& operator=(Http&&) = delete;
  virtual ~Http() = default;

  virtual Result<HttpResponse> Send(const HttpRequest& request, SendNote& note) = 0;

  Result<HttpResponse> Send(const HttpRequest& request) {
    SendNote note;
    return Send(request, note);
  }
};

/// "PUT host:5000/api/x": how messages name a request.
std::string NameOf(const HttpRequest& request);

/// kExternal "PUT host/path: status 503: <begin of the body>": for an answer that is no success.
/// Control characters of the excerpt are blanks.
Error StatusError(const HttpRequest& request, const HttpResponse& response);

/// Up to `bytes_max` bytes of a text from outside, on one line, cut between UTF-8 characters.
std::string Excerpt(std::string_view text, std::size_t bytes_max);

}  // namespace tw::net
