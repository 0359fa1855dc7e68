#include "net/http_server.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>

namespace tw::net {
namespace {

constexpr std::size_t kConnectionBytes = 32 * 1024;
constexpr std::size_t kStreamBlock = 4096;
constexpr int kStopSeconds = 5;

/// A stream that is being sent. The thread of the sockets reads it, any thread may wake it.
class OpenStream {
 public:
  OpenStream(MHD_Connection* connection, std::unique_ptr<ServerStream> source, const Clock& clock)
      : connection_(connection),
        source_(std::move(source)),
        clock_(clock),
        last_sent_(clock.MonotonicNanos()) {}

  ServerStream& source() { return *source_; }

  void Wake() {
    const std::scoped_lock lock(mutex_);
    ready_ = true;
    ResumeLocked();
  }

  void End() {
    const std::scoped_lock lock(mutex_);
    ended_ = true;
    ResumeLocked();
  }

  /// Asks for a sign of life when nothing was sent for so long.
  void KeepAlive(std::int64_t silent_nanos) {
    const std::scoped_lock lock(mutex_);
    if (clock_.MonotonicNanos() - last_sent_ < silent_nanos) return;
    keep_alive_ = true;
    ready_ = true;
    ResumeLocked();
  }

  /// The connection is gone: nobody touches it again.
  void Detach() {
    const std::scoped_lock lock(mutex_);
    connection_ = nullptr;
    suspended_ = false;
  }

  /// libmicrohttpd's content reader.
  ssize_t Read(char* to, std::size_t max) {
    while (true) {
      if (offset_ < pending_.size()) {
        const std::size_t size = std::min(max, pending_.size() - offset_);
        std::memcpy(to, pending_.data() + offset_, size);
        offset_ += size;
        const std::scoped_lock lock(mutex_);
        last_sent_ = clock_.MonotonicNanos();
        return static_cast<ssize_t>(size);
      }
      bool keep_alive = false;
      {
        const std::scoped_lock lock(mutex_);
        if (ended_) {
          return source_->must_be_whole() ? MHD_CONTENT_READER_END_WITH_ERROR
                                          : MHD_CONTENT_READER_END_OF_STREAM;
        }
        ready_ = false;
        keep_alive = std::exchange(keep_alive_, false);
      }
      std::optional<std::string> text = source_->Read(keep_alive);
      if (!text) return MHD_CONTENT_READER_END_OF_STREAM;
      pending_ = std::move(*text);
      offset_ = 0;
      if (!pending_.empty()) continue;
      // What woke the stream since the question above must not be slept over.
      const std::scoped_lock lock(mutex_);
      if (ready_ || ended_) continue;
      suspended_ = true;
      MHD_suspend_connection(connection_);
      return 0;
    }
  }

 private:
  void ResumeLocked() {
    if (!suspended_ || connection_ == nullptr) return;
    suspended_ = false;
    MHD_resume_connection(connection_);
  }

  std::mutex mutex_;
  MHD_Connection* connection_;
  std::unique_ptr<ServerStream> source_;
  const Clock& clock_;
  std::int64_t last_sent_;
  bool suspended_ = false;
  bool ready_ = false;
  bool keep_alive_ = false;
  bool ended_ = false;
  std::string pending_;  // only the thread of the sockets
  std::size_t offset_ = 0;
};

/// A request on its way through the server.
struct Exchange {
  ServerRequest request;
  MHD_Connection* connection = nullptr;
  bool head_read = false;
  bool too_large = false;
  bool submitted = false;
  bool answered = false;
  ServerResponse response;
};

MHD_Result AddHeader(void* cls, MHD_ValueKind /*kind*/, const char* key, std::size_t key_size,
                     const char* value, std::size_t value_size) {
  auto& headers = static_cast<Exchange*>(cls)->request.headers;
  std::string name(key, key_size);
  std::ranges::transform(name, name.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  });
  std::string& held = headers[name];
  if (!held.empty()) held += ", ";
  if (value != nullptr) held.append(value, value_size);
  return MHD_YES;
}

// What the sockets' address is made of.
struct Address {
  sockaddr_in v4{};
  sockaddr_in6 v6{};
  bool is_v6 = false;

  const sockaddr* get() const {
    return is_v6 ? reinterpret_cast<const sockaddr*>(&v6) : reinterpret_cast<const sockaddr*>(&v4);
  }
};

Result<Address> ParseAddress(const std::string& text, int port) {
  Address address;
  address.v4.sin_family = AF_INET;
  address.v4.sin_port = htons(static_cast<std::uint16_t>(port));
  address.v6.sin6_family = AF_INET6;
  address.v6.sin6_port = htons(static_cast<std::uint16_t>(port));
  if (inet_pton(AF_INET, text.c_str(), &address.v4.sin_addr) == 1) return address;
  if (inet_pton(AF_INET6, text.c_str(), &address.v6.sin6_addr) == 1) {
    address.is_v6 = true;
    return address;
  }
  return Error{ErrorCode::kUsage,
               fmt::format("'{}' is no IPv4 or IPv6 address to listen on", text)};
}

}  // namespace

const std::string& ServerRequest::header(const std::string& name) const {
  static const std::string none;
  const auto found = headers.find(name);
  return found == headers.end() ? none : found->second;
}

bool IsLoopback(std::string_view address) {
  if (address == "localhost" || address == "::1" || address == "[::1]") return true;
  // A name may begin so, too: 127.0.0.1.example.
  return address.starts_with("127.") &&
         std::ranges::all_of(address, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
}

class HttpServer::Impl {
 public:
  Impl(const HttpServerOptions& options, const Clock& clock, Handler handler)
      : options_(options), clock_(clock), handler_(std::move(handler)) {}

  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  Impl(Impl&&) = delete;
  Impl& operator=(Impl&&) = delete;

  Result<void> Start() {
    const Address address = TW_TRY(ParseAddress(options_.address, options_.port));
    unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_ALLOW_SUSPEND_RESUME;
    if (address.is_v6) flags |= MHD_USE_IPv6;
    daemon_ = MHD_start_daemon(
        flags, static_cast<std::uint16_t>(options_.port), nullptr, nullptr, &Impl::OnRequest, this,
        MHD_OPTION_SOCK_ADDR, address.get(), MHD_OPTION_URI_LOG_CALLBACK, &Impl::OnTarget, this,
        MHD_OPTION_NOTIFY_COMPLETED, &Impl::OnCompleted, this, MHD_OPTION_NOTIFY_CONNECTION,
        &Impl::OnConnection, this, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionBytes,
        MHD_OPTION_CONNECTION_LIMIT, static_cast<unsigned>(options_.connections_max),
        MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        static_cast<unsigned>(options_.connections_per_address_max), MHD_OPTION_CONNECTION_TIMEOUT,
        static_cast<unsigned>(options_.idle_seconds), MHD_OPTION_STRICT_FOR_CLIENT, 1,
        MHD_OPTION_END);
    if (daemon_ == nullptr) {
      return Error{
          ErrorCode::kIo,
          fmt::format("{} port {} cannot be listened on: {}", options_.address, options_.port,
                      std::error_code(errno, std::generic_category()).message())};
    }
    const MHD_DaemonInfo* info = MHD_get_daemon_info(daemon_, MHD_DAEMON_INFO_BIND_PORT);
    port_ = info != nullptr ? info->port : options_.port;
    for (int i = 0; i < options_.workers; ++i) workers_.emplace_back([this] { Work(); });
    housekeeper_ = std::thread([this] { KeepHouse(); });
    return {};
  }

  ~Impl() { Stop(); }

  int port() const { return port_; }

  int connections() const {
    const std::scoped_lock lock(mutex_);
    return static_cast<int>(connections_.size());
  }

  void Stop() {
    if (daemon_ == nullptr) return;
    // Nobody new is let in from here on. The socket stays open until the daemon's thread, which
    // still takes it out of its set, has ended: by then its number could be another file's.
    const MHD_socket listener = MHD_quiesce_daemon(daemon_);
    if (listener != MHD_INVALID_SOCKET) ::shutdown(listener, SHUT_RDWR);
    std::vector<std::shared_ptr<OpenStream>> streams;
    {
      const std::scoped_lock lock(mutex_);
      stopping_ = true;
      streams = LiveStreamsLocked();
    }
    for (const auto& stream : streams) stream->End();
    work_.notify_all();
    for (std::thread& worker : workers_) worker.join();
    house_.notify_all();
    housekeeper_.join();
    {
      std::unique_lock lock(mutex_);
      idle_.wait_for(lock, std::chrono::seconds(kStopSeconds), [this] { return busy_ == 0; });
    }
    MHD_stop_daemon(daemon_);
    daemon_ = nullptr;
    if (listener != MHD_INVALID_SOCKET) ::close(listener);
  }

 private:
  struct Held {
    int socket = -1;
    std::int64_t since = 0;  // when it was opened, or its last answer ended
    bool busy = false;       // a whole request is here, its answer is not over
  };

  static void* OnTarget(void* cls, const char* target, MHD_Connection* connection) {
    static_cast<void>(cls);
    auto* exchange = new Exchange();  // until OnCompleted
    exchange->connection = connection;
    exchange->request.target = target;
    return exchange;
  }

  static MHD_Result OnRequest(void* cls, MHD_Connection* connection, const char* /*url*/,
                              const char* method, const char* /*version*/, const char* data,
                              std::size_t* size, void** context) {
    Impl& self = *static_cast<Impl*>(cls);
    Exchange& exchange = *static_cast<Exchange*>(*context);
    const auto limit = static_cast<std::size_t>(self.options_.body_bytes_max);
    if (!exchange.head_read) {
      exchange.head_read = true;
      exchange.request.method = method;
      MHD_get_connection_values_n(connection, MHD_HEADER_KIND, &AddHeader, &exchange);
      const std::string& length = exchange.request.header("content-length");
      std::size_t announced = 0;
      std::from_chars(length.data(), length.data() + length.size(), announced);
      if (announced > limit) return self.Refuse(exchange, 413);
      return MHD_YES;
    }
    if (*size > 0) {
      const bool fits = exchange.request.body.size() + *size <= limit;
      // Past the limit a client is told so, unless it goes on and on.
      if (!fits && exchange.too_large) return MHD_NO;
      if (fits) exchange.request.body.append(data, *size);
      exchange.too_large = !fits;
      *size = 0;
      return MHD_YES;
    }
    if (!exchange.submitted) return self.Submit(exchange);
    return self.Answer(exchange);
  }

  static void OnCompleted(void* cls, MHD_Connection* connection, void** context,
                          MHD_RequestTerminationCode /*code*/) {
    Impl& self = *static_cast<Impl*>(cls);
    delete static_cast<Exchange*>(*context);
    *context = nullptr;
    const std::scoped_lock lock(self.mutex_);
    const auto held = self.connections_.find(connection);
    if (held == self.connections_.end()) return;
    held->second.since = self.clock_.MonotonicNanos();
    self.SetBusyLocked(held->second, false);
  }

  static void OnConnection(void* cls, MHD_Connection* connection, void** /*context*/,
                           MHD_ConnectionNotificationCode code) {
    Impl& self = *static_cast<Impl*>(cls);
    const std::scoped_lock lock(self.mutex_);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
      const MHD_ConnectionInfo* info =
          MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
      self.connections_[connection] = {.socket = info != nullptr ? info->connect_fd : -1,
                                       .since = self.clock_.MonotonicNanos(),
                                       .busy = false};
      return;
    }
    const auto held = self.connections_.find(connection);
    if (held == self.connections_.end()) return;
    self.SetBusyLocked(held->second, false);
    self.connections_.erase(held);
  }

  void SetBusyLocked(Held& held, bool busy) {
    if (held.busy == busy) return;
    held.busy = busy;
    busy_ += busy ? 1 : -1;
    if (busy_ == 0) idle_.notify_all();
  }

  MHD_Result Submit(Exchange& exchange) {
    exchange.submitted = true;
    if (exchange.too_large) return Refuse(exchange, 413);
    {
      const std::scoped_lock lock(mutex_);
      if (!stopping_ && static_cast<int>(waiting_.size()) < options_.waiting_max) {
        const auto held = connections_.find(exchange.connection);
        if (held != connections_.end()) SetBusyLocked(held->second, true);
        MHD_suspend_connection(exchange.connection);
        waiting_.push_back(&exchange);
        work_.notify_one();
        return MHD_YES;
      }
    }
    return Refuse(exchange, 503);
  }

  MHD_Result Refuse(Exchange& exchange, int status) {
    if (options_.refuse) exchange.response = options_.refuse(status);
    exchange.response.status = status;
    return Answer(exchange);
  }

  MHD_Result Answer(Exchange& exchange) {
    if (exchange.answered) return MHD_NO;
    exchange.answered = true;
    ServerResponse& answer = exchange.response;
    MHD_Response* response = nullptr;
    std::shared_ptr<OpenStream> stream;
    if (answer.stream != nullptr) {
      stream = std::make_shared<OpenStream>(exchange.connection, std::move(answer.stream), clock_);
      response =
          MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, kStreamBlock, &ReadStream,
                                            new std::shared_ptr<OpenStream>(stream), &FreeStream);
    } else {
      auto* body = new std::shared_ptr<const std::string>(
          answer.shared_body != nullptr
              ? std::move(answer.shared_body)
              : std::make_shared<const std::string>(std::move(answer.body)));
      response = MHD_create_response_from_buffer_with_free_callback_cls(
          (*body)->size(), const_cast<char*>((*body)->data()), &FreeBody, body);
    }
    if (response == nullptr) return MHD_NO;
    for (const auto& [name, value] : answer.headers)
      MHD_add_response_header(response, name.c_str(), value.c_str());
    const MHD_Result queued =
        MHD_queue_response(exchange.connection, static_cast<unsigned>(answer.status), response);
    MHD_destroy_response(response);
    if (stream != nullptr && queued == MHD_YES) Open(stream);
    return queued;
  }

  void Open(const std::shared_ptr<OpenStream>& stream) {
    stream->source().Begin([weak = std::weak_ptr(stream)] {
      if (const auto live = weak.lock()) live->Wake();
    });
    const std::scoped_lock lock(mutex_);
    streams_.push_back(stream);
    if (stopping_) stream->End();
  }

  static ssize_t ReadStream(void* cls, std::uint64_t /*position*/, char* to, std::size_t max) {
    return (*static_cast<std::shared_ptr<OpenStream>*>(cls))->Read(to, max);
  }

  static void FreeStream(void* cls) {
    auto* stream = static_cast<std::shared_ptr<OpenStream>*>(cls);
    (*stream)->Detach();
    delete stream;
  }

  static void FreeBody(void* cls) { delete static_cast<std::shared_ptr<const std::string>*>(cls); }

  void Work() {
    while (true) {
      Exchange* exchange = nullptr;
      bool stopping = false;
      {
        std::unique_lock lock(mutex_);
        work_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
        if (waiting_.empty()) return;
        exchange = waiting_.front();
        waiting_.pop_front();
        stopping = stopping_;
      }
      if (stopping) {
        if (options_.refuse) exchange->response = options_.refuse(503);
        exchange->response.status = 503;
      } else {
        exchange->response = handler_(exchange->request);
      }
      // The exchange is not ours any more from here on.
      MHD_resume_connection(exchange->connection);
    }
  }

  std::vector<std::shared_ptr<OpenStream>> LiveStreamsLocked() {
    std::vector<std::shared_ptr<OpenStream>> live;
    for (const auto& weak : streams_) {
      if (auto stream = weak.lock()) live.push_back(std::move(stream));
    }
    streams_.assign(live.begin(), live.end());
    return live;
  }

  // Once a second: signs of life for silent streams, and an end for connections that bring no
  // request.
  void KeepHouse() {
    while (true) {
      std::vector<std::shared_ptr<OpenStream>> streams;
      {
        std::unique_lock lock(mutex_);
        house_.wait_for(lock, std::chrono::seconds(1), [this] { return stopping_; });
        if (stopping_) return;
        streams = LiveStreamsLocked();
        const std::int64_t now = clock_.MonotonicNanos();
        for (auto& [connection, held] : connections_) {
          if (held.busy || now - held.since < options_.idle_seconds * kNanosPerSecond) continue;
          ::shutdown(held.socket, SHUT_RDWR);
        }
      }
      for (const auto& stream : streams)
        stream->KeepAlive(options_.keep_alive_seconds * kNanosPerSecond);
    }
  }

  HttpServerOptions options_;
  const Clock& clock_;
  Handler handler_;
  MHD_Daemon* daemon_ = nullptr;
  int port_ = 0;

  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::condition_variable house_;
  std::condition_variable idle_;
  bool stopping_ = false;
  int busy_ = 0;
  std::deque<Exchange*> waiting_;  // theirs is the connection, suspended
  std::map<MHD_Connection*, Held> connections_;
  std::vector<std::weak_ptr<OpenStream>> streams_;
  std::vector<std::thread> workers_;
  std::thread housekeeper_;
};

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

HttpServer::~HttpServer() = default;

Result<std::unique_ptr<HttpServer>> HttpServer::Start(const HttpServerOptions& options,
                                                      const Clock& clock, Handler handler) {
  auto impl = std::make_unique<Impl>(options, clock, std::move(handler));
  TW_TRY(impl->Start());
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(impl)));
}

int HttpServer::port() const { return impl_->port(); }

int HttpServer::connections() const { return impl_->connections(); }

void HttpServer::Stop() { impl_->Stop(); }

}  // namespace tw::net
