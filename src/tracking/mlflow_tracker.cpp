#include "tracking/mlflow_tracker.h"

#include <fmt/core.h>
#include <unistd.h>

#include <array>
#include <utility>

#include "base/files.h"
#include "tracking/internal/mlflow_impl.h"

namespace tw::tracking {

struct OwnTransport {
  OwnTransport(const MlflowConnection& connection, const Clock& clock)
      : curl(connection.http),
        // Jitter must differ between processes that lost the same server at the same moment.
        http(curl, connection.retry, clock, waiter,
             Rng(static_cast<std::uint64_t>(clock.Now().nanos()), "tracking.mlflow.retry",
                 static_cast<std::uint64_t>(::getpid()))) {}

  net::CurlHttp curl;
  net::SystemWaiter waiter;
  net::RetryingHttp http;
};

std::string MlflowTracker::Impl::NewRequestId() {
  std::uint64_t count = 0;
  {
    const std::lock_guard lock(mutex_);
    count = ++requests_;
  }
  std::array<char, 256> host{};
  static_cast<void>(::gethostname(host.data(), host.size() - 1));
  const std::string unique =
      fmt::format("{} {} {} {} {} {}", host.data(), ::getpid(), clock_.Now().nanos(),
                  clock_.MonotonicNanos(), static_cast<const void*>(this), count);
  return Sha256Hex(unique).substr(0, 32);
}

MlflowTracker::MlflowTracker(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

MlflowTracker::~MlflowTracker() = default;

Result<std::unique_ptr<MlflowTracker>> MlflowTracker::Open(MlflowOptions options, net::Http& http,
                                                           const Clock& clock) {
  internal::MlflowApi api = TW_TRY(internal::MlflowApi::Make(std::move(options), http));
  return std::unique_ptr<MlflowTracker>(
      new MlflowTracker(std::make_unique<Impl>(std::move(api), clock)));
}

Result<std::unique_ptr<MlflowTracker>> MlflowTracker::Connect(const MlflowConnection& connection,
                                                              const Clock& clock) {
  auto transport = std::make_unique<OwnTransport>(connection, clock);
  auto tracker = TW_TRY(Open(connection.mlflow, transport->http, clock));
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
