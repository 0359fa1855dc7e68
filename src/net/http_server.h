#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"

namespace tw::net {

/// A request with its whole body, as it came.
struct ServerRequest {
  std::string method = "GET";
  std::string target = "/";                    // raw: ParseRequestTarget takes it apart
  std::map<std::string, std::string> headers;  // names in lower case; repeated ones joined by ", "
  std::string body;

  /// The header's value, or "". `name` in lower case.
  const std::string& header(const std::string& name) const;
};

/// What follows the head of an answer piece by piece, for as long as it lasts: server-sent events.
/// Owned by the answer; destroyed when the client goes or the stream ends.
class ServerStream {
 public:
  ServerStream() = default;
  ServerStream(const ServerStream&) = delete;
  ServerStream& operator=(const ServerStream&) = delete;
  ServerStream(ServerStream&&) = delete;
  ServerStream& operator=(ServerStream&&) = delete;
  virtual ~ServerStream() = default;

  /// Given once, before the first Read. `wake` says that Read has something new; it may be called
  /// from any thread, at any time, also after the stream is gone.
  virtual void Begin(std::function<void()> wake) = 0;
  /// What is to be sent now; empty when there is nothing, nothing at all when the stream is over.
  /// Called by the thread that serves all sockets: quick, never blocking. With `keep_alive` it has
  /// been silent for long, and should say something that the client ignores: only so is noticed
  /// that a client is gone.
  virtual std::optional<std::string> Read(bool keep_alive) = 0;

  /// A file rather than news: when the server ends it early, the connection is broken off, so that
  /// nobody takes its beginning for the whole.
  virtual bool must_be_whole() const { return false; }
};

struct ServerResponse {
  int status = 200;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::shared_ptr<const std::string> shared_body = nullptr;  // instead of `body`, for what is kept
  std::unique_ptr<ServerStream> stream = nullptr;            // instead of both
};

struct HttpServerOptions {
  std::string address = "127.0.0.1";  // a literal IPv4 or IPv6 address
  int port = 0;                       // 0: any that is free
  int connections_max = 512;          // more are refused
  int connections_per_address_max = 384;
  int workers = 8;        // threads that run the handler
  int waiting_max = 256;  // requests that wait for one; more are answered 503
  std::int64_t body_bytes_max = 1 << 20;
  /// A connection that has sent no whole request within this time is closed, and so is one that
  /// does not take its answer.
  int idle_seconds = 30;
  int keep_alive_seconds = 15;  // between signs of life of a silent stream
  /// The answer to what the handler does not get: 413 for a body beyond the limit, 503 when too
  /// many requests wait or the server stops. Without it they have no body.
  std::function<ServerResponse(int status)> refuse = {};
};

/// An HTTP/1.1 server on libmicrohttpd (docs/adr/0013): one thread serves all sockets, so that an
/// open stream costs a socket and some kilobytes, and no thread; a few workers run the handler.
/// Memory is bounded by the options: 32 kB a connection besides bodies.
class HttpServer {
 public:
  /// Called by several workers at once. Must not throw.
  using Handler = std::function<ServerResponse(const ServerRequest&)>;

  /// `clock` outlives the server. Errors: kUsage for an address that is none, kIo when the port
  /// cannot be had.
  static Result<std::unique_ptr<HttpServer>> Start(const HttpServerOptions& options,
                                                   const Clock& clock, Handler handler);

  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;
  HttpServer(HttpServer&&) = delete;
  HttpServer& operator=(HttpServer&&) = delete;
  /// Stops.
  ~HttpServer();

  int port() const;
  /// Open connections, streams among them.
  int connections() const;

  /// Takes no more connections, ends the streams, answers what the workers have begun, then closes.
  /// Calls of the handler that run are waited for.
  void Stop();

 private:
  class Impl;
  explicit HttpServer(std::unique_ptr<Impl> impl);

  std::unique_ptr<Impl> impl_;
};

/// 127.0.0.0/8, ::1 and the name localhost.
bool IsLoopback(std::string_view address);

}  // namespace tw::net
