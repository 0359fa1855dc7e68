#include "net/s3.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <utility>

#include "base/files.h"
#include "net/url.h"

namespace tw::net {
namespace {

constexpr std::int64_t kPartsMax = 10'000;
constexpr std::int64_t kObjectBytesMax = std::int64_t{4} << 30U;  // of one read into memory
constexpr int kPagesMax = 100'000;

/// Whether the bucket can be a label of a host name that a wildcard certificate covers.
bool IsHostLabel(std::string_view bucket) {
  const bool plain = std::ranges::all_of(
      bucket, [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; });
  return plain && bucket.size() >= 3 && bucket.size() <= 63 && bucket.front() != '-' &&
         bucket.back() != '-';
}

Error ErrorOf(const HttpRequest& request, const HttpResponse& response) {
  const std::string said = ParseS3Error(response.body);
  const std::string region = response.Header("x-amz-bucket-region").value_or("");
  const bool elsewhere = response.status == 301 || response.status == 307;
  return {response.status == 404 ? ErrorCode::kNotFound : ErrorCode::kExternal,
          fmt::format("{}: status {}{}{}{}", NameOf(request), response.status,
                      said.empty() ? "" : ": ", said.empty() ? Excerpt(response.body, 200) : said,
                      elsewhere && !region.empty()
                          ? fmt::format("; the bucket is in region {}", Excerpt(region, 40))
                          : "")};
}

Result<std::int64_t> SizeOf(const S3Content& content) {
  if (content.file.empty()) return static_cast<std::int64_t>(content.bytes.size());
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(content.file, error);
  if (error) return Error{ErrorCode::kIo, fmt::format("{}: {}", content.file, error.message())};
  return static_cast<std::int64_t>(size);
}

std::string XmlEscaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

}  // namespace

S3Client::S3Client(S3Options options, Http& http, const Clock& clock)
    : options_(std::move(options)), http_(http), clock_(clock) {
  if (options_.region.empty()) options_.region = "us-east-1";
  while (options_.endpoint.ends_with('/')) options_.endpoint.pop_back();
}

HttpRequest S3Client::Request(const std::string& method, const std::string& bucket,
                              const std::string& key, const std::string& query) const {
  const bool aws = options_.endpoint.empty();
  const std::string endpoint =
      aws ? fmt::format("https://s3.{}.amazonaws.com", options_.region) : options_.endpoint;
  const bool as_host = options_.addressing == S3Addressing::kVirtual ||
                       (options_.addressing == S3Addressing::kAuto && aws && IsHostLabel(bucket));
  std::string base = endpoint;
  if (as_host) {
    const std::size_t host = endpoint.find("://") + 3;
    base =
        fmt::format("{}{}.{}", endpoint.substr(0, host), EscapeUrl(bucket), endpoint.substr(host));
  } else {
    base += "/" + EscapeUrl(bucket);
  }
  HttpRequest request;
  request.method = method;
  request.url = fmt::format("{}/{}{}{}", base, EscapeUrlPath(key), query.empty() ? "" : "?", query);
  request.timeout_ms = options_.timeout_ms;
  request.stop = options_.stop;
  if (!options_.expected_bucket_owner.empty())
    request.headers.push_back({"x-amz-expected-bucket-owner", options_.expected_bucket_owner});
  return request;
}

Result<HttpResponse> S3Client::Send(HttpRequest request, const std::string& payload_sha256) {
  if (!options_.credentials.access_key.empty()) {
    const SigV4Input input{options_.credentials, options_.region, "s3", payload_sha256,
                           clock_.Now()};
    for (HttpHeader& header : TW_TRY(SigV4Headers(request, input)))
      request.headers.push_back(std::move(header));
  }
  HttpResponse response = TW_TRY(http_.Send(request));
  if (!response.ok()) return ErrorOf(request, response);
  return response;
}

Result<HttpResponse> S3Client::Send(HttpRequest request) {
  const std::string hash =
      request.body_file ? TW_TRY(Sha256OfFile(*request.body_file)) : Sha256Hex(request.body);
  return Send(std::move(request), hash);
}

Result<void> S3Client::Put(const std::string& bucket, const std::string& key,
                           const S3Content& content) {
  const std::int64_t size = TW_TRY(SizeOf(content));
  if (size > options_.multipart_bytes_min) return PutInParts(bucket, key, content, size);
  HttpRequest request = Request("PUT", bucket, key, "");
  TW_TRY(PutPart(std::move(request), content, 0, size));
  return {};
}

Result<std::string> S3Client::PutPart(HttpRequest request, const S3Content& content,
                                      std::int64_t begin, std::int64_t bytes) {
  if (content.file.empty()) {
    request.body = std::string(
        content.bytes.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(bytes)));
  } else {
    request.body_file = FileRange{content.file, begin, bytes};
  }
  const HttpResponse response = TW_TRY(Send(std::move(request)));
  return response.Header("ETag").value_or("");
}

Result<void> S3Client::PutInParts(const std::string& bucket, const std::string& key,
                                  const S3Content& content, std::int64_t size) {
  const std::int64_t part =
      std::max({std::int64_t{1}, options_.part_bytes, (size + kPartsMax - 1) / kPartsMax});
  const HttpResponse begun = TW_TRY(Send(Request("POST", bucket, key, "uploads=")));
  const std::string id = TW_TRY(ParseS3UploadId(begun.body));
  const std::string upload = EncodeQuery({{"uploadId", id}});
  const auto send = [&]() -> Result<void> {
    std::string list = "<CompleteMultipartUpload>";
    for (std::int64_t begin = 0, number = 1; begin < size; begin += part, ++number) {
      const std::string query = fmt::format("partNumber={}&{}", number, upload);
      const std::string tag = TW_TRY(PutPart(Request("PUT", bucket, key, query), content, begin,
                                             std::min(part, size - begin)));
      if (tag.empty())
        return Error{ErrorCode::kExternal,
                     fmt::format("S3: part {} of {} has no ETag", number, key)};
      list += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", number,
                          XmlEscaped(tag));
    }
    HttpRequest request = Request("POST", bucket, key, upload);
    request.headers.push_back({"Content-Type", "application/xml"});
    request.body = list + "</CompleteMultipartUpload>";
    const HttpResponse done = TW_TRY(Send(request));
    // The status was sent before the parts were joined: an error comes as the body of a 200.
    if (const std::string said = ParseS3Error(done.body); !said.empty())
      return Error{ErrorCode::kExternal, fmt::format("{}: {}", NameOf(request), said)};
    return {};
  };
  Result<void> sent = send();
  // The error that matters is the upload's.
  if (!sent.ok()) static_cast<void>(Send(Request("DELETE", bucket, key, upload)).ok());
  return sent;
}

Result<std::string> S3Client::Get(const std::string& bucket, const std::string& key) {
  HttpRequest request = Request("GET", bucket, key, "");
  request.response_bytes_max = kObjectBytesMax;
  return TW_TRY(Send(std::move(request))).body;
}

Result<void> S3Client::GetToFile(const std::string& bucket, const std::string& key,
                                 const std::string& path) {
  HttpRequest request = Request("GET", bucket, key, "");
  request.sink_path = path;
  TW_TRY(Send(std::move(request)));
  return {};
}

Result<std::optional<S3Object>> S3Client::Head(const std::string& bucket, const std::string& key) {
  const auto response = Send(Request("HEAD", bucket, key, ""));
  if (!response.ok()) {
    if (response.error().code == ErrorCode::kNotFound) return std::optional<S3Object>();
    return response.error();
  }
  S3Object object{key, 0, response->Header("ETag").value_or("")};
  const std::string length = response->Header("Content-Length").value_or("");
  for (const char c : length) {
    if (c < '0' || c > '9' || length.size() > 18)
      return Error{ErrorCode::kExternal,
                   fmt::format("S3's answer: a length of '{}'", Excerpt(length, 40))};
    object.size = object.size * 10 + (c - '0');
  }
  return std::optional(std::move(object));
}

Result<std::vector<S3Object>> S3Client::List(const std::string& bucket, const std::string& prefix) {
  std::vector<S3Object> objects;
  std::string token;
  for (int page = 0; page < kPagesMax; ++page) {
    Query query;
    if (!token.empty()) query.emplace_back("continuation-token", token);
    query.insert(query.end(), {{"encoding-type", "url"}, {"list-type", "2"}, {"prefix", prefix}});
    const HttpResponse response = TW_TRY(Send(Request("GET", bucket, "", EncodeQuery(query))));
    S3Page got = TW_TRY(ParseS3Page(response.body));
    std::ranges::move(got.objects, std::back_inserter(objects));
    token = std::move(got.next);
    if (token.empty()) {
      std::ranges::sort(objects, {}, &S3Object::key);
      return objects;
    }
  }
  return Error{ErrorCode::kExternal, fmt::format("S3: the list of {} has no end", bucket)};
}

Result<void> S3Client::Delete(const std::string& bucket, const std::string& key) {
  const auto response = Send(Request("DELETE", bucket, key, ""));
  if (response.ok() || response.error().code == ErrorCode::kNotFound) return {};
  return response.error();
}

Result<S3Uri> ParseS3Uri(std::string_view uri) {
  constexpr std::string_view kScheme = "s3://";
  S3Uri parts;
  if (uri.starts_with(kScheme)) {
    const std::string_view rest = uri.substr(kScheme.size());
    const std::size_t slash = std::min(rest.find('/'), rest.size());
    parts.bucket = rest.substr(0, slash);
    std::string_view prefix = rest.substr(slash);
    while (prefix.starts_with('/')) prefix.remove_prefix(1);
    while (prefix.ends_with('/')) prefix.remove_suffix(1);
    parts.prefix = prefix;
  }
  if (!parts.bucket.empty()) return parts;
  return Error{ErrorCode::kUsage,
               fmt::format("'{}': wanted s3://BUCKET/PREFIX", Excerpt(uri, 200))};
}

}  // namespace tw::net
