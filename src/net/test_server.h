#pragma once

#include <openssl/ssl.h>

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace tw::net {

/// A request as the test server read it.
struct Received {
  std::string method;
  std::string target;
  std::map<std::string, std::string> headers;  // names in lower case
  std::string body;
  int connection = 0;  // from 0, in order of acceptance
};

/// What the test server does with a request, byte by byte: an answer may be slow, cut or nonsense.
struct Scripted {
  std::string bytes = {};
  int pause_ms = 0;       // before the first byte
  int pause_each_ms = 0;  // between bytes
  bool close = false;     // afterwards
  bool reset = false;     // instead of an orderly end
};

/// A whole answer of this status.
Scripted Answer(int status, const std::string& body = "",
                const std::vector<std::string>& header_lines = {});

/// Certificates made for one test: a CA, and names that it vouches for. PEM files in a directory.
class TestCertificates {
 public:
  explicit TestCertificates(const std::string& directory);
  /// Files NAME.pem (certificate and key) for the host names or addresses.
  std::string Issue(const std::string& name, const std::string& alternative_names);

  const std::string& ca_file() const { return ca_file_; }

 private:
  std::string directory_;
  std::string ca_file_;
  std::shared_ptr<EVP_PKEY> ca_key_;
  std::shared_ptr<X509> ca_;
};

/// A server on 127.0.0.1 whose answers a test writes itself. One thread a connection.
class TestServer {
 public:
  using Handler = std::function<Scripted(const Received&)>;

  struct Tls {
    std::string pem_file;
    std::string client_ca_file;  // asks for a client certificate of this CA when set
  };

  explicit TestServer(Handler handler, std::optional<Tls> tls = std::nullopt);
  TestServer(const TestServer&) = delete;
  TestServer& operator=(const TestServer&) = delete;
  TestServer(TestServer&&) = delete;
  TestServer& operator=(TestServer&&) = delete;
  ~TestServer();

  int port() const { return port_; }

  /// "http://127.0.0.1:PORT" + path.
  std::string Url(const std::string& path, const std::string& host = "127.0.0.1") const;
  std::vector<Received> received() const;

 private:
  void Accept();
  void Serve(int fd, int connection);

  Handler handler_;
  std::shared_ptr<SSL_CTX> tls_;
  int listener_ = -1;
  int port_ = 0;
  mutable std::mutex mutex_;
  std::vector<Received> received_;    // guarded by mutex_
  std::vector<int> open_;             // guarded by mutex_
  std::vector<std::thread> threads_;  // guarded by mutex_
  bool stopping_ = false;             // guarded by mutex_
  std::thread acceptor_;
};

}  // namespace tw::net
