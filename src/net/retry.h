#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string_view>

#include "base/clock.h"
#include "base/rng.h"
#include "net/http.h"

namespace tw::net {

/// Waits. Injected, so that tests own time.
class Waiter {
 public:
  Waiter() = default;
  Waiter(const Waiter&) = delete;
  Waiter& operator=(const Waiter&) = delete;
  Waiter(Waiter&&) = delete;
  Waiter& operator=(Waiter&&) = delete;
  virtual ~Waiter() = default;

  /// False when stopped before the time was over. Callable from several threads.
  virtual bool Wait(std::int64_t nanos, const std::stop_token& stop) = 0;
};

class SystemWaiter final : public Waiter {
 public:
  bool Wait(std::int64_t nanos, const std::stop_token& stop) override;
};

/// When a request is sent again, and after how long. Try n (from 1) is followed by a pause of
/// first_delay * 2^(n-1), at most delay_max, times a uniform factor in [0.5, 1); a Retry-After of
/// the server makes it longer.
struct RetryPolicy {
  int tries_max = 5;
  std::int64_t first_delay_ms = 500;
  std::int64_t delay_max_ms = 20'000;
  /// No new try begins after so long.
  std::int64_t total_max_ms = 120'000;

  /// An answer that may be otherwise next time: 408, 429, 500, 502, 503, 504. What is not
  /// repeatable is sent again only after 429, which says that nothing was done.
  static bool IsTransient(int status, bool repeatable);

  /// Pause after try number `tries`, in ms; `uniform` in [0, 1).
  std::int64_t DelayMs(int tries, double uniform) const;
};

/// Seconds or an HTTP date (RFC 9110, 10.2.3) as milliseconds from `now`, at least 0; nothing for
/// another text.
std::optional<std::int64_t> ParseRetryAfterMs(std::string_view text, UnixNanos now);

/// Repeats what may be repeated. A request that is not repeatable is sent again only when it cannot
/// have been received. After the last try the answer, or the error, comes back as it is.
class RetryingHttp final : public Http {
 public:
  /// All references outlive it.
  RetryingHttp(Http& inner, RetryPolicy policy, const Clock& clock, Waiter& waiter, Rng rng);

  using Http::Send;
  Result<HttpResponse> Send(const HttpRequest& request, SendNote& note) override;

 private:
  Http& inner_;
  RetryPolicy policy_;
  const Clock& clock_;
  Waiter& waiter_;
  std::mutex mutex_;
  Rng rng_;  // guarded by mutex_
};

}  // namespace tw::net
