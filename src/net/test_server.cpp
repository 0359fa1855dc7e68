#include "net/test_server.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <utility>

namespace tw::net {
namespace {

/// Reading and writing with or without TLS.
class Channel {
 public:
  Channel(int fd, SSL_CTX* context) : fd_(fd) {
    if (context == nullptr) return;
    ssl_ = SSL_new(context);
    SSL_set_fd(ssl_, fd);
    failed_ = SSL_accept(ssl_) != 1;
  }

  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;
  Channel(Channel&&) = delete;
  Channel& operator=(Channel&&) = delete;

  ~Channel() { SSL_free(ssl_); }

  bool failed() const { return failed_; }

  int Read(char* data, int size) {
    return ssl_ != nullptr ? SSL_read(ssl_, data, size)
                           : static_cast<int>(::recv(fd_, data, static_cast<std::size_t>(size), 0));
  }

  bool Write(const char* data, std::size_t size) {
    while (size > 0) {
      const int sent = ssl_ != nullptr ? SSL_write(ssl_, data, static_cast<int>(size))
                                       : static_cast<int>(::send(fd_, data, size, MSG_NOSIGNAL));
      if (sent <= 0) return false;
      data += sent;
      size -= static_cast<std::size_t>(sent);
    }
    return true;
  }

  void Close() {
    if (ssl_ != nullptr) SSL_shutdown(ssl_);
  }

 private:
  int fd_;
  SSL* ssl_ = nullptr;
  bool failed_ = false;
};

std::string Lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  });
  return text;
}

/// Reads up to the end of one request; `buffer` keeps what came after it. False at the end of the
/// connection.
bool ReadRequest(Channel& channel, std::string& buffer, Received& request) {
  std::array<char, 16'384> chunk{};
  const auto more = [&] {
    const int got = channel.Read(chunk.data(), static_cast<int>(chunk.size()));
    if (got > 0) buffer.append(chunk.data(), static_cast<std::size_t>(got));
    return got > 0;
  };
  std::size_t end = 0;
  while ((end = buffer.find("\r\n\r\n")) == std::string::npos) {
    if (!more()) return false;
  }
  const std::string head = buffer.substr(0, end + 2);
  buffer.erase(0, end + 4);
  const std::size_t first = head.find("\r\n");
  const std::string line = head.substr(0, first);
  request.method = line.substr(0, line.find(' '));
  request.target = line.substr(line.find(' ') + 1, line.rfind(' ') - line.find(' ') - 1);
  for (std::size_t at = first + 2; at < head.size();) {
    const std::size_t stop = head.find("\r\n", at);
    const std::string header = head.substr(at, stop - at);
    const std::size_t colon = header.find(':');
    std::string value = header.substr(colon + 1);
    value.erase(0, value.find_first_not_of(' ') == std::string::npos
                       ? value.size()
                       : value.find_first_not_of(' '));
    request.headers[Lower(header.substr(0, colon))] = value;
    at = stop + 2;
  }
  const std::size_t size = request.headers.contains("content-length")
                               ? std::stoul(request.headers["content-length"])
                               : 0;
  while (buffer.size() < size) {
    if (!more()) return false;
  }
  request.body = buffer.substr(0, size);
  buffer.erase(0, size);
  return true;
}

void Pause(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

std::shared_ptr<EVP_PKEY> NewKey() { return {EVP_EC_gen("P-256"), EVP_PKEY_free}; }

std::shared_ptr<X509> NewCertificate(const std::string& name, EVP_PKEY* key, X509* issuer,
                                     EVP_PKEY* issuer_key, const std::string& alternative_names) {
  std::shared_ptr<X509> certificate(X509_new(), X509_free);
  X509* x = certificate.get();
  X509_set_version(x, 2);
  static int serial = 0;
  ASN1_INTEGER_set(X509_get_serialNumber(x), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(x), -3600);
  X509_gmtime_adj(X509_getm_notAfter(x), 86'400);
  X509_set_pubkey(x, key);
  X509_NAME* subject = X509_get_subject_name(x);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509* from = issuer == nullptr ? x : issuer;
  X509_set_issuer_name(x, X509_get_subject_name(from));
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, from, x, nullptr, nullptr, 0);
  const auto extend = [&](int id, const std::string& value) {
    X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str());
    ASSERT_NE(extension, nullptr) << value;
    X509_add_ext(x, extension, -1);
    X509_EXTENSION_free(extension);
  };
  extend(NID_basic_constraints, issuer == nullptr ? "critical,CA:TRUE" : "CA:FALSE");
  if (!alternative_names.empty()) extend(NID_subject_alt_name, alternative_names);
  X509_sign(x, issuer_key, EVP_sha256());
  return certificate;
}

void WritePem(const std::string& path, X509* certificate, EVP_PKEY* key) {
  std::FILE* file = std::fopen(path.c_str(), "w");
  ASSERT_NE(file, nullptr) << path;
  PEM_write_X509(file, certificate);
  if (key != nullptr) PEM_write_PrivateKey(file, key, nullptr, nullptr, 0, nullptr, nullptr);
  std::fclose(file);
}

}  // namespace

Scripted Answer(int status, const std::string& body, const std::vector<std::string>& header_lines) {
  std::string bytes = "HTTP/1.1 " + std::to_string(status) +
                      " Text\r\nContent-Length: " + std::to_string(body.size()) + "\r\n";
  for (const std::string& line : header_lines) bytes += line + "\r\n";
  return {.bytes = bytes + "\r\n" + body};
}

TestCertificates::TestCertificates(const std::string& directory)
    : directory_(directory), ca_file_(directory + "/ca.pem"), ca_key_(NewKey()) {
  ca_ = NewCertificate("Test CA", ca_key_.get(), nullptr, ca_key_.get(), "");
  WritePem(ca_file_, ca_.get(), nullptr);
}

std::string TestCertificates::Issue(const std::string& name, const std::string& alternative_names) {
  const auto key = NewKey();
  const auto certificate =
      NewCertificate(name, key.get(), ca_.get(), ca_key_.get(), alternative_names);
  std::string path = directory_ + "/" + name + ".pem";
  WritePem(path, certificate.get(), key.get());
  return path;
}

TestServer::TestServer(Handler handler, std::optional<Tls> tls) : handler_(std::move(handler)) {
  if (tls) {
    std::signal(SIGPIPE, SIG_IGN);  // OpenSSL writes to a client that has gone
    tls_ = {SSL_CTX_new(TLS_server_method()), SSL_CTX_free};
    SSL_CTX_use_certificate_chain_file(tls_.get(), tls->pem_file.c_str());
    SSL_CTX_use_PrivateKey_file(tls_.get(), tls->pem_file.c_str(), SSL_FILETYPE_PEM);
    if (!tls->client_ca_file.empty()) {
      SSL_CTX_load_verify_file(tls_.get(), tls->client_ca_file.c_str());
      SSL_CTX_set_verify(tls_.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
    }
  }
  listener_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  EXPECT_EQ(::bind(listener_, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(::listen(listener_, 64), 0);
  EXPECT_EQ(::getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
  port_ = ntohs(address.sin_port);
  acceptor_ = std::thread([this] { Accept(); });
}

TestServer::~TestServer() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  std::vector<std::thread> threads;
  {
    const std::lock_guard lock(mutex_);
    threads.swap(threads_);
  }
  for (std::thread& thread : threads) thread.join();
  ::close(listener_);
}

std::string TestServer::Url(const std::string& path, const std::string& host) const {
  return (tls_ ? "https://" : "http://") + host + ":" + std::to_string(port_) + path;
}

std::vector<Received> TestServer::received() const {
  const std::lock_guard lock(mutex_);
  return received_;
}

void TestServer::Accept() {
  for (int connection = 0;; ++connection) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    const std::lock_guard lock(mutex_);
    if (stopping_) {
      ::close(fd);
      return;
    }
    open_.push_back(fd);
    threads_.emplace_back([this, fd, connection] { Serve(fd, connection); });
  }
}

void TestServer::Serve(int fd, int connection) {
  {
    Channel channel(fd, tls_.get());
    std::string buffer;
    for (;;) {
      Received request;
      request.connection = connection;
      if (channel.failed() || !ReadRequest(channel, buffer, request)) break;
      {
        const std::lock_guard lock(mutex_);
        received_.push_back(request);
      }
      const Scripted scripted = handler_(request);
      Pause(scripted.pause_ms);
      bool sent = true;
      if (scripted.pause_each_ms == 0) {
        sent = channel.Write(scripted.bytes.data(), scripted.bytes.size());
      } else {
        for (std::size_t i = 0; sent && i < scripted.bytes.size(); ++i) {
          sent = channel.Write(&scripted.bytes[i], 1);
          Pause(scripted.pause_each_ms);
        }
      }
      if (scripted.reset) {
        const linger now{1, 0};
        ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
        break;
      }
      if (scripted.close) channel.Close();
      if (!sent || scripted.close) break;
    }
  }
  const std::lock_guard lock(mutex_);
  std::erase(open_, fd);
  ::close(fd);
}

}  // namespace tw::net
