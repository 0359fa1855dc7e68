#include "net/retry.h"

#include <curl/curl.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <utility>

#include "base/wait.h"

namespace tw::net {
namespace {

constexpr std::int64_t kNanosPerMilli = 1'000'000;
constexpr std::int64_t kRetryAfterSecondsMax = 1'000'000'000;

/// What the last try says about another one, in ms to wait at least; nothing when there is no
/// point.
std::optional<std::int64_t> WaitAtLeast(const HttpRequest& request,
                                        const Result<HttpResponse>& result, const SendNote& note,
                                        UnixNanos now) {
  const bool repeatable = request.repeatable();
  if (!result.ok()) {
    if (result.error().code != ErrorCode::kExternal) return std::nullopt;
    if (!repeatable && note.delivery != Delivery::kNotSent) return std::nullopt;
    return 0;
  }
  if (!RetryPolicy::IsTransient(result->status, repeatable)) return std::nullopt;
  const auto header = result->Header("Retry-After");
  return header ? ParseRetryAfterMs(*header, now).value_or(0) : 0;
}

}  // namespace

bool SystemWaiter::Wait(std::int64_t nanos, const std::stop_token& stop) {
  return WaitUnlessStopped(nanos, stop);
}

bool RetryPolicy::IsTransient(int status, bool repeatable) {
  if (status == 429) return true;
  return repeatable &&
         (status == 408 || status == 500 || status == 502 || status == 503 || status == 504);
}

std::int64_t RetryPolicy::DelayMs(int tries, double uniform) const {
  const double full = std::min(static_cast<double>(first_delay_ms) * std::exp2(tries - 1),
                               static_cast<double>(delay_max_ms));
  return static_cast<std::int64_t>(full * (0.5 + 0.5 * uniform));
}

std::optional<std::int64_t> ParseRetryAfterMs(std::string_view text, UnixNanos now) {
  if (text.empty() || text.size() > 64) return std::nullopt;
  std::int64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error == std::errc() && end == text.data() + text.size()) {
    if (seconds < 0) return std::nullopt;
    return std::min(seconds, kRetryAfterSecondsMax) * 1000;
  }
  const std::int64_t at = curl_getdate(std::string(text).c_str(), nullptr);
  if (at < 0) return std::nullopt;
  return std::clamp<std::int64_t>(at - now.seconds(), 0, kRetryAfterSecondsMax) * 1000;
}

RetryingHttp::RetryingHttp(Http& inner, RetryPolicy policy, const Clock& clock, Waiter& waiter,
                           Rng rng)
    : inner_(inner), policy_(policy), clock_(clock), waiter_(waiter), rng_(rng) {}

Result<HttpResponse> RetryingHttp::Send(const HttpRequest& request, SendNote& note) {
  const std::int64_t begin = clock_.MonotonicNanos();
  // Once a try may have arrived, a later one that was not sent does not take that back.
  bool unknown = false;
  for (int tries = 1;; ++tries) {
    Result<HttpResponse> result = inner_.Send(request, note);
    unknown = unknown || (!result.ok() && note.delivery == Delivery::kUnknown);
    if (unknown) note.delivery = Delivery::kUnknown;
    note.tries = tries;
    const auto at_least = WaitAtLeast(request, result, note, clock_.Now());
    if (!at_least || tries >= policy_.tries_max) return result;
    double uniform = 0;
    {
      const std::lock_guard lock(mutex_);
      uniform = rng_.Uniform();
    }
    const std::int64_t delay_ms = std::max(*at_least, policy_.DelayMs(tries, uniform));
    const std::int64_t spent_ms = (clock_.MonotonicNanos() - begin) / kNanosPerMilli;
    if (delay_ms > policy_.total_max_ms - spent_ms) return result;
    if (!waiter_.Wait(delay_ms * kNanosPerMilli, request.stop))
      return Error{ErrorCode::kInterrupted, NameOf(request) + ": stopped while waiting to retry"};
  }
}

}  // namespace tw::net
