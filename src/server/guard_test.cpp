#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "server/test_home.h"

namespace tw::server {
namespace {

class GuardTest : public ApiTest {
 protected:
  int Status(const net::ServerRequest& request) { return api_.Handle(request).status; }
};

std::map<std::string, std::string> HeadersOf(const net::ServerResponse& response) {
  return {response.headers.begin(), response.headers.end()};
}

TEST_F(GuardTest, OnlyKnownNamesAreAnswered) {
  net::ServerRequest request = Request("GET", "/api/v1/status");
  for (const char* host : {"localhost", "localhost:8765", "127.0.0.1:1", "[::1]:8765"}) {
    request.headers["host"] = host;
    EXPECT_EQ(Status(request), 200) << host;
  }
  for (const char* host : {"", "evil.example", "localhost.evil.example:8765", "192.168.0.7",
                           "127.0.0.1.evil.example", "[::2]", "localhost, evil.example"}) {
    request.headers["host"] = host;
    EXPECT_EQ(Status(request), 403) << host;
    request.target = "/";
    EXPECT_EQ(Status(request), 403) << host;
    request.target = "/api/v1/status";
  }
}

TEST_F(GuardTest, OtherSitesPagesGetNothing) {
  net::ServerRequest request = Request("GET", "/api/v1/status");
  request.headers["origin"] = "http://localhost:8765";
  EXPECT_EQ(Status(request), 200);
  for (const char* origin :
       {"null", "http://evil.example", "http://localhost:1", "https://localhost"}) {
    request.headers["origin"] = origin;
    EXPECT_EQ(Status(request), 403) << origin;
  }
  request.headers.erase("origin");
  request.headers["sec-fetch-site"] = "cross-site";
  request.headers["sec-fetch-mode"] = "no-cors";
  EXPECT_EQ(Status(request), 403);
  request.headers["sec-fetch-mode"] = "navigate";
  EXPECT_EQ(Status(request), 200);
}

TEST_F(GuardTest, WhatChangesStateNeedsTheToken) {
  for (const Api::RouteName& route : Api::Routes()) {
    EXPECT_EQ(route.needs_token, route.method != "GET") << route.pattern;
    if (!route.needs_token) continue;
    std::string target = "/api/v1" + route.pattern;
    const std::size_t brace = target.find("{id}");
    if (brace != std::string::npos) target.replace(brace, 4, "0123456789abcdef");
    net::ServerRequest request = Request(route.method, target);
    request.headers.erase("authorization");
    const net::ServerResponse response = api_.Handle(request);
    EXPECT_EQ(response.status, 401) << target;
    EXPECT_EQ(HeadersOf(response)["WWW-Authenticate"], "Bearer");
    request.headers["authorization"] = "Bearer 0123456789abcdef012";
    EXPECT_EQ(Status(request), 401);
    request.headers["authorization"] = "Bearer " + std::string(kTestToken);
    EXPECT_NE(Status(request), 401);
  }
}

TEST_F(GuardTest, AWrongTokenIsSaidAlsoWhereNoneIsNeeded) {
  net::ServerRequest request = Request("GET", "/api/v1/status");
  request.headers["authorization"] = "Bearer wrong";
  EXPECT_EQ(Status(request), 401);
  request.headers.erase("authorization");
  const auto status = Json::parse(api_.Handle(request).body);
  EXPECT_EQ(status["authorised"], false);
  EXPECT_EQ(Get("/status")["authorised"], true);
}

TEST_F(GuardTest, BeyondLoopbackReadingNeedsTheTokenAndNamesAreListed) {
  ApiOptions options = Options();
  options.beyond_loopback = true;
  options.hosts = {"trader.example"};
  Api api(home_.Services(), options, StaticFiles());
  net::ServerRequest request = Request("GET", "/api/v1/status");
  for (const char* host : {"trader.example:443", "10.0.0.7:8765", "[fe80::1]"}) {
    request.headers["host"] = host;
    EXPECT_EQ(api.Handle(request).status, 200) << host;
  }
  request.headers["host"] = "evil.example";
  EXPECT_EQ(api.Handle(request).status, 403);
  request.headers["host"] = "10.0.0.7:8765";
  request.headers.erase("authorization");
  for (const Api::RouteName& route : Api::Routes()) {
    request.method = route.method;
    request.target = "/api/v1" + route.pattern;
    EXPECT_EQ(api.Handle(request).status, 401) << route.pattern;
  }
  request.method = "GET";
  request.target = "/";
  EXPECT_EQ(api.Handle(request).status, 200);  // the page itself holds no secret
}

TEST_F(GuardTest, BodiesAreJsonAndOnlyWhereWanted) {
  net::ServerRequest request = Request("POST", "/api/v1/simulations", Body());
  request.headers["content-type"] = "text/plain";
  EXPECT_EQ(Status(request), 415);
  request.headers["content-type"] = "application/x-www-form-urlencoded";
  EXPECT_EQ(Status(request), 415);
  EXPECT_EQ(Status(Request("GET", "/api/v1/status", "{}")), 400);
}

TEST_F(GuardTest, WrongMethodsAndAddressesAreSaid) {
  const net::ServerResponse response = Send("PUT", "/simulations");
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(HeadersOf(response)["Allow"], "GET, HEAD, POST");
  EXPECT_EQ(Send("HEAD", "/status").status, 200);
  EXPECT_EQ(Send("GET", "/nothing").status, 404);
  EXPECT_EQ(Status(Request("GET", "/api")), 404);
  EXPECT_EQ(Status(Request("GET", "/api/v2/status")), 404);
  EXPECT_EQ(Status(Request("POST", "/index.html")), 405);
}

TEST_F(GuardTest, EveryAnswerCarriesTheSecurityHeaders) {
  for (const char* target : {"/", "/api/v1/status", "/api/v1/nothing", "/%zz"}) {
    auto headers = HeadersOf(api_.Handle(Request("GET", target)));
    const std::string policy = headers["Content-Security-Policy"];
    EXPECT_NE(policy.find("default-src 'none'"), std::string::npos) << target;
    EXPECT_NE(policy.find("script-src 'self';"), std::string::npos) << target;
    EXPECT_EQ(policy.find("unsafe-"), std::string::npos) << target;
    EXPECT_NE(policy.find("frame-ancestors 'none'"), std::string::npos) << target;
    EXPECT_EQ(headers["X-Content-Type-Options"], "nosniff") << target;
    EXPECT_EQ(headers["Referrer-Policy"], "no-referrer") << target;
    EXPECT_FALSE(headers["Cache-Control"].empty()) << target;
    EXPECT_FALSE(headers.contains("Access-Control-Allow-Origin")) << target;
  }
  auto refused = HeadersOf(Api::Refuse(413));
  EXPECT_EQ(refused["Content-Type"], "application/problem+json");
  EXPECT_FALSE(refused["Content-Security-Policy"].empty());
}

TEST_F(GuardTest, FilesAreServedByNameAndNothingElse) {
  namespace fs = std::filesystem;
  const fs::path root = fs::path(home_.dir) / "bundle";
  fs::create_directories(root / "assets");
  const auto write = [](const fs::path& path, const std::string& text) {
    std::ofstream(path) << text;
  };
  write(root / "index.html", "<!doctype html>page");
  write(root / "assets" / "app.js", std::string(5000, 'x'));
  write(fs::path(home_.dir) / "secret.txt", "secret");
  fs::create_symlink(fs::path(home_.dir) / "secret.txt", root / "link.txt");
  Api api(home_.Services(), Options(), StaticFiles::Load(root.string()).value());
  net::ServerRequest request = Request("GET", "/");
  EXPECT_EQ(api.Handle(request).shared_body->substr(0, 9), "<!doctype");
  request.target = "/models/some?name=x";  // one of the application's own pages
  EXPECT_EQ(api.Handle(request).status, 200);
  request.target = "/assets/app.js";
  net::ServerResponse plain = api.Handle(request);
  auto headers = HeadersOf(plain);
  EXPECT_EQ(headers["Content-Type"], "text/javascript; charset=utf-8");
  EXPECT_EQ(plain.shared_body->size(), 5000U);
  request.headers["accept-encoding"] = "gzip, br";
  const net::ServerResponse packed = api.Handle(request);
  EXPECT_EQ(HeadersOf(packed)["Content-Encoding"], "gzip");
  EXPECT_LT(packed.shared_body->size(), 500U);
  request.headers["if-none-match"] = headers["ETag"];
  EXPECT_EQ(api.Handle(request).status, 304);
  for (const char* target :
       {"/link.txt", "/../secret.txt", "/%2e%2e/secret.txt", "/assets/../index.html",
        "/..%2fsecret.txt", "/assets/none.js", "/%2fetc%2fpasswd.x"}) {
    request.target = target;
    const net::ServerResponse response = api.Handle(request);
    EXPECT_TRUE(response.status == 404 || response.status == 400) << target << response.status;
  }
  EXPECT_FALSE(StaticFiles::Load((root / "assets").string()).ok());
  EXPECT_FALSE(StaticFiles::Load("/nowhere").ok());
}

}  // namespace
}  // namespace tw::server
