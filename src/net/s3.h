#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "net/http.h"
#include "net/sigv4.h"

namespace tw::net {

enum class S3Addressing : std::uint8_t {
  kAuto,     // as a host name at AWS when the bucket's name allows it, else in the path
  kPath,     // endpoint/bucket/key
  kVirtual,  // bucket.endpoint/key
};

struct S3Options {
  std::string endpoint = {};  // "http://127.0.0.1:9000"; AWS's of the region when empty
  std::string region = "us-east-1";
  AwsCredentials credentials = {};
  S3Addressing addressing = S3Addressing::kAuto;
  std::string expected_bucket_owner = {};  // account id; requests fail when it is another's
  std::int64_t multipart_bytes_min = std::int64_t{8} << 20U;  // larger objects go in parts
  std::int64_t part_bytes = std::int64_t{8} << 20U;           // S3 wants 5 MiB at least
  std::int64_t timeout_ms = 3'600'000;                        // of one request
  std::stop_token stop = {};                                  // ends requests that run
};

struct S3Object {
  std::string key;
  std::int64_t size = 0;
  std::string etag;  // as the store gives it
};

/// What an object is made of: bytes in memory, or a file that is read while it is sent.
struct S3Content {
  std::string_view bytes = {};
  std::string file = {};  // instead of `bytes`
};

/// An object store that speaks S3. Every request is signed with its payload's hash (own headers
/// and not libcurl's aws-sigv4: see docs/adr/0014-own-sigv4.md). Callable from several threads.
///
/// Errors: kNotFound for objects and buckets, kExternal for everything else that the store refuses
/// (with its code and message), kIo for files.
class S3Client {
 public:
  /// `http` and `clock` outlive it; `http` repeats what may be repeated, which is all but the steps
  /// that begin and end an upload in parts.
  S3Client(S3Options options, Http& http, const Clock& clock);

  /// Replaces the object. An upload in parts that fails is aborted, so that nothing is left to pay
  /// for.
  Result<void> Put(const std::string& bucket, const std::string& key, const S3Content& content);
  Result<std::string> Get(const std::string& bucket, const std::string& key);
  /// The file appears whole or not at all.
  Result<void> GetToFile(const std::string& bucket, const std::string& key,
                         const std::string& path);
  /// Nothing when there is no such object.
  Result<std::optional<S3Object>> Head(const std::string& bucket, const std::string& key);
  /// Everything whose key begins with `prefix`, by key, over as many pages as it takes.
  Result<std::vector<S3Object>> List(const std::string& bucket, const std::string& prefix);
  /// An absent object is fine.
  Result<void> Delete(const std::string& bucket, const std::string& key);

 private:
  HttpRequest Request(const std::string& method, const std::string& bucket, const std::string& key,
                      const std::string& query) const;
  Result<HttpResponse> Send(HttpRequest request, const std::string& payload_sha256);
  Result<HttpResponse> Send(HttpRequest request);
  Result<void> PutInParts(const std::string& bucket, const std::string& key,
                          const S3Content& content, std::int64_t size);
  Result<std::string> PutPart(HttpRequest request, const S3Content& content, std::int64_t begin,
                              std::int64_t bytes);

  S3Options options_;
  Http& http_;
  const Clock& clock_;
};

/// "s3://bucket/some/prefix" taken apart; no slash at the end of the prefix. Errors: kUsage.
struct S3Uri {
  std::string bucket;
  std::string prefix;
};

Result<S3Uri> ParseS3Uri(std::string_view uri);

/// A page of ListObjectsV2's answer (with encoding-type=url). Errors: kExternal.
struct S3Page {
  std::vector<S3Object> objects;
  std::string next;  // token of the next page; empty on the last one
};

Result<S3Page> ParseS3Page(std::string_view xml);
/// UploadId of an InitiateMultipartUploadResult. Errors: kExternal.
Result<std::string> ParseS3UploadId(std::string_view xml);
/// "Code: message" of an error document, or nothing when it is none.
std::string ParseS3Error(std::string_view xml);

}  // namespace tw::net
