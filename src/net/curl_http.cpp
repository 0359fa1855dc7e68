#include "net/curl_http.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "net/url.h"

namespace tw::net {
namespace {

constexpr std::size_t kHeaderBytesMax = 256U << 10U;
constexpr std::size_t kConnectionsKept = 8;

std::string OsError(const std::string& path) {
  return fmt::format("{}: {}", path, std::strerror(errno));  // NOLINT(concurrency-mt-unsafe)
}

struct FileDescriptor {
  FileDescriptor() = default;
  FileDescriptor(const FileDescriptor&) = delete;
  FileDescriptor& operator=(const FileDescriptor&) = delete;
  FileDescriptor(FileDescriptor&&) = delete;
  FileDescriptor& operator=(FileDescriptor&&) = delete;

  ~FileDescriptor() {
    if (fd >= 0) ::close(fd);
  }

  int fd = -1;
};

/// The part of a transfer that libcurl calls back: body in, body and headers out.
struct Transfer {
  const HttpRequest* request = nullptr;
  HttpResponse response = {};
  std::size_t header_bytes = 0;
  FileDescriptor source;
  std::int64_t source_read = 0;
  FileDescriptor sink;
  std::string sink_partial = {};
  std::optional<Error> failure = {};  // ours; more telling than libcurl's
};

std::size_t OnHeader(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::string_view line(data, size * count);
  transfer.header_bytes += line.size();
  if (transfer.header_bytes > kHeaderBytesMax) {
    transfer.failure =
        Error{ErrorCode::kExternal, fmt::format("{}: headers longer than {} bytes",
                                                NameOf(*transfer.request), kHeaderBytesMax)};
    return 0;
  }
  // A status line begins another answer: after 100 Continue, or of a proxy.
  if (line.starts_with("HTTP/")) {
    transfer.response.headers.clear();
    const std::size_t blank = line.find(' ');
    transfer.response.status =
        blank == std::string_view::npos ? 0 : std::atoi(std::string(line.substr(blank)).c_str());
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos || line.starts_with("HTTP/")) return line.size();
  std::string_view value = line.substr(colon + 1);
  while (!value.empty() && static_cast<unsigned char>(value.front()) <= 0x20)
    value.remove_prefix(1);
  while (!value.empty() && static_cast<unsigned char>(value.back()) <= 0x20) value.remove_suffix(1);
  transfer.response.headers.push_back({std::string(line.substr(0, colon)), std::string(value)});
  return line.size();
}

bool WriteAll(int fd, const char* data, std::size_t size) {
  while (size > 0) {
    const ssize_t written = ::write(fd, data, size);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    data += written;
    size -= static_cast<std::size_t>(written);
  }
  return true;
}

std::size_t OnBody(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const std::size_t bytes = size * count;
  HttpResponse& response = transfer.response;
  const bool to_sink = transfer.sink.fd >= 0 && response.ok();
  const HttpRequest& request = *transfer.request;
  const std::int64_t limit = to_sink ? request.sink_bytes_max : request.response_bytes_max;
  response.body_bytes += static_cast<std::int64_t>(bytes);
  if (response.body_bytes > limit) {
    transfer.failure = Error{ErrorCode::kExternal, fmt::format("{}: answer longer than {} bytes",
                                                               NameOf(request), limit)};
    return 0;
  }
  if (!to_sink) {
    response.body.append(data, bytes);
    return bytes;
  }
  if (WriteAll(transfer.sink.fd, data, bytes)) return bytes;
  transfer.failure = Error{ErrorCode::kIo, OsError(transfer.sink_partial)};
  return 0;
}

std::size_t OnRead(char* data, std::size_t size, std::size_t count, void* self) {
  auto& transfer = *static_cast<Transfer*>(self);
  const FileRange& range = *transfer.request->body_file;
  const auto room = static_cast<std::int64_t>(size * count);
  const std::int64_t wanted = std::min(room, range.size - transfer.source_read);
  if (wanted <= 0) return 0;
  const ssize_t got = ::pread(transfer.source.fd, data, static_cast<std::size_t>(wanted),
                              range.offset + transfer.source_read);
  if (got > 0) {
    transfer.source_read += got;
    return static_cast<std::size_t>(got);
  }
  transfer.failure = Error{
      ErrorCode::kIo,
      got < 0 ? OsError(range.path)
              : fmt::format("{}: shorter than {} bytes", range.path, range.offset + range.size)};
  return CURL_READFUNC_ABORT;
}

int OnSeek(void* self, curl_off_t offset, int origin) {
  if (origin != SEEK_SET) return CURL_SEEKFUNC_CANTSEEK;
  static_cast<Transfer*>(self)->source_read = offset;
  return CURL_SEEKFUNC_OK;
}

struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

using HeaderList = std::unique_ptr<curl_slist, ListDeleter>;

bool HasLineBreak(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos;
}

Result<HeaderList> MakeHeaders(const HttpRequest& request) {
  HeaderList list;
  const auto add = [&list](const std::string& line) {
    list.reset(curl_slist_append(list.release(), line.c_str()));
  };
  add("Expect:");  // a refused upload is rare; a round trip before each is not
  const bool typed = std::ranges::any_of(
      request.headers, [](const HttpHeader& header) { return header.name == "Content-Type"; });
  if (!typed) add("Content-Type:");  // else libcurl calls every body a form
  for (const HttpHeader& header : request.headers) {
    if (header.name.empty() || HasLineBreak(header.name) || HasLineBreak(header.value) ||
        header.name.find(':') != std::string::npos) {
      return Error{ErrorCode::kUsage, fmt::format("{}: a header cannot be sent: '{}'",
                                                  NameOf(request), Excerpt(header.name, 60))};
    }
    // libcurl takes "Name;" for a header without a value.
    add(header.value.empty() ? header.name + ";" : header.name + ": " + header.value);
  }
  return list;
}

Delivery DeliveryOf(CURLcode code) {
  switch (code) {
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_COULDNT_CONNECT:
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return Delivery::kNotSent;
    default:
      return Delivery::kUnknown;
  }
}

/// One connection to a server at a time, with the multi handle that lets a stop wake it.
class Connection {
 public:
  Connection() : multi_(curl_multi_init()), easy_(curl_easy_init()) {
    TW_CHECK(multi_ != nullptr && easy_ != nullptr, "libcurl has no memory");
  }

  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  Connection(Connection&&) = delete;
  Connection& operator=(Connection&&) = delete;

  ~Connection() {
    curl_easy_cleanup(easy_);
    curl_multi_cleanup(multi_);
  }

  CURL* easy() { return easy_; }

  /// CURLE_ABORTED_BY_CALLBACK when stopped.
  CURLcode Perform(const std::stop_token& stop) {
    const std::stop_callback wake(stop, [this] { curl_multi_wakeup(multi_); });
    curl_multi_add_handle(multi_, easy_);
    CURLcode result = CURLE_ABORTED_BY_CALLBACK;
    int running = 1;
    while (!stop.stop_requested()) {
      if (curl_multi_perform(multi_, &running) != CURLM_OK) {
        result = CURLE_FAILED_INIT;
        break;
      }
      if (running == 0) {
        int left = 0;
        const CURLMsg* message = curl_multi_info_read(multi_, &left);
        result = message != nullptr ? message->data.result : CURLE_FAILED_INIT;
        break;
      }
      curl_multi_poll(multi_, nullptr, 0, 1000, nullptr);
    }
    curl_multi_remove_handle(multi_, easy_);
    return result;
  }

 private:
  CURLM* multi_;
  CURL* easy_;
};

void SetUp(CURL* easy, const CurlOptions& options, const HttpRequest& request, const Url& url) {
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(easy, CURLOPT_URL, request.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(easy, CURLOPT_USERAGENT, options.user_agent.c_str());
  curl_easy_setopt(
      easy, CURLOPT_PROXY,
      url.scheme == "https" ? options.https_proxy.c_str() : options.http_proxy.c_str());
  curl_easy_setopt(easy, CURLOPT_NOPROXY, options.no_proxy.c_str());
  curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(request.connect_timeout_ms));
  curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(request.timeout_ms));
  if (request.stall_timeout_ms > 0) {
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(easy, CURLOPT_LOW_SPEED_TIME,
                     static_cast<long>(std::max<std::int64_t>(1, request.stall_timeout_ms / 1000)));
  }
  if (!request.repeatable()) curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
  if (!options.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options.ca_file.c_str());
  if (!options.client_cert_file.empty()) {
    curl_easy_setopt(easy, CURLOPT_SSLCERT, options.client_cert_file.c_str());
    const std::string& key = options.client_key_file;
    curl_easy_setopt(easy, CURLOPT_SSLKEY,
                     key.empty() ? options.client_cert_file.c_str() : key.c_str());
  }
  if (options.insecure_tls) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
  const HttpAuth& auth = request.auth;
  if (!auth.user.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BASIC);
    curl_easy_setopt(easy, CURLOPT_USERNAME, auth.user.c_str());
    curl_easy_setopt(easy, CURLOPT_PASSWORD, auth.password.Reveal().c_str());
  } else if (!auth.token.empty()) {
    curl_easy_setopt(easy, CURLOPT_HTTPAUTH, CURLAUTH_BEARER);
    curl_easy_setopt(easy, CURLOPT_XOAUTH2_BEARER, auth.token.Reveal().c_str());
  }
}

void SetBody(CURL* easy, const HttpRequest& request, Transfer& transfer) {
  if (request.body_file) {
    curl_easy_setopt(easy, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy, CURLOPT_INFILESIZE_LARGE,
                     static_cast<curl_off_t>(request.body_file->size));
    curl_easy_setopt(easy, CURLOPT_READFUNCTION, OnRead);
    curl_easy_setopt(easy, CURLOPT_READDATA, &transfer);
    curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, OnSeek);
    curl_easy_setopt(easy, CURLOPT_SEEKDATA, &transfer);
  } else if (request.method == "HEAD") {
    curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
    return;
  } else if (!request.body.empty() || request.method == "POST" || request.method == "PUT" ||
             request.method == "PATCH") {
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
                     static_cast<curl_off_t>(request.body.size()));
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, request.body.data());
  }
  curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, request.method.c_str());
}

Result<void> OpenFiles(Transfer& transfer) {
  const HttpRequest& request = *transfer.request;
  if (request.body_file) {
    transfer.source.fd = ::open(request.body_file->path.c_str(), O_RDONLY | O_CLOEXEC);
    if (transfer.source.fd < 0) return Error{ErrorCode::kIo, OsError(request.body_file->path)};
  }
  if (request.sink_path.empty()) return {};
  transfer.sink_partial = request.sink_path + ".partial";
  transfer.sink.fd =
      ::open(transfer.sink_partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (transfer.sink.fd < 0) return Error{ErrorCode::kIo, OsError(transfer.sink_partial)};
  return {};
}

/// The answer is whole: a sink takes its name, or goes when the answer is no success.
Result<HttpResponse> Finish(Transfer& transfer) {
  if (transfer.sink.fd < 0) return std::move(transfer.response);
  const std::string& path = transfer.request->sink_path;
  const std::string& partial = transfer.sink_partial;
  if (!transfer.response.ok()) {
    ::unlink(partial.c_str());
    return std::move(transfer.response);
  }
  if (::fsync(transfer.sink.fd) == 0 && ::rename(partial.c_str(), path.c_str()) == 0)
    return std::move(transfer.response);
  const Error error{ErrorCode::kIo, OsError(path)};
  ::unlink(partial.c_str());
  return error;
}

bool IsRedirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

}  // namespace

class CurlHttp::Impl {
 public:
  explicit Impl(CurlOptions options) : options_(std::move(options)) {
    static const CURLcode ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    TW_CHECK(ready == CURLE_OK, "libcurl does not start: {}", curl_easy_strerror(ready));
  }

  const CurlOptions& options() const { return options_; }

  Result<HttpResponse> SendOnce(const HttpRequest& request, SendNote& note);

 private:
  std::unique_ptr<Connection> Take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) return std::make_unique<Connection>();
    auto connection = std::move(idle_.back());
    idle_.pop_back();
    return connection;
  }

  void Give(std::unique_ptr<Connection> connection) {
    const std::lock_guard lock(mutex_);
    if (idle_.size() < kConnectionsKept) idle_.push_back(std::move(connection));
  }

  CurlOptions options_;
  std::mutex mutex_;
  std::vector<std::unique_ptr<Connection>> idle_;  // guarded by mutex_
};

Result<HttpResponse> CurlHttp::Impl::SendOnce(const HttpRequest& request, SendNote& note) {
  note = {Delivery::kNotSent, 1};
  const Url url = TW_TRY(ParseUrl(request.url));
  if (!url.user.empty() || !url.password.empty())
    return Error{ErrorCode::kUsage, NameOf(request) + ": user and password belong into auth"};
  const HeaderList headers = TW_TRY(MakeHeaders(request));
  Transfer transfer;
  transfer.request = &request;
  TW_TRY(OpenFiles(transfer));
  auto connection = Take();
  CURL* easy = connection->easy();
  curl_easy_reset(easy);
  SetUp(easy, options_, request, url);
  SetBody(easy, request, transfer);
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, OnHeader);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &transfer);
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, OnBody);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &transfer);
  std::array<char, CURL_ERROR_SIZE> reason{};
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, reason.data());
  const CURLcode code = connection->Perform(request.stop);
  if (code == CURLE_OK) {
    Give(std::move(connection));
    return Finish(transfer);
  }
  if (transfer.sink.fd >= 0) ::unlink(transfer.sink_partial.c_str());
  note.delivery = DeliveryOf(code);
  // A time-out before the connection stood: nothing was sent.
  curl_off_t connected_us = 0;
  curl_easy_getinfo(easy, CURLINFO_PRETRANSFER_TIME_T, &connected_us);
  if (code == CURLE_OPERATION_TIMEDOUT && connected_us == 0) note.delivery = Delivery::kNotSent;
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, nullptr);
  if (request.stop.stop_requested())
    return Error{ErrorCode::kInterrupted, NameOf(request) + ": stopped"};
  if (transfer.failure) return *transfer.failure;
  return Error{ErrorCode::kExternal,
               fmt::format("{}: {}", NameOf(request),
                           reason[0] != 0 ? reason.data() : curl_easy_strerror(code))};
}

CurlHttp::CurlHttp(CurlOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {}

CurlHttp::~CurlHttp() = default;

Result<HttpResponse> CurlHttp::Send(const HttpRequest& request, SendNote& note) {
  const bool follow = request.method == "GET" || request.method == "HEAD";
  if (!follow) return impl_->SendOnce(request, note);
  HttpRequest hop = request;
  for (int redirects = 0;; ++redirects) {
    Result<HttpResponse> result = impl_->SendOnce(hop, note);
    if (!result.ok() || !IsRedirect(result->status)) return result;
    const auto location = result->Header("Location");
    if (!location) return result;
    if (redirects >= impl_->options().redirects_max) {
      return Error{ErrorCode::kExternal,
                   fmt::format("{}: more than {} redirects", NameOf(request), redirects)};
    }
    auto resolved = ResolveUrl(hop.url, *location);
    auto to = resolved.ok() ? ParseUrl(*resolved) : Result<Url>(resolved.error());
    if (!to.ok()) {
      return Error{ErrorCode::kExternal,
                   fmt::format("{}: redirected to {}", NameOf(hop), to.error().message)};
    }
    const Url from = TW_TRY(ParseUrl(hop.url));
    if (from.scheme == "https" && to->scheme == "http") {
      return Error{ErrorCode::kExternal,
                   fmt::format("{}: redirected from https to http", NameOf(hop))};
    }
    if (from.origin() != to->origin()) {
      hop.auth = {};
      std::erase_if(hop.headers, [](const HttpHeader& header) {
        return header.name != "Accept" && header.name != "Range";
      });
    }
    // A password in a Location is a stranger's; it is not sent.
    hop.url = to->origin() + to->path + (to->query.empty() ? "" : "?" + to->query);
  }
}

}  // namespace tw::net
