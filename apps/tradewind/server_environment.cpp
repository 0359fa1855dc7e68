#include "tradewind/server_environment.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <initializer_list>
#include <utility>

#include "base/files.h"
#include "net/url.h"

namespace tw::app {
namespace {

std::string Lower(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

std::string_view Trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

Result<bool> Switch(const AppContext& context, const std::string& name) {
  const std::string word = Lower(context.Env(name).value_or("false"));
  if (word == "true" || word == "1") return true;
  if (word == "false" || word == "0") return false;
  return Error{ErrorCode::kConfig, fmt::format("{}={}: wanted true or false", name, word)};
}

/// A whole number from the environment, or `otherwise`.
Result<std::int64_t> Number(const AppContext& context, const std::string& name, std::int64_t low,
                            std::int64_t high, std::int64_t otherwise) {
  const auto text = context.Env(name);
  if (!text) return otherwise;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  const bool whole = error == std::errc() && end == text->data() + text->size();
  if (whole && value >= low && value <= high) return value;
  return Error{ErrorCode::kConfig,
               fmt::format("{}={}: wanted a whole number from {} to {}", name, *text, low, high)};
}

/// The section of a file below the home directory; nothing when the file is not there.
Result<std::map<std::string, std::string>> HomeIni(const AppContext& context,
                                                   const std::string& file,
                                                   std::string_view section) {
  const auto home = context.Env("HOME");
  if (!home) return std::map<std::string, std::string>{};
  const auto text = ReadFile(*home + "/" + file);
  if (text.ok()) return IniSection(*text, section);
  if (text.error().code == ErrorCode::kNotFound) return std::map<std::string, std::string>{};
  return text.error();
}

Result<net::HttpAuth> MlflowAuth(const AppContext& context) {
  auto user = context.Env("MLFLOW_TRACKING_USERNAME");
  auto password = context.Env("MLFLOW_TRACKING_PASSWORD");
  if (!user || !password) {
    auto section = TW_TRY(HomeIni(context, ".mlflow/credentials", "mlflow"));
    if (!user && section.contains("mlflow_tracking_username"))
      user = section["mlflow_tracking_username"];
    if (!password && section.contains("mlflow_tracking_password"))
      password = section["mlflow_tracking_password"];
  }
  if (user && password) return net::HttpAuth{*user, net::Secret(*password), {}};
  return net::HttpAuth{{}, {}, net::Secret(context.Env("MLFLOW_TRACKING_TOKEN").value_or(""))};
}

Result<void> ReadTls(const AppContext& context, net::CurlOptions& options) {
  options.insecure_tls = TW_TRY(Switch(context, "MLFLOW_TRACKING_INSECURE_TLS"));
  options.ca_file = context.Env("MLFLOW_TRACKING_SERVER_CERT_PATH").value_or("");
  options.client_cert_file = context.Env("MLFLOW_TRACKING_CLIENT_CERT_PATH").value_or("");
  if (options.insecure_tls && !options.ca_file.empty()) {
    return Error{ErrorCode::kConfig,
                 "MLFLOW_TRACKING_INSECURE_TLS and MLFLOW_TRACKING_SERVER_CERT_PATH: one of them, "
                 "not both"};
  }
  return {};
}

}  // namespace

void ReadProxies(const AppContext& context, net::CurlOptions& options) {
  const auto any = [&](const std::string& lower, const std::string& upper) {
    auto value = context.Env(lower);
    if (!value && !upper.empty()) value = context.Env(upper);
    return value;
  };
  const auto all = any("all_proxy", "ALL_PROXY");
  options.http_proxy = any("http_proxy", "").value_or(all.value_or(""));
  options.https_proxy = any("https_proxy", "HTTPS_PROXY").value_or(all.value_or(""));
  options.no_proxy = any("no_proxy", "NO_PROXY").value_or("");
  if (options.no_proxy == "*") return;
  if (!options.no_proxy.empty()) options.no_proxy += ',';
  options.no_proxy += "localhost,127.0.0.1,::1";
}

std::map<std::string, std::string> IniSection(std::string_view text, std::string_view section) {
  std::map<std::string, std::string> values;
  bool inside = false;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = Trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      inside = line.back() == ']' && Trimmed(line.substr(1, line.size() - 2)) == section;
      continue;
    }
    const std::size_t equals = line.find_first_of("=:");
    if (!inside || equals == std::string_view::npos) continue;
    values[Lower(Trimmed(line.substr(0, equals)))] = Trimmed(line.substr(equals + 1));
  }
  return values;
}

Result<net::S3Options> S3FromEnvironment(const AppContext& context, net::CurlOptions& http) {
  net::S3Options options;
  const std::string profile = context.Env("AWS_PROFILE").value_or("default");
  net::AwsCredentials& keys = options.credentials;
  const auto access = context.Env("AWS_ACCESS_KEY_ID");
  const auto secret = context.Env("AWS_SECRET_ACCESS_KEY");
  if (access && secret) {
    keys = {*access, net::Secret(*secret),
            net::Secret(context.Env("AWS_SESSION_TOKEN").value_or(""))};
  } else {
    auto section = TW_TRY(HomeIni(context, ".aws/credentials", profile));
    keys = {section["aws_access_key_id"], net::Secret(section["aws_secret_access_key"]),
            net::Secret(section["aws_session_token"])};
  }
  auto config = TW_TRY(
      HomeIni(context, ".aws/config", profile == "default" ? profile : "profile " + profile));
  const auto first = [&context](std::initializer_list<const char*> names, std::string otherwise) {
    for (const char* name : names) {
      if (auto value = context.Env(name)) return *std::move(value);
    }
    return otherwise;
  };
  options.region = first({"AWS_REGION", "AWS_DEFAULT_REGION"}, config["region"]);
  options.endpoint =
      first({"MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"}, "");
  if (!options.endpoint.empty())
    TW_TRY_CTX(net::ParseUrl(options.endpoint), "MLFLOW_S3_ENDPOINT_URL");
  const std::string style = first({"MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE"}, "auto");
  if (style == "path") {
    options.addressing = net::S3Addressing::kPath;
  } else if (style == "virtual") {
    options.addressing = net::S3Addressing::kVirtual;
  } else if (style != "auto") {
    return Error{
        ErrorCode::kConfig,
        fmt::format("MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE={}: wanted auto, path or virtual", style)};
  }
  options.expected_bucket_owner = first({"MLFLOW_S3_EXPECTED_BUCKET_OWNER"}, "");
  http.insecure_tls = TW_TRY(Switch(context, "MLFLOW_S3_IGNORE_TLS"));
  http.ca_file = first({"AWS_CA_BUNDLE"}, "");
  ReadProxies(context, http);
  return options;
}

Result<tracking::MlflowConnection> MlflowAt(const AppContext& context, const std::string& uri) {
  const auto url = net::ParseUrl(uri);
  if (!url.ok()) {
    return Error{ErrorCode::kConfig, fmt::format("MLFLOW_TRACKING_URI: {}; only MLflow servers can "
                                                 "be used, such as http://127.0.0.1:5000",
                                                 url.error().message)};
  }
  tracking::MlflowConnection connection;
  tracking::MlflowOptions& mlflow = connection.mlflow;
  mlflow.uri = uri;
  mlflow.auth = TW_TRY(MlflowAuth(context));
  mlflow.workspace = context.Env("MLFLOW_WORKSPACE").value_or("");
  mlflow.user = context.Env("USER").value_or(context.Env("LOGNAME").value_or(""));
  mlflow.source_name = "tradewind";
  mlflow.timeout_ms = 1'000 * TW_TRY(Number(context, "MLFLOW_HTTP_REQUEST_TIMEOUT", 1, 86'400,
                                            mlflow.timeout_ms / 1'000));
  mlflow.allow_file_artifacts = TW_TRY(Switch(context, "TRADEWIND_MLFLOW_FILE_ARTIFACTS"));
  mlflow.proxy_multipart_bytes_min =
      TW_TRY(Number(context, "MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", 1, INT64_MAX,
                    mlflow.proxy_multipart_bytes_min));
  mlflow.proxy_multipart_part_bytes =
      TW_TRY(Number(context, "MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", 5 << 20, std::int64_t{5} << 30U,
                    mlflow.proxy_multipart_part_bytes));
  const std::int64_t retries = TW_TRY(
      Number(context, "MLFLOW_HTTP_REQUEST_MAX_RETRIES", 0, 10, connection.retry.tries_max - 1));
  connection.retry.tries_max = static_cast<int>(retries) + 1;
  TW_TRY(ReadTls(context, connection.http));
  ReadProxies(context, connection.http);
  mlflow.s3 = TW_TRY(S3FromEnvironment(context, connection.s3_http));
  return connection;
}

Result<std::optional<tracking::MlflowConnection>> MlflowFromEnvironment(const AppContext& context) {
  const auto uri = context.Env("MLFLOW_TRACKING_URI");
  if (!uri) return std::optional<tracking::MlflowConnection>();
  return std::optional(TW_TRY(MlflowAt(context, *uri)));
}

}  // namespace tw::app
