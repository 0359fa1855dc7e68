#include "net/sigv4.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <memory>
#include <utility>

#include "base/files.h"
#include "net/url.h"

namespace tw::net {
namespace {

std::string Hex(std::string_view bytes) {
  std::string hex;
  for (const char c : bytes) hex += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return hex;
}

std::string HmacSha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
       reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(), &size);
  return {reinterpret_cast<const char*>(digest.data()), size};
}

/// "20130524T000000Z".
std::string AmzDate(UnixNanos time) {
  const std::int64_t seconds = time.seconds();
  const std::int64_t days = seconds >= 0 ? seconds / 86'400 : (seconds - 86'399) / 86'400;
  const CivilDate date = CivilFromDays(days);
  const std::int64_t rest = seconds - days * 86'400;
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", date.year, date.month, date.day,
                     rest / 3'600, rest / 60 % 60, rest % 60);
}

/// Pairs of the query sorted by encoded name, then by encoded value.
std::string CanonicalQuery(std::string_view query) {
  std::vector<std::pair<std::string, std::string>> pairs;
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view item = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    if (item.empty()) continue;
    const std::size_t equals = std::min(item.find('='), item.size());
    const std::string_view value = item.substr(std::min(equals + 1, item.size()));
    pairs.emplace_back(EscapeUrl(UnescapeUrl(item.substr(0, equals))),
                       EscapeUrl(UnescapeUrl(value)));
  }
  std::ranges::sort(pairs);
  std::string canonical;
  for (const auto& [name, value] : pairs)
    canonical += fmt::format("{}{}={}", canonical.empty() ? "" : "&", name, value);
  return canonical;
}

/// Without blanks at the ends, and with one blank for several.
std::string CanonicalValue(std::string_view value) {
  std::string canonical;
  for (const char c : value) {
    const bool blank = c == ' ' || c == '\t';
    if (blank && (canonical.empty() || canonical.back() == ' ')) continue;
    canonical += blank ? ' ' : c;
  }
  if (!canonical.empty() && canonical.back() == ' ') canonical.pop_back();
  return canonical;
}

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

}  // namespace

Result<std::vector<HttpHeader>> SigV4Headers(const HttpRequest& request, const SigV4Input& input) {
  const Url url = TW_TRY(ParseUrl(request.url));
  const bool s3 = input.service == "s3";
  const std::string date = AmzDate(input.time);
  std::vector<HttpHeader> added = {{"x-amz-date", date}};
  if (s3) added.push_back({"x-amz-content-sha256", input.payload_sha256});
  if (!input.credentials.session_token.empty())
    added.push_back({"x-amz-security-token", input.credentials.session_token.Reveal()});

  std::map<std::string, std::string> headers = {{"host", url.authority()}};
  const std::array<const std::vector<HttpHeader>*, 2> lists = {&request.headers, &added};
  for (const auto* list : lists) {
    for (const HttpHeader& header : *list) {
      std::string& value = headers[Lower(header.name)];
      value += (value.empty() ? "" : ",") + CanonicalValue(header.value);
    }
  }
  std::string lines;
  std::string names;
  for (const auto& [name, value] : headers) {
    lines += fmt::format("{}:{}\n", name, value);
    names += (names.empty() ? "" : ";") + name;
  }
  const std::string canonical =
      fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, s3 ? url.path : EscapeUrlPath(url.path),
                  CanonicalQuery(url.query), lines, names, input.payload_sha256);
  const std::string day = date.substr(0, 8);
  const std::string scope = fmt::format("{}/{}/{}/aws4_request", day, input.region, input.service);
  const std::string text =
      fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", date, scope, Sha256Hex(canonical));
  std::string key = "AWS4" + input.credentials.secret_key.Reveal();
  for (const std::string_view part :
       {std::string_view(day), std::string_view(input.region), std::string_view(input.service),
        std::string_view("aws4_request")})
    key = HmacSha256(key, part);
  added.push_back(
      {"Authorization",
       fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                   input.credentials.access_key, scope, names, Hex(HmacSha256(key, text)))});
  return added;
}

Result<std::string> Sha256OfFile(const FileRange& range) {
  const auto failed = [&range] {
    // NOLINTNEXTLINE(concurrency-mt-unsafe)
    return Error{ErrorCode::kIo, fmt::format("{}: {}", range.path, std::strerror(errno))};
  };

  struct Closer {
    int fd;

    explicit Closer(int opened) : fd(opened) {}

    Closer(const Closer&) = delete;
    Closer& operator=(const Closer&) = delete;
    Closer(Closer&&) = delete;
    Closer& operator=(Closer&&) = delete;

    ~Closer() {
      if (fd >= 0) ::close(fd);
    }
  };

  const Closer file(::open(range.path.c_str(), O_RDONLY | O_CLOEXEC));
  if (file.fd < 0) return failed();
  const std::unique_ptr<EVP_MD_CTX, void (*)(EVP_MD_CTX*)> digest(EVP_MD_CTX_new(),
                                                                  EVP_MD_CTX_free);
  EVP_DigestInit_ex(digest.get(), EVP_sha256(), nullptr);
  std::vector<char> buffer(std::size_t{1} << 18U);
  for (std::int64_t done = 0; done < range.size;) {
    const std::int64_t wanted =
        std::min(static_cast<std::int64_t>(buffer.size()), range.size - done);
    const ssize_t got =
        ::pread(file.fd, buffer.data(), static_cast<std::size_t>(wanted), range.offset + done);
    if (got < 0) return failed();
    if (got == 0) {
      return Error{ErrorCode::kIo,
                   fmt::format("{}: shorter than {} bytes", range.path, range.offset + range.size)};
    }
    EVP_DigestUpdate(digest.get(), buffer.data(), static_cast<std::size_t>(got));
    done += got;
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes{};
  unsigned size = 0;
  EVP_DigestFinal_ex(digest.get(), bytes.data(), &size);
  return Hex({reinterpret_cast<const char*>(bytes.data()), size});
}

}  // namespace tw::net
