#include "tracking/internal/proxy_multipart.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "net/url.h"
#include "tracking/internal/mlflow_json.h"

namespace tw::tracking::internal {
namespace {

constexpr std::int64_t kPartsMax = 10'000;

struct Part {
  std::int64_t number = 0;  // from 1
  std::string url;
  std::vector<net::HttpHeader> headers;
};

Result<Part> PartFrom(const Json& json) {
  Part part;
  part.number = TW_TRY(IntegerAt(json, "part_number"));
  part.url = TW_TRY(TextAt(json, "url"));
  if (const auto headers = json.find("headers"); headers != json.end() && headers->is_object()) {
    for (const auto& [name, value] : headers->items()) {
      if (value.is_string()) part.headers.push_back({name, value.get<std::string>()});
    }
  }
  return part;
}

Result<std::vector<Part>> PartsFrom(const Json& json, std::int64_t count) {
  std::vector<Part> parts;
  for (const Json& item : TW_TRY(ArrayAt(json, "credentials")))
    parts.push_back(TW_TRY(PartFrom(item)));
  std::ranges::sort(parts, {}, &Part::number);
  bool whole = static_cast<std::int64_t>(parts.size()) == count;
  for (std::size_t i = 0; whole && i < parts.size(); ++i)
    whole = parts[i].number == static_cast<std::int64_t>(i) + 1;
  if (!whole) {
    return Error{
        ErrorCode::kExternal,
        fmt::format("multipart upload: the server presigned {} parts of {}", parts.size(), count)};
  }
  return parts;
}

/// One PUT to a presigned URL, which is its own permission: the server's credentials stay here.
/// Returns the part's ETag.
Result<std::string> PutPart(const MlflowApi& api, const Part& part, const ArtifactContent& content,
                            std::int64_t begin, std::int64_t bytes) {
  net::HttpRequest request;
  request.method = "PUT";
  request.url = part.url;
  request.headers = part.headers;
  request.timeout_ms = api.options().artifact_timeout_ms;
  request.stop = api.options().stop;
  if (content.file.empty()) {
    request.body = std::string(
        content.bytes.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(bytes)));
  } else {
    request.body_file = net::FileRange{content.file, begin, bytes};
  }
  const net::HttpResponse response = TW_TRY(api.http().Send(request));
  if (!response.ok()) return net::StatusError(request, response);
  auto tag = response.Header("ETag");
  if (!tag) return Error{ErrorCode::kExternal, net::NameOf(request) + ": no ETag in the answer"};
  return *std::move(tag);
}

}  // namespace

Result<bool> PutThroughProxyInParts(const MlflowApi& api, const std::string& path,
                                    const ArtifactContent& content, std::int64_t size) {
  const std::size_t slash = path.rfind('/');
  const std::string directory = slash == std::string::npos ? "" : path.substr(0, slash);
  const std::string name = path.substr(slash == std::string::npos ? 0 : slash + 1);
  const auto call = [&](const char* step, Json body) {
    ApiCall result{"POST", fmt::format("/api/2.0/mlflow-artifacts/mpu/{}/{}", step,
                                       net::EscapeUrlPath(directory))};
    body["path"] = name;
    result.body = std::move(body);
    return result;
  };
  const std::int64_t part_bytes =
      std::max({std::int64_t{1}, api.options().proxy_multipart_part_bytes,
                (size + kPartsMax - 1) / kPartsMax});
  const std::int64_t count = (size + part_bytes - 1) / part_bytes;
  ApiFailure failure;
  const auto created = api.Call(call("create", {{"num_parts", count}}), failure);
  if (!created.ok()) {
    // 501: its store has no parts; 404, 405: it is older than that.
    if (failure.status == 501 || failure.status == 404 || failure.status == 405) return false;
    return created.error();
  }
  const std::string upload_id = TW_TRY(TextAt(*created, "upload_id"));
  const auto upload = [&]() -> Result<void> {
    Json done = Json::array();
    for (const Part& part : TW_TRY(PartsFrom(*created, count))) {
      const std::int64_t begin = (part.number - 1) * part_bytes;
      const std::string tag =
          TW_TRY(PutPart(api, part, content, begin, std::min(part_bytes, size - begin)));
      done.push_back({{"part_number", part.number}, {"etag", tag}, {"url", part.url}});
    }
    TW_TRY(api.Call(call("complete", {{"upload_id", upload_id}, {"parts", done}})));
    return {};
  };
  const Result<void> uploaded = upload();
  if (uploaded.ok()) return true;
  // The error that matters is the upload's.
  static_cast<void>(api.Call(call("abort", {{"upload_id", upload_id}})).ok());
  return uploaded.error();
}

}  // namespace tw::tracking::internal
