#include "net/curl_http.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "base/clock.h"
#include "base/files.h"
#include "net/test_server.h"
#include "net/url.h"

namespace tw::net {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class CurlHttpTest : public testing::Test {
 protected:
  CurlHttpTest() {
    std::string pattern = testing::TempDir() + "tw_net_XXXXXX";
    directory_ = ::mkdtemp(pattern.data());
  }

  ~CurlHttpTest() override { std::filesystem::remove_all(directory_); }

  std::string directory_;
  CurlHttp http_{CurlOptions{}};
  SystemClock clock_;
};

TEST_F(CurlHttpTest, BytesGoBothWays) {
  TestServer server([](const Received& request) {
    return Answer(201, "got " + request.body,
                  {"X-One: a", "x-one:  b ", "Content-Type: text/plain"});
  });
  HttpRequest request;
  request.method = "PATCH";
  request.url = server.Url("/a%20b/c?x=1&y=%2F");
  request.headers = {{"Content-Type", "application/json"}, {"X-Empty", ""}};
  request.body = std::string("{\0}", 3);
  const auto response = http_.Send(request);
  ASSERT_TRUE(response.ok()) << response.error().message;
  EXPECT_EQ(response->status, 201);
  EXPECT_EQ(response->body, "got " + request.body);
  EXPECT_EQ(response->body_bytes, 7);
  EXPECT_EQ(response->Header("X-ONE").value(), "b");
  EXPECT_FALSE(response->Header("x-two").has_value());
  const Received got = server.received().at(0);
  EXPECT_EQ(got.method, "PATCH");
  EXPECT_EQ(got.target, "/a%20b/c?x=1&y=%2F");
  EXPECT_EQ(got.headers.at("content-type"), "application/json");
  EXPECT_EQ(got.headers.at("x-empty"), "");
  EXPECT_FALSE(got.headers.contains("expect"));
  EXPECT_FALSE(got.headers.contains("origin"));
  EXPECT_EQ(got.body, request.body);
}

TEST_F(CurlHttpTest, EveryMethodArrivesAsItIs) {
  TestServer server([](const Received& request) {
    return request.method == "HEAD" ? Scripted{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"}
                                    : Answer(200, "x");
  });
  for (const std::string& method :
       std::vector<std::string>{"GET", "HEAD", "PUT", "POST", "PATCH", "DELETE"}) {
    HttpRequest request;
    request.method = method;
    request.url = server.Url("/");
    const auto response = http_.Send(request);
    ASSERT_TRUE(response.ok()) << method << ": " << response.error().message;
    EXPECT_EQ(server.received().back().method, method);
    EXPECT_EQ(response->body, method == "HEAD" ? "" : "x");
  }
}

TEST_F(CurlHttpTest, DotsInAPathStay) {
  TestServer server([](const Received&) { return Answer(200); });
  ASSERT_TRUE(http_.Send({.url = server.Url("/a/../b/./c")}).ok());
  EXPECT_EQ(server.received().at(0).target, "/a/../b/./c");
}

TEST_F(CurlHttpTest, OnlyWhatMayBeRepeatedUsesAKeptConnection) {
  TestServer server([](const Received&) { return Answer(200); });
  for (int i = 0; i < 3; ++i) ASSERT_TRUE(http_.Send({.url = server.Url("/")}).ok());
  ASSERT_TRUE(http_.Send({.method = "POST", .url = server.Url("/")}).ok());
  HttpRequest safe{.method = "POST", .url = server.Url("/")};
  safe.repeat = Repeat::kSafe;
  safe.body = "no form";
  ASSERT_TRUE(http_.Send(safe).ok());
  EXPECT_FALSE(server.received().back().headers.contains("content-type"));
  std::vector<int> connections;
  for (const Received& received : server.received()) connections.push_back(received.connection);
  EXPECT_EQ(connections[0], connections[1]);
  EXPECT_EQ(connections[1], connections[2]);
  EXPECT_NE(connections[2], connections[3]);
  EXPECT_LE(connections[4], 1);
}

TEST_F(CurlHttpTest, ALostAnswerIsUnknownAndNotSentTwice) {
  // The connection is kept after the GET; the POST is read, then the server hangs up.
  TestServer server([](const Received& request) {
    return request.method == "GET" ? Answer(200) : Scripted{.close = true};
  });
  ASSERT_TRUE(http_.Send({.url = server.Url("/")}).ok());
  SendNote note;
  const auto response = http_.Send({.method = "POST", .url = server.Url("/create")}, note);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::kExternal);
  EXPECT_THAT(response.error().message, HasSubstr("POST 127.0.0.1"));
  EXPECT_EQ(note.delivery, Delivery::kUnknown);
  EXPECT_EQ(server.received().size(), 2U);
}

TEST_F(CurlHttpTest, ARefusedConnectionIsKnownNotToHaveArrived) {
  int port = 0;
  {
    port = TestServer([](const Received&) { return Answer(200); }).port();
  }
  SendNote note;
  const auto response = http_.Send(
      {.method = "POST", .url = "http://127.0.0.1:" + std::to_string(port) + "/x"}, note);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::kExternal);
  EXPECT_EQ(note.delivery, Delivery::kNotSent);
}

TEST_F(CurlHttpTest, PartOfAFileIsABody) {
  const std::string path = directory_ + "/source";
  std::string content;
  for (int i = 0; i < 3'000'000; ++i) content += static_cast<char>(i * 31 % 251);
  ASSERT_TRUE(WriteFileAtomically(path, content).ok());
  TestServer server([](const Received&) { return Answer(200); });
  HttpRequest request{.method = "PUT", .url = server.Url("/f")};
  request.body_file = FileRange{path, 1'000, 2'500'000};
  const auto response = http_.Send(request);
  ASSERT_TRUE(response.ok()) << response.error().message;
  EXPECT_TRUE(server.received().at(0).body == content.substr(1'000, 2'500'000));
  request.body_file->size = 4'000'000;
  const auto shorter = http_.Send(request);
  ASSERT_FALSE(shorter.ok());
  EXPECT_EQ(shorter.error().code, ErrorCode::kIo) << shorter.error().message;
  request.body_file->path = directory_ + "/missing";
  EXPECT_EQ(http_.Send(request).error().code, ErrorCode::kIo);
}

TEST_F(CurlHttpTest, ADownloadAppearsWholeOrNotAtAll) {
  const std::string content(500'000, 'd');
  std::atomic<int> mode = 0;
  TestServer server([&](const Received&) {
    if (mode == 0) return Answer(200, content);
    if (mode == 1) return Answer(404, "nothing here");
    Scripted cut = Answer(200, content);
    cut.bytes.resize(cut.bytes.size() / 2);
    cut.close = true;
    return cut;
  });
  HttpRequest request{.url = server.Url("/f")};
  request.sink_path = directory_ + "/whole";
  const auto whole = http_.Send(request);
  ASSERT_TRUE(whole.ok()) << whole.error().message;
  EXPECT_EQ(whole->body, "");
  EXPECT_EQ(whole->body_bytes, 500'000);
  EXPECT_TRUE(ReadFile(request.sink_path).value() == content);
  mode = 1;
  request.sink_path = directory_ + "/absent";
  const auto absent = http_.Send(request);
  ASSERT_TRUE(absent.ok());
  EXPECT_EQ(absent->body, "nothing here");
  mode = 2;
  request.sink_path = directory_ + "/cut";
  const auto cut = http_.Send(request);
  ASSERT_FALSE(cut.ok());
  EXPECT_EQ(cut.error().code, ErrorCode::kExternal);
  mode = 0;
  request.sink_path = directory_ + "/long";
  request.sink_bytes_max = 1'000;
  EXPECT_EQ(http_.Send(request).error().code, ErrorCode::kExternal);
  request.sink_path = directory_ + "/no/such/folder/f";
  EXPECT_EQ(http_.Send(request).error().code, ErrorCode::kIo);
  std::vector<std::string> left;
  for (const auto& entry : std::filesystem::directory_iterator(directory_))
    left.push_back(entry.path().filename());
  EXPECT_THAT(left, testing::ElementsAre("whole"));
}

TEST_F(CurlHttpTest, CutGarbageAndHugeAnswersAreErrors) {
  Scripted scripted;
  TestServer server([&](const Received&) { return scripted; });
  HttpRequest request{.url = server.Url("/x")};
  request.response_bytes_max = 10'000;
  std::vector<Scripted> all(6);
  all[0].bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf";
  all[1].bytes = "\x16\x03\x01 this is no HTTP\r\n\r\n";
  all[2].bytes = Answer(200, std::string(10'001, 'x')).bytes;
  all[3].bytes = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 9; ++i)
    all[3].bytes += "X-" + std::to_string(i) + ": " + std::string(60'000, 'h') + "\r\n";
  all[3].bytes += "\r\n";
  all[4].bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nnot a length\r\n";
  all[5].bytes = "";
  for (std::size_t i = 0; i < all.size(); ++i) {
    scripted = all[i];
    scripted.close = true;
    SendNote note;
    const auto response = http_.Send(request, note);
    ASSERT_FALSE(response.ok()) << i << " " << response->body.size();
    EXPECT_EQ(response.error().code, ErrorCode::kExternal) << i;
    EXPECT_EQ(note.delivery, Delivery::kUnknown) << i;
    EXPECT_THAT(response.error().message, HasSubstr("GET 127.0.0.1")) << i;
  }
}

TEST_F(CurlHttpTest, SlowServersEndInTimeOuts) {
  TestServer server([](const Received& request) {
    Scripted scripted = Answer(200, "slow body");
    if (request.target == "/pause") scripted.pause_ms = 3'000;
    if (request.target == "/drip") scripted.pause_each_ms = 300;
    return scripted;
  });
  for (const std::string& path : std::vector<std::string>{"/pause", "/drip"}) {
    HttpRequest request{.url = server.Url(path)};
    request.timeout_ms = 1'000;
    SendNote note;
    const auto response = http_.Send(request, note);
    ASSERT_FALSE(response.ok()) << path;
    EXPECT_EQ(response.error().code, ErrorCode::kExternal);
    EXPECT_EQ(note.delivery, Delivery::kUnknown);
  }
  HttpRequest stalled{.url = server.Url("/pause")};
  stalled.stall_timeout_ms = 1'000;
  EXPECT_FALSE(http_.Send(stalled).ok());
}

TEST_F(CurlHttpTest, AStopEndsAWaitAtOnce) {
  TestServer server([](const Received&) {
    Scripted scripted = Answer(200);
    scripted.pause_ms = 5'000;
    return scripted;
  });
  std::stop_source source;
  HttpRequest request{.url = server.Url("/")};
  request.stop = source.get_token();
  std::jthread stopper([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    source.request_stop();
  });
  const std::int64_t begin = clock_.MonotonicNanos();
  const auto response = http_.Send(request);
  ASSERT_FALSE(response.ok());
  EXPECT_EQ(response.error().code, ErrorCode::kInterrupted);
  EXPECT_LT(clock_.MonotonicNanos() - begin, 4 * kNanosPerSecond);  // the answer takes five
  const auto again = http_.Send(request);
  ASSERT_FALSE(again.ok());
  EXPECT_EQ(again.error().code, ErrorCode::kInterrupted);
}

TEST_F(CurlHttpTest, CredentialsGoAsAskedAndNeverIntoMessages) {
  TestServer server([](const Received&) { return Scripted{.close = true}; });
  HttpRequest request{.url = server.Url("/x?key=query-secret")};
  request.headers = {{"X-Key", "header-secret"}};
  request.auth = {"anna", Secret("pass-secret"), Secret("unused")};
  const auto basic = http_.Send(request);
  ASSERT_FALSE(basic.ok());
  EXPECT_THAT(basic.error().message, Not(HasSubstr("secret")));
  // base64 of "anna:pass-secret".
  EXPECT_EQ(server.received().at(0).headers.at("authorization"), "Basic YW5uYTpwYXNzLXNlY3JldA==");
  request.auth = {"", {}, Secret("token-secret")};
  const auto bearer = http_.Send(request);
  ASSERT_FALSE(bearer.ok());
  EXPECT_THAT(bearer.error().message, Not(HasSubstr("secret")));
  EXPECT_EQ(server.received().back().headers.at("authorization"), "Bearer token-secret");
  request.auth = {};
  EXPECT_FALSE(http_.Send(request).ok());
  EXPECT_FALSE(server.received().back().headers.contains("authorization"));
}

TEST_F(CurlHttpTest, ARedirectKeepsCredentialsOnlyOnTheSameOrigin) {
  TestServer other([](const Received&) { return Answer(200, "there"); });
  TestServer server([&](const Received& request) {
    if (request.target == "/same") return Answer(302, "", {"Location: /final?x=1"});
    if (request.target == "/other") return Answer(307, "", {"Location: " + other.Url("/there")});
    return Answer(200, "final");
  });
  HttpRequest request{.url = server.Url("/same")};
  request.headers = {{"X-Amz-Security-Token", "t"}, {"Authorization", "custom"}, {"Accept", "a/b"}};
  auto response = http_.Send(request);
  ASSERT_TRUE(response.ok()) << response.error().message;
  EXPECT_EQ(response->body, "final");
  EXPECT_EQ(server.received().back().target, "/final?x=1");
  EXPECT_EQ(server.received().back().headers.at("authorization"), "custom");
  request.url = server.Url("/other");
  request.auth = {"anna", Secret("p"), {}};
  response = http_.Send(request);
  ASSERT_TRUE(response.ok()) << response.error().message;
  EXPECT_EQ(response->body, "there");
  const Received there = other.received().at(0);
  EXPECT_FALSE(there.headers.contains("authorization"));
  EXPECT_FALSE(there.headers.contains("x-amz-security-token"));
  EXPECT_EQ(there.headers.at("accept"), "a/b");
}

TEST_F(CurlHttpTest, RedirectsEndAndWritesDoNotFollowThem) {
  TestServer server([](const Received& request) {
    if (request.target == "/file") return Answer(302, "", {"Location: file:///etc/hostname"});
    return Answer(302, "", {"Location: /again"});
  });
  const auto circle = http_.Send({.url = server.Url("/")});
  ASSERT_FALSE(circle.ok());
  EXPECT_THAT(circle.error().message, HasSubstr("redirects"));
  EXPECT_EQ(server.received().size(), 6U);
  EXPECT_FALSE(http_.Send({.url = server.Url("/file")}).ok());
  const auto put = http_.Send({.method = "PUT", .url = server.Url("/")});
  ASSERT_TRUE(put.ok());
  EXPECT_EQ(put->status, 302);
}

TEST_F(CurlHttpTest, WhatCannotBeSentIsRefused) {
  for (const std::string& url :
       std::vector<std::string>{"", "no url", "file:///etc/passwd", "ftp://h/x", "http://",
                                "http://user:pw@127.0.0.1/", "http://h:99999/"}) {
    const auto response = http_.Send({.url = url});
    ASSERT_FALSE(response.ok()) << url;
    EXPECT_EQ(response.error().code, ErrorCode::kUsage) << url;
    EXPECT_THAT(response.error().message, Not(HasSubstr("pw"))) << url;
  }
  for (const HttpHeader& header :
       std::vector<HttpHeader>{{"X", "a\r\nInjected: 1"}, {"X\n", "a"}, {"", "a"}, {"X: y", "z"}}) {
    HttpRequest request{.url = "http://127.0.0.1:1/"};
    request.headers = {header};
    EXPECT_EQ(http_.Send(request).error().code, ErrorCode::kUsage) << header.name;
  }
}

TEST_F(CurlHttpTest, ManyThreadsShareOneClient) {
  TestServer server([](const Received& request) { return Answer(200, request.target); });
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 6; ++t) {
      threads.emplace_back([&, t] {
        for (int i = 0; i < 20; ++i) {
          const std::string path = "/" + std::to_string(t) + "/" + std::to_string(i);
          const auto response = http_.Send({.url = server.Url(path)});
          if (response.ok() && response->body == path) ++right;
        }
      });
    }
  }
  EXPECT_EQ(right, 120);
}

TEST_F(CurlHttpTest, ProxiesAreOnlyThoseOfTheOptions) {
  TestServer server([](const Received&) { return Answer(200, "direct"); });
  TestServer proxy([](const Received&) { return Answer(200, "proxied"); });
  ::setenv("http_proxy", proxy.Url("").c_str(), 1);
  EXPECT_EQ(CurlHttp({}).Send({.url = server.Url("/")}).value().body, "direct");
  ::unsetenv("http_proxy");
  EXPECT_EQ(CurlHttp({.http_proxy = proxy.Url("")}).Send({.url = server.Url("/p")}).value().body,
            "proxied");
  EXPECT_EQ(proxy.received().back().target, server.Url("/p"));
  EXPECT_EQ(CurlHttp({.http_proxy = proxy.Url(""), .no_proxy = "127.0.0.1"})
                .Send({.url = server.Url("/")})
                .value()
                .body,
            "direct");
}

TEST_F(CurlHttpTest, CertificatesAreChecked) {
  TestCertificates ours(directory_);
  const std::string strangers = directory_ + "/strangers";
  std::filesystem::create_directory(strangers);
  TestCertificates theirs(strangers);
  TestServer server([](const Received&) { return Answer(200, "tls"); },
                    TestServer::Tls{ours.Issue("server", "IP:127.0.0.1"), ""});
  TestServer misnamed([](const Received&) { return Answer(200, "tls"); },
                      TestServer::Tls{ours.Issue("other", "DNS:elsewhere.example"), ""});
  CurlHttp trusting({.ca_file = ours.ca_file()});
  const auto answer = trusting.Send({.url = server.Url("/")});
  ASSERT_TRUE(answer.ok()) << answer.error().message;
  EXPECT_EQ(answer->body, "tls");
  SendNote note;
  EXPECT_FALSE(trusting.Send({.method = "POST", .url = misnamed.Url("/")}, note).ok());
  EXPECT_EQ(note.delivery, Delivery::kNotSent);
  EXPECT_FALSE(http_.Send({.url = server.Url("/")}).ok());
  EXPECT_FALSE(CurlHttp({.ca_file = theirs.ca_file()}).Send({.url = server.Url("/")}).ok());
  EXPECT_FALSE(CurlHttp({.ca_file = directory_ + "/none"}).Send({.url = server.Url("/")}).ok());
  EXPECT_TRUE(CurlHttp({.insecure_tls = true}).Send({.url = misnamed.Url("/")}).ok());
}

TEST_F(CurlHttpTest, AClientShowsItsCertificate) {
  TestCertificates ours(directory_);
  const std::string client = ours.Issue("client", "");
  TestServer server([](const Received&) { return Answer(200, "known"); },
                    TestServer::Tls{ours.Issue("server", "IP:127.0.0.1"), ours.ca_file()});
  EXPECT_FALSE(CurlHttp({.ca_file = ours.ca_file()}).Send({.url = server.Url("/")}).ok());
  const auto known = CurlHttp({.ca_file = ours.ca_file(), .client_cert_file = client})
                         .Send({.url = server.Url("/")});
  ASSERT_TRUE(known.ok()) << known.error().message;
  EXPECT_EQ(known->body, "known");
}

TEST_F(CurlHttpTest, NoRedirectFromTlsToPlainText) {
  TestCertificates ours(directory_);
  TestServer plain([](const Received&) { return Answer(200, "plain"); });
  TestServer server(
      [&](const Received&) { return Answer(302, "", {"Location: " + plain.Url("/")}); },
      TestServer::Tls{ours.Issue("server", "IP:127.0.0.1"), ""});
  const auto response = CurlHttp({.ca_file = ours.ca_file()}).Send({.url = server.Url("/")});
  ASSERT_FALSE(response.ok());
  EXPECT_THAT(response.error().message, HasSubstr("https to http"));
  EXPECT_TRUE(plain.received().empty());
}

}  // namespace
}  // namespace tw::net
