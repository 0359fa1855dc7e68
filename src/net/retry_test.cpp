#include "net/retry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <deque>

#include "net/url.h"

namespace tw::net {
namespace {

using testing::ElementsAre;
using testing::SizeIs;

/// Gives what it was told to, in order.
class FakeHttp final : public Http {
 public:
  using Http::Send;

  Result<HttpResponse> Send(const HttpRequest&, SendNote& note) override {
    ++sent;
    if (replies.empty()) return HttpResponse{.status = 200};
    auto [reply, delivery] = replies.front();
    replies.pop_front();
    note.delivery = delivery;
    return reply;
  }

  void Reply(int status, std::vector<HttpHeader> headers = {}) {
    replies.emplace_back(HttpResponse{.status = status, .headers = std::move(headers)},
                         Delivery::kUnknown);
  }

  void Fail(Delivery delivery, ErrorCode code = ErrorCode::kExternal) {
    replies.emplace_back(Error{code, "away"}, delivery);
  }

  std::deque<std::pair<Result<HttpResponse>, Delivery>> replies;
  int sent = 0;
};

class FakeWaiter final : public Waiter {
 public:
  explicit FakeWaiter(ManualClock& clock) : clock_(clock) {}

  bool Wait(std::int64_t nanos, const std::stop_token& stop) override {
    waits_ms.push_back(nanos / 1'000'000);
    clock_.AdvanceNanos(nanos);
    return !stop.stop_requested();
  }

  std::vector<std::int64_t> waits_ms;

 private:
  ManualClock& clock_;
};

class RetryTest : public testing::Test {
 protected:
  Result<HttpResponse> Send(const HttpRequest& request) {
    RetryingHttp http(fake_, policy_, clock_, waiter_, Rng(7, "test"));
    return http.Send(request, note_);
  }

  ManualClock clock_{UnixNanos::FromSeconds(1'700'000'000)};
  FakeHttp fake_;
  FakeWaiter waiter_{clock_};
  RetryPolicy policy_;
  SendNote note_;
};

const HttpRequest kGet{.url = "http://h/"};
const HttpRequest kPost{.method = "POST", .url = "http://h/"};

TEST_F(RetryTest, TransientAnswersOfRepeatableRequestsAreTriedAgain) {
  for (const int status : {503, 500, 408, 429}) fake_.Reply(status);
  EXPECT_EQ(Send(kGet).value().status, 200);
  EXPECT_EQ(fake_.sent, 5);
  EXPECT_EQ(note_.tries, 5);
  // Half to all of 500, 1,000, 2,000, 4,000 ms.
  ASSERT_THAT(waiter_.waits_ms, SizeIs(4));
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_GE(waiter_.waits_ms[i], 250 << i);
    EXPECT_LE(waiter_.waits_ms[i], 500 << i);
  }
}

TEST_F(RetryTest, TheLastAnswerComesBackAsItIs) {
  for (int i = 0; i < 9; ++i) fake_.Reply(503);
  EXPECT_EQ(Send(kGet).value().status, 503);
  EXPECT_EQ(fake_.sent, 5);
}

TEST_F(RetryTest, RefusalsAreNotRepeated) {
  for (const int status : {400, 401, 403, 404, 409, 412, 501}) {
    fake_.Reply(status);
    EXPECT_EQ(Send(kGet).value().status, status);
  }
  EXPECT_EQ(fake_.sent, 7);
}

TEST_F(RetryTest, WhatMustNotHappenTwiceIsRepeatedOnlyIfItCannotHaveArrived) {
  fake_.Fail(Delivery::kNotSent);
  fake_.Reply(429);
  EXPECT_EQ(Send(kPost).value().status, 200);
  EXPECT_EQ(fake_.sent, 3);
  fake_.Fail(Delivery::kUnknown);
  EXPECT_FALSE(Send(kPost).ok());
  EXPECT_EQ(note_.delivery, Delivery::kUnknown);
  fake_.Reply(503);
  EXPECT_EQ(Send(kPost).value().status, 503);
  EXPECT_EQ(fake_.sent, 5);
}

TEST_F(RetryTest, AnUnknownOutcomeStaysUnknown) {
  fake_.Fail(Delivery::kUnknown);
  for (int i = 0; i < 4; ++i) fake_.Fail(Delivery::kNotSent);
  EXPECT_FALSE(Send(kGet).ok());
  EXPECT_EQ(note_.delivery, Delivery::kUnknown);
}

TEST_F(RetryTest, OwnErrorsAreNotRepeated) {
  fake_.Fail(Delivery::kNotSent, ErrorCode::kIo);
  EXPECT_EQ(Send(kGet).error().code, ErrorCode::kIo);
  EXPECT_EQ(fake_.sent, 1);
}

TEST_F(RetryTest, RetryAfterMakesThePauseLonger) {
  fake_.Reply(429, {{"Retry-After", "7"}});
  fake_.Reply(503, {{"retry-after", "Tue, 14 Nov 2023 22:14:00 GMT"}});
  EXPECT_EQ(Send(kGet).value().status, 200);
  // 2023-11-14T22:13:20Z is the clock's start; 7 s have passed.
  EXPECT_THAT(waiter_.waits_ms, ElementsAre(7'000, 33'000));
}

TEST_F(RetryTest, AServerThatAsksForTooMuchIsNotWaitedFor) {
  fake_.Reply(503, {{"Retry-After", "3600"}});
  EXPECT_EQ(Send(kGet).value().status, 503);
  EXPECT_TRUE(waiter_.waits_ms.empty());
}

TEST_F(RetryTest, AStopEndsThePause) {
  std::stop_source source;
  source.request_stop();
  HttpRequest request = kGet;
  request.stop = source.get_token();
  fake_.Reply(503);
  EXPECT_EQ(Send(request).error().code, ErrorCode::kInterrupted);
}

TEST(RetryAfterTest, OnlySecondsAndDatesAreUnderstood) {
  const UnixNanos now = UnixNanos::FromSeconds(1'700'000'000);
  EXPECT_EQ(ParseRetryAfterMs("0", now), 0);
  EXPECT_EQ(ParseRetryAfterMs("120", now), 120'000);
  EXPECT_EQ(ParseRetryAfterMs("Tue, 14 Nov 2023 22:13:25 GMT", now), 5'000);
  EXPECT_EQ(ParseRetryAfterMs("Tue, 14 Nov 2000 22:13:25 GMT", now), 0);
  for (const char* text : {"", "-5", "soon", "1.5", "99999999999999999999x"})
    EXPECT_FALSE(ParseRetryAfterMs(text, now).has_value()) << text;
}

TEST(RetryPolicyTest, PausesGrowToTheirLimit) {
  const RetryPolicy policy{.first_delay_ms = 100, .delay_max_ms = 1'000};
  EXPECT_EQ(policy.DelayMs(1, 0.0), 50);
  EXPECT_EQ(policy.DelayMs(3, 0.5), 300);
  EXPECT_EQ(policy.DelayMs(60, 0.0), 500);
}

TEST(SystemWaiterTest, AStoppedWaitIsShort) {
  std::stop_source source;
  source.request_stop();
  EXPECT_FALSE(SystemWaiter().Wait(60 * kNanosPerSecond, source.get_token()));
  EXPECT_TRUE(SystemWaiter().Wait(1'000, {}));
}

RC_GTEST_PROP(UrlTest, EscapingComesBack, (const std::string& text)) {
  RC_ASSERT(UnescapeUrl(EscapeUrl(text)) == text);
  RC_ASSERT(UnescapeUrl(EscapeUrlPath(text)) == text);
}

TEST(UrlTest, PartsAreTaken) {
  const Url url = ParseUrl("HTTPS://Us%40er:p%3Aw@Host.Example:8443/a%20b/?x=1&y=2#f").value();
  EXPECT_EQ(url.scheme, "https");
  EXPECT_EQ(url.user, "Us@er");
  EXPECT_EQ(url.password, "p:w");
  EXPECT_EQ(url.host, "host.example");
  EXPECT_EQ(url.authority(), "host.example:8443");
  EXPECT_EQ(url.path, "/a%20b/");
  EXPECT_EQ(url.query, "x=1&y=2");
  EXPECT_EQ(ParseUrl("http://h:80").value().origin(), "http://h");
  EXPECT_EQ(ParseUrl("http://h").value().path, "/");
  EXPECT_TRUE(ParseUrl("http://[::1]:5000/x").value().loopback());
  EXPECT_FALSE(ParseUrl("http://10.0.0.1/").value().loopback());
}

TEST(UrlTest, MessagesCarryNoSecrets) {
  EXPECT_EQ(RedactUrl("http://u:p@h:1/x?token=t#f"), "http://h:1/x");
  EXPECT_EQ(RedactUrl("http://u@evil@h/x@y"), "http://h/x@y");
  const auto bad = ParseUrl("gopher://user:secret@host/?q=secret");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().message.find("secret"), std::string::npos);
}

TEST(UrlTest, MessagesStayOnOneLine) {
  const auto bad = ParseUrl("https\n/3/a");
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().message.find('\n'), std::string::npos);
}

TEST(UrlTest, QueriesAreEncoded) {
  EXPECT_EQ(EncodeQuery({{"a b", "ü&="}, {"c", ""}}), "a%20b=%C3%BC%26%3D&c=");
  EXPECT_EQ(ResolveUrl("http://h/a/b?x", "../c?y").value(), "http://h/c?y");
}

TEST(ExcerptTest, IsOneLineAndWholeCharacters) {
  EXPECT_EQ(Excerpt("  a\r\n\t b\x01 ", 100), "a b");
  EXPECT_EQ(Excerpt("aé", 2), "a...");
  // Not UTF-8: a stray byte, half a character, an overlong form.
  EXPECT_EQ(Excerpt("a\xff\xc3(\xe2\x82\xac\xc0\xaf", 100),
            "a?"
            "?(\xe2\x82\xac?"
            "?");
  EXPECT_EQ(Excerpt(std::string(1'000'000, ' '), 10), "");
}

}  // namespace
}  // namespace tw::net
