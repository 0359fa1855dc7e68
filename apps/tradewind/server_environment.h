#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "net/curl_http.h"
#include "net/s3.h"
#include "tracking/mlflow_tracker.h"
#include "tradewind/app.h"

// What the environment says of the servers that commands speak to: the variables that their own
// Python clients read.
namespace tw::app {

/// Proxies from http_proxy, https_proxy, all_proxy and no_proxy, in lower or (but for HTTP_PROXY,
/// which a web server may have set for a visitor) upper case. This machine needs no proxy.
void ReadProxies(const AppContext& context, net::CurlOptions& options);

/// Keys and values of a section of an INI file, keys in lower case; nothing when there is no such
/// section. Lines that are no "key = value" are passed over, as ConfigParser's users expect of
/// comments.
std::map<std::string, std::string> IniSection(std::string_view text, std::string_view section);

/// How to speak to an object store: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN,
/// else the section AWS_PROFILE (default) of ~/.aws/credentials; AWS_REGION, AWS_DEFAULT_REGION,
/// else ~/.aws/config; MLFLOW_S3_ENDPOINT_URL, AWS_ENDPOINT_URL_S3, AWS_ENDPOINT_URL;
/// MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE; MLFLOW_S3_EXPECTED_BUCKET_OWNER; and into `http`
/// MLFLOW_S3_IGNORE_TLS, AWS_CA_BUNDLE and proxies. Errors: kConfig naming the variable.
Result<net::S3Options> S3FromEnvironment(const AppContext& context, net::CurlOptions& http);

/// How to speak to the MLflow server at `uri`: MLFLOW_TRACKING_USERNAME and _PASSWORD, else
/// section mlflow of ~/.mlflow/credentials, else MLFLOW_TRACKING_TOKEN;
/// MLFLOW_TRACKING_INSECURE_TLS, _SERVER_CERT_PATH, _CLIENT_CERT_PATH; MLFLOW_HTTP_REQUEST_TIMEOUT,
/// _MAX_RETRIES; MLFLOW_WORKSPACE; MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE, _CHUNK_SIZE;
/// TRADEWIND_MLFLOW_FILE_ARTIFACTS. Errors: kConfig naming the variable.
Result<tracking::MlflowConnection> MlflowAt(const AppContext& context, const std::string& uri);

/// MlflowAt the address in MLFLOW_TRACKING_URI; nothing when that is not set.
Result<std::optional<tracking::MlflowConnection>> MlflowFromEnvironment(const AppContext& context);

}  // namespace tw::app
