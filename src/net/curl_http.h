#pragma once

#include <memory>
#include <string>

#include "net/http.h"

namespace tw::net {

struct CurlOptions {
  std::string ca_file = {};           // PEM; the system's when empty
  std::string client_cert_file = {};  // PEM, with its key unless that has a file of its own
  std::string client_key_file = {};
  bool insecure_tls = false;  // accept any certificate
  /// Proxies are what the caller says; *_proxy variables are not looked at.
  std::string http_proxy = {};   // for http URLs
  std::string https_proxy = {};  // for https URLs
  std::string no_proxy = {};     // comma-separated hosts and domains without a proxy
  std::string user_agent = "tradewind";
  int redirects_max = 5;  // GET and HEAD only
};

/// Http over libcurl. Connections are kept and used again; HTTP/1.1 only, so that one request uses
/// one connection. A request that is not repeatable always gets a new connection: on a kept one
/// that the server has closed meanwhile, nobody could say whether it was received, and libcurl
/// would send it again.
///
/// Redirects of GET and HEAD are followed, never from https to http; on another origin
/// credentials, and all headers but Accept and Range, are left out. Other redirects are answers.
class CurlHttp final : public Http {
 public:
  explicit CurlHttp(CurlOptions options);
  CurlHttp(const CurlHttp&) = delete;
  CurlHttp& operator=(const CurlHttp&) = delete;
  CurlHttp(CurlHttp&&) = delete;
  CurlHttp& operator=(CurlHttp&&) = delete;
  ~CurlHttp() override;

  using Http::Send;
  Result<HttpResponse> Send(const HttpRequest& request, SendNote& note) override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tw::net
