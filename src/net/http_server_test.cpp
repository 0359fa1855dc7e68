#include "net/http_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <thread>

#include "base/clock.h"

namespace tw::net {
namespace {

// A client that says exactly what the test wants.
class RawClient {
 public:
  explicit RawClient(int port) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }

  RawClient(RawClient&& other) noexcept
      : fd_(std::exchange(other.fd_, -1)), connected_(other.connected_) {}

  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;
  RawClient& operator=(RawClient&&) = delete;

  ~RawClient() { Close(); }

  void Close() {
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  bool connected() const { return connected_; }

  bool Send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  // Reads until `wanted` has come, the other side closes, or a minute is over.
  std::string ReadUntil(const std::string& wanted) {
    std::string text;
    for (int i = 0; i < 600 && text.find(wanted) == std::string::npos; ++i) {
      pollfd waiting{fd_, POLLIN, 0};
      if (::poll(&waiting, 1, 100) <= 0) continue;
      std::array<char, 4096> buffer{};
      const ssize_t size = ::recv(fd_, buffer.data(), buffer.size(), 0);
      if (size <= 0) {
        closed_ = true;
        break;
      }
      text.append(buffer.data(), static_cast<std::size_t>(size));
    }
    return text;
  }

  // Whether something has come, or the other side has closed.
  bool HasNews() const {
    pollfd waiting{fd_, POLLIN, 0};
    return ::poll(&waiting, 1, 0) > 0;
  }

  std::string ReadAll() { return ReadUntil("\x01 never sent"); }

  bool closed() const { return closed_; }

 private:
  int fd_;
  bool connected_ = false;
  bool closed_ = false;
};

// Texts that the test feeds; every reader gets all of them.
struct Feed {
  std::mutex mutex;
  std::vector<std::string> texts;
  bool over = false;
  std::vector<std::function<void()>> wakes;
  std::atomic<int> alive{0};
  std::atomic<int> kept_alive{0};

  void Add(const std::string& text, bool last = false) {
    std::vector<std::function<void()>> now;
    {
      const std::scoped_lock lock(mutex);
      texts.push_back(text);
      over = last;
      now = wakes;
    }
    for (const auto& wake : now) wake();
  }
};

class FeedStream final : public ServerStream {
 public:
  explicit FeedStream(Feed& feed, bool is_file = false) : feed_(feed), is_file_(is_file) {
    ++feed_.alive;
  }

  bool must_be_whole() const override { return is_file_; }

  FeedStream(const FeedStream&) = delete;
  FeedStream& operator=(const FeedStream&) = delete;
  FeedStream(FeedStream&&) = delete;
  FeedStream& operator=(FeedStream&&) = delete;

  ~FeedStream() override { --feed_.alive; }

  void Begin(std::function<void()> wake) override {
    const std::scoped_lock lock(feed_.mutex);
    feed_.wakes.push_back(std::move(wake));
  }

  std::optional<std::string> Read(bool keep_alive) override {
    const std::scoped_lock lock(feed_.mutex);
    if (next_ < feed_.texts.size()) return feed_.texts[next_++];
    if (feed_.over) return std::nullopt;
    if (keep_alive) ++feed_.kept_alive;
    return keep_alive ? ":\n\n" : "";
  }

 private:
  Feed& feed_;
  bool is_file_;
  std::size_t next_ = 0;
};

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(HttpServerOptions options = {}) {
    options.refuse = [](int status) {
      return ServerResponse{
          .status = 0, .headers = {}, .body = "refused " + std::to_string(status)};
    };
    auto server =
        HttpServer::Start(options, clock_, [this](const ServerRequest& r) { return Handle(r); });
    ASSERT_TRUE(server.ok()) << server.error().message;
    server_ = std::move(server).value();
  }

  ServerResponse Handle(const ServerRequest& request) {
    ServerResponse response;
    response.headers = {{"X-Test", "yes"}};
    if (request.target == "/stream" || request.target == "/file") {
      response.stream = std::make_unique<FeedStream>(feed_, request.target == "/file");
      return response;
    }
    if (request.target == "/slow") {
      ++slow_;
      for (int i = 0; i < 6000 && !release_; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    response.body =
        request.method + " " + request.target + " " + request.header("x-a") + " " + request.body;
    return response;
  }

  template <class Condition>
  bool Eventually(Condition condition) {
    for (int i = 0; i < 6000; ++i) {
      if (condition()) return true;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return false;
  }

  SystemClock clock_;
  Feed feed_;
  std::atomic<int> slow_{0};
  std::atomic<bool> release_{false};
  std::unique_ptr<HttpServer> server_;
};

constexpr std::string_view kClose = "Host: localhost\r\nConnection: close\r\n";

TEST_F(HttpServerTest, HandsOverMethodRawTargetHeadersAndBody) {
  Start();
  RawClient client(server_->port());
  client.Send("POST /a%2Fb?x=%00 HTTP/1.1\r\nX-A: one\r\nx-a: two\r\nContent-Length: 5\r\n" +
              std::string(kClose) + "\r\nhello");
  const std::string answer = client.ReadAll();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer;
  EXPECT_NE(answer.find("X-Test: yes\r\n"), std::string::npos);
  EXPECT_TRUE(answer.ends_with("POST /a%2Fb?x=%00 one, two hello")) << answer;
}

TEST_F(HttpServerTest, KeepsAConnectionForTheNextRequest) {
  Start();
  RawClient client(server_->port());
  for (const char* path : {"/one", "/two", "/three"}) {
    client.Send("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n\r\n");
    const std::string wanted = "GET " + std::string(path) + "  ";
    EXPECT_NE(client.ReadUntil(wanted).find(wanted), std::string::npos);
  }
  EXPECT_EQ(server_->connections(), 1);
}

TEST_F(HttpServerTest, RefusesBodiesBeyondTheLimit) {
  HttpServerOptions options;
  options.body_bytes_max = 1000;
  Start(options);
  RawClient announced(server_->port());
  announced.Send("POST / HTTP/1.1\r\nContent-Length: 1001\r\n" + std::string(kClose) + "\r\n");
  EXPECT_TRUE(announced.ReadAll().starts_with("HTTP/1.1 413 "));
  RawClient exact(server_->port());
  exact.Send("POST / HTTP/1.1\r\nContent-Length: 1000\r\n" + std::string(kClose) + "\r\n" +
             std::string(1000, 'x'));
  EXPECT_TRUE(exact.ReadAll().starts_with("HTTP/1.1 200 "));
  RawClient chunked(server_->port());
  chunked.Send("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + std::string(kClose) +
               "\r\n44c\r\n" + std::string(1100, 'x') + "\r\n0\r\n\r\n");
  const std::string answer = chunked.ReadAll();
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 413 ")) << answer.substr(0, 100);
  EXPECT_TRUE(answer.ends_with("refused 413"));
}

TEST_F(HttpServerTest, AnswersNonsenseAndGoesOn) {
  Start();
  for (const std::string& nonsense :
       {std::string("\r\n\r\n"), std::string("GET\r\n\r\n"), std::string(200'000, 'A'),
        "GET / HTTP/1.1\r\n" + std::string(100'000, 'h') + ": x\r\n\r\n",
        std::string("GET / HTTP/1.1\r\n\r\n"), std::string("\x16\x03\x01\x02\x00\x01\x00", 7),
        std::string("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n"),
        std::string(
            "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n")}) {
    RawClient client(server_->port());
    client.Send(nonsense);
    client.Close();
  }
  RawClient client(server_->port());
  client.Send("GET /fine HTTP/1.1\r\n" + std::string(kClose) + "\r\n");
  EXPECT_TRUE(client.ReadAll().starts_with("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, StreamsUntilTheEnd) {
  Start();
  feed_.Add("first\n");
  RawClient client(server_->port());
  client.Send("GET /stream HTTP/1.1\r\n" + std::string(kClose) + "\r\n");
  EXPECT_NE(client.ReadUntil("first\n").find("first\n"), std::string::npos);
  feed_.Add("second\n");
  EXPECT_NE(client.ReadUntil("second\n").find("second\n"), std::string::npos);
  feed_.Add("last\n", true);
  const std::string rest = client.ReadAll();
  EXPECT_NE(rest.find("last\n"), std::string::npos);
  EXPECT_TRUE(client.closed());
  EXPECT_TRUE(Eventually([this] { return feed_.alive == 0; }));
}

TEST_F(HttpServerTest, AFileThatTheServerEndsEarlyIsBrokenOff) {
  Start();
  feed_.Add("some of it\n");
  RawClient client(server_->port());
  client.Send("GET /file HTTP/1.1\r\n" + std::string(kClose) + "\r\n");
  EXPECT_NE(client.ReadUntil("some of it\n").find("some of it\n"), std::string::npos);
  server_->Stop();
  const std::string rest = client.ReadAll();
  EXPECT_EQ(rest.find("0\r\n\r\n"), std::string::npos) << "nobody may take it for the whole";
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServerTest, TwoHundredStreamsNeedNoThreadEach) {
  HttpServerOptions options;
  options.workers = 2;
  Start(options);
  std::vector<RawClient> clients;
  for (int i = 0; i < 200; ++i) {
    clients.emplace_back(server_->port());
    ASSERT_TRUE(clients.back().Send("GET /stream HTTP/1.1\r\n" + std::string(kClose) + "\r\n"));
  }
  ASSERT_TRUE(Eventually([this] { return feed_.alive == 200; }));
  RawClient other(server_->port());
  other.Send("GET /between HTTP/1.1\r\n" + std::string(kClose) + "\r\n");
  EXPECT_TRUE(other.ReadAll().starts_with("HTTP/1.1 200 "));
  feed_.Add("to all\n", true);
  for (RawClient& client : clients)
    ASSERT_NE(client.ReadUntil("to all\n").find("to all\n"), std::string::npos);
  clients.clear();
  EXPECT_TRUE(Eventually([this] { return feed_.alive == 0 && server_->connections() == 0; }));
}

TEST_F(HttpServerTest, SignsOfLifeFindClientsThatAreGone) {
  HttpServerOptions options;
  options.keep_alive_seconds = 1;
  Start(options);
  {
    RawClient client(server_->port());
    client.Send("GET /stream HTTP/1.1\r\n" + std::string(kClose) + "\r\n");
    EXPECT_NE(client.ReadUntil(":\n\n").find(":\n\n"), std::string::npos);
  }
  EXPECT_TRUE(Eventually([this] { return feed_.alive == 0; }));
}

TEST_F(HttpServerTest, ClosesConnectionsThatBringNoRequest) {
  HttpServerOptions options;
  options.idle_seconds = 1;
  Start(options);
  RawClient silent(server_->port());
  RawClient slow(server_->port());
  for (int i = 0; i < 600 && slow.Send("G"); ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  silent.ReadAll();
  slow.ReadAll();
  EXPECT_TRUE(silent.closed());
  EXPECT_TRUE(slow.closed());
}

TEST_F(HttpServerTest, TooManyWaitingRequestsAreRefused) {
  HttpServerOptions options;
  options.workers = 1;
  options.waiting_max = 2;
  Start(options);
  std::vector<RawClient> clients;
  clients.emplace_back(server_->port());
  clients.back().Send("GET /slow HTTP/1.1\r\n" + std::string(kClose) + "\r\n");
  ASSERT_TRUE(Eventually([this] { return slow_ == 1; }));
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(server_->port());
    clients.back().Send("GET /x HTTP/1.1\r\n" + std::string(kClose) + "\r\n");
  }
  // One of the three is one too many, whichever came last, and the only one to be answered now.
  const auto refused = [&] { return std::ranges::find_if(clients, &RawClient::HasNews); };
  ASSERT_TRUE(Eventually([&] { return refused() != clients.end(); }));
  const auto which = refused() - clients.begin();
  EXPECT_NE(which, 0);
  EXPECT_TRUE(clients[static_cast<std::size_t>(which)].ReadAll().starts_with("HTTP/1.1 503 "));
  EXPECT_EQ(std::ranges::count_if(clients, &RawClient::HasNews), 1);
  release_ = true;
  for (std::ptrdiff_t i = 0; i < 4; ++i) {
    if (i == which) continue;
    EXPECT_TRUE(clients[static_cast<std::size_t>(i)].ReadAll().starts_with("HTTP/1.1 200 "));
  }
}

TEST_F(HttpServerTest, StopAnswersWhatRunsAndEndsStreams) {
  Start();
  RawClient stream(server_->port());
  stream.Send("GET /stream HTTP/1.1\r\n" + std::string(kClose) + "\r\n");
  RawClient slow(server_->port());
  slow.Send("GET /slow HTTP/1.1\r\n" + std::string(kClose) + "\r\n");
  ASSERT_TRUE(Eventually([this] { return slow_ == 1 && feed_.alive == 1; }));
  std::thread later([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    release_ = true;
  });
  server_->Stop();
  later.join();
  EXPECT_TRUE(slow.ReadAll().starts_with("HTTP/1.1 200 "));
  EXPECT_TRUE(stream.ReadAll().ends_with("0\r\n\r\n"));
  EXPECT_TRUE(stream.closed());
  EXPECT_EQ(feed_.alive, 0);
  EXPECT_FALSE(RawClient(server_->port()).connected());
}

TEST_F(HttpServerTest, SaysWhatCannotBeListenedOn) {
  Start();
  HttpServerOptions options;
  options.port = server_->port();
  const auto handler = [](const ServerRequest&) { return ServerResponse{}; };
  const auto taken = HttpServer::Start(options, clock_, handler);
  ASSERT_FALSE(taken.ok());
  EXPECT_EQ(taken.error().code, ErrorCode::kIo);
  options.address = "nowhere";
  EXPECT_EQ(HttpServer::Start(options, clock_, handler).error().code, ErrorCode::kUsage);
}

TEST(LoopbackTest, NamesThatBeginLikeLoopbackAreNone) {
  for (const char* yes : {"localhost", "127.0.0.1", "127.9.9.9", "::1", "[::1]"})
    EXPECT_TRUE(IsLoopback(yes)) << yes;
  for (const char* no : {"", "0.0.0.0", "127.0.0.1.evil.example", "localhost.evil.example", "::2"})
    EXPECT_FALSE(IsLoopback(no)) << no;
}

}  // namespace
}  // namespace tw::net
