#include "tracking/mlflow_tracker.h"

#include <fmt/core.h>
#include <unistd.h>

#include <utility>

#include "net/retry.h"
#include "tracking/internal/mlflow_impl.h"

namespace tw::tracking {

struct OwnTransport {
  OwnTransport(const MlflowConnection& connection, const Clock& clock)
      : curl(connection.http),
        s3_curl(connection.s3_http),
        // Jitter must differ between processes that lost the same server at the same moment.
        http(curl, connection.retry, clock, waiter, Jitter(clock, "tracking.mlflow.retry")),
        s3_http(s3_curl, connection.retry, clock, waiter, Jitter(clock, "tracking.s3.retry")) {}

  static Rng Jitter(const Clock& clock, std::string_view purpose) {
    return {static_cast<std::uint64_t>(clock.Now().nanos()), purpose,
            static_cast<std::uint64_t>(::getpid())};
  }

  net::CurlHttp curl;
  net::CurlHttp s3_curl;
  net::SystemWaiter waiter;
  net::RetryingHttp http;
  net::RetryingHttp s3_http;
};

MlflowTracker::MlflowTracker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

MlflowTracker::~MlflowTracker() = default;

Result<std::unique_ptr<MlflowTracker>> MlflowTracker::Open(MlflowOptions options, net::Http& http,
                                                           net::Http& s3_http, const Clock& clock) {
  internal::MlflowApi api =
      TW_TRY(internal::MlflowApi::Make(std::move(options), http, s3_http, clock));
  return std::unique_ptr<MlflowTracker>(
      new MlflowTracker(std::make_unique<Impl>(std::move(api), clock)));
}

void MlflowTracker::Impl::Settle() {
  const MlflowOptions& options = api_.options();
  if (options.late_wait_ms > 0)
    net::SystemWaiter().Wait(options.late_wait_ms * 1'000'000, options.stop);
}

Result<std::unique_ptr<MlflowTracker>> MlflowTracker::Connect(const MlflowConnection& connection,
                                                              const Clock& clock) {
  auto transport = std::make_unique<OwnTransport>(connection, clock);
  auto tracker = TW_TRY(Open(connection.mlflow, transport->http, transport->s3_http, clock));
  tracker->impl_->transport_ = {transport.release(), [](OwnTransport* own) { delete own; }};
  return tracker;
}

Result<std::string> MlflowTracker::ServerVersion() {
  internal::ApiFailure failure;
  const net::HttpRequest request = impl_->api_.Request("GET", impl_->api_.base() + "/version");
  const net::HttpResponse response = TW_TRY(impl_->api_.Send(request, failure));
  std::string version = net::Excerpt(response.body, 40);
  const bool plain =
      !version.empty() &&
      version.find_first_not_of("0123456789abcdefghijklmnopqrstuvwxyz.+-") == std::string::npos;
  if (plain) return version;
  return Error{ErrorCode::kExternal,
               fmt::format("{}: no version in the answer '{}'", net::NameOf(request), version)};
}

}  // namespace tw::tracking
