#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/http.h"
#include "net/secret.h"

namespace tw::net {

/// Keys of an AWS account or of a store that speaks S3. Without an access key nothing is signed.
struct AwsCredentials {
  std::string access_key = {};
  Secret secret_key = {};
  Secret session_token = {};  // of temporary credentials
};

struct SigV4Input {
  const AwsCredentials& credentials;
  std::string region;
  std::string service;         // "s3"
  std::string payload_sha256;  // lower-case hexadecimal of the body
  UnixNanos time;
};

/// Headers that sign `request` as AWS Signature Version 4 demands: x-amz-date,
/// x-amz-content-sha256 (S3 only), x-amz-security-token, Authorization. All headers that the
/// request has already are signed with them, and so is the host. The URL's path must be encoded as
/// EscapeUrlPath does; S3 takes it as it is, other services encode it once more.
/// Source: AWS General Reference, "Signature Version 4 signing process"; oracles: AWS's own
/// examples and tests/golden/net/sigv4.json. Errors: kUsage for the URL.
Result<std::vector<HttpHeader>> SigV4Headers(const HttpRequest& request, const SigV4Input& input);

/// Lower-case hexadecimal SHA-256 of part of a file. Errors: kIo naming the file.
Result<std::string> Sha256OfFile(const FileRange& range);

}  // namespace tw::net
