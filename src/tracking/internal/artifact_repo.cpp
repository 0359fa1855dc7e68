#include "tracking/internal/artifact_repo.h"

#include <fmt/core.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "base/files.h"
#include "net/url.h"
#include "tracking/internal/local_store.h"
#include "tracking/internal/mlflow_json.h"
#include "tracking/internal/proxy_multipart.h"
#include "tracking/internal/rules.h"

namespace tw::tracking::internal {
namespace {

constexpr std::size_t kEntriesMax = 100'000;
constexpr std::size_t kDepthMax = 64;
constexpr std::int64_t kArtifactBytesMax = std::int64_t{4} << 30U;

std::string Join(std::string_view root, std::string_view path) {
  if (root.empty()) return std::string(path);
  return path.empty() ? std::string(root) : fmt::format("{}/{}", root, path);
}

Result<std::int64_t> SizeOf(const ArtifactContent& content) {
  if (content.file.empty()) return static_cast<std::int64_t>(content.bytes.size());
  std::error_code error;
  const std::uintmax_t size = std::filesystem::file_size(content.file, error);
  if (error) return Error{ErrorCode::kIo, fmt::format("{}: {}", content.file, error.message())};
  return static_cast<std::int64_t>(size);
}

/// A server that keeps artifacts for us: PUT and GET of `url`/PATH, GET of `list_url`?path=DIR.
class HttpRepo final : public ArtifactRepo {
 public:
  HttpRepo(const MlflowApi& api, std::string list_url, std::string root, bool own_server)
      : api_(api),
        list_url_(std::move(list_url)),
        root_(std::move(root)),
        own_server_(own_server) {}

  Result<void> Put(std::string_view path, const ArtifactContent& content) override {
    // MLflow decodes a path once more than it was encoded: "50%20off" would become "50 off".
    if (net::UnescapeUrl(path) != path) {
      return Error{ErrorCode::kUsage,
                   fmt::format("artifact path '{}': MLflow takes % and two hexadecimal digits for "
                               "an encoded character",
                               path)};
    }
    const std::int64_t size = TW_TRY(SizeOf(content));
    if (own_server_ && size > api_.options().proxy_multipart_bytes_min) {
      const bool done = TW_TRY(PutThroughProxyInParts(api_, Join(root_, path), content, size));
      if (done) return {};
    }
    net::HttpRequest request = Request("PUT", UrlOf(path));
    request.headers.push_back({"Content-Type", "application/octet-stream"});
    request.timeout_ms = api_.options().artifact_timeout_ms;
    if (content.file.empty()) {
      request.body = std::string(content.bytes);
    } else {
      request.body_file = net::FileRange{content.file, 0, size};
    }
    ApiFailure failure;
    TW_TRY(Explain(api_.Send(request, failure), failure));
    return {};
  }

  Result<std::string> Get(std::string_view path) override {
    net::HttpRequest request = Request("GET", UrlOf(path));
    request.timeout_ms = api_.options().artifact_timeout_ms;
    request.response_bytes_max = kArtifactBytesMax;
    ApiFailure failure;
    auto response = api_.Send(request, failure);
    // A server before an object store answers 500 to a file that is not there.
    if (!response.ok() && (failure.status == 404 || (failure.status == 500 && IsAbsent(path))))
      return Error{ErrorCode::kNotFound, response.error().message};
    return TW_TRY(Explain(std::move(response), failure)).body;
  }

  Result<std::vector<Artifact>> List() override {
    std::vector<Artifact> all;
    TW_TRY(ListBelow("", 0, all));
    std::ranges::sort(all, {}, &Artifact::path);
    return all;
  }

 private:
  net::HttpRequest Request(std::string method, std::string url) const {
    net::HttpRequest request = api_.Request(std::move(method), std::move(url));
    if (!own_server_) request.auth = {};
    return request;
  }

  std::string UrlOf(std::string_view path) const {
    return fmt::format("{}/{}", list_url_, net::EscapeUrlPath(Join(root_, path)));
  }

  static Result<net::HttpResponse> Explain(Result<net::HttpResponse> response,
                                           const ApiFailure& failure) {
    if (failure.status != 503 || response.ok()) return response;
    return Error{ErrorCode::kExternal,
                 response.error().message + "; does the server run with --no-serve-artifacts?"};
  }

  /// Whether the file's directory can be listed and the file is not in it.
  bool IsAbsent(std::string_view path) const {
    const std::size_t slash = path.rfind('/');
    const auto entries =
        ListOne(std::string(path.substr(0, slash == std::string_view::npos ? 0 : slash)));
    const std::string_view name = path.substr(slash == std::string_view::npos ? 0 : slash + 1);
    return entries.ok() && std::ranges::find(*entries, name, &Artifact::path) == entries->end();
  }

  /// The entries of one directory, with the names that the server gives them.
  Result<std::vector<Artifact>> ListOne(const std::string& directory) const {
    const std::string where = Join(root_, directory);
    std::string url = list_url_;
    if (!where.empty()) url += "?" + net::EncodeQuery({{"path", where}});
    ApiFailure failure;
    const auto response = Explain(api_.Send(Request("GET", url), failure), failure);
    if (!response.ok()) {
      if (failure.status == 404) return std::vector<Artifact>();
      return response.error();
    }
    const Json json = Json::parse(response->body, nullptr, false);
    if (json.is_object()) return ArtifactsFrom(json);
    return Error{ErrorCode::kExternal,
                 fmt::format("GET {}: the answer is no JSON object", net::RedactUrl(url))};
  }

  Result<void> ListBelow(const std::string& directory, std::size_t depth,
                         std::vector<Artifact>& all) const {
    for (Artifact& artifact : TW_TRY(ListOne(directory))) {
      // What a server calls its files must not lead out of the directory they are copied to.
      artifact.path = Join(directory, artifact.path);
      const bool fits =
          CheckArtifactPath(artifact.path).ok() && depth < kDepthMax && all.size() < kEntriesMax;
      if (!fits) {
        return Error{ErrorCode::kExternal,
                     fmt::format("artifacts of {}: cannot list '{}'", net::RedactUrl(list_url_),
                                 net::Excerpt(artifact.path, 200))};
      }
      const bool directory_entry = artifact.is_directory;
      all.push_back(artifact);
      if (directory_entry) TW_TRY(ListBelow(artifact.path, depth + 1, all));
    }
    return {};
  }

  const MlflowApi& api_;
  std::string list_url_;
  std::string root_;
  bool own_server_;
};

class FileRepo final : public ArtifactRepo {
 public:
  explicit FileRepo(std::string root) : root_(std::move(root)) {}

  Result<void> Put(std::string_view path, const ArtifactContent& content) override {
    const std::string file = Join(root_, path);
    TW_TRY(CreateDirectories(file.substr(0, file.rfind('/'))));
    if (content.file.empty()) return WriteFileAtomically(file, content.bytes);
    const MappedFile source = TW_TRY(MappedFile::Open(content.file));
    return WriteFileAtomically(file, source.text());
  }

  Result<std::string> Get(std::string_view path) override { return ReadFile(Join(root_, path)); }

  Result<std::vector<Artifact>> List() override { return ListFiles(root_); }

 private:
  std::string root_;
};

/// Objects below a prefix, straight from and to the store.
class S3Repo final : public ArtifactRepo {
 public:
  S3Repo(net::S3Client& client, net::S3Uri root) : client_(client), root_(std::move(root)) {}

  Result<void> Put(std::string_view path, const ArtifactContent& content) override {
    return client_.Put(root_.bucket, Join(root_.prefix, path),
                       {.bytes = content.bytes, .file = content.file});
  }

  Result<std::string> Get(std::string_view path) override {
    return client_.Get(root_.bucket, Join(root_.prefix, path));
  }

  Result<std::vector<Artifact>> List() override {
    const std::string prefix = root_.prefix.empty() ? "" : root_.prefix + "/";
    // A store knows no directories: they are the beginnings of its keys.
    std::map<std::string, Artifact> entries;
    for (const net::S3Object& object : TW_TRY(client_.List(root_.bucket, prefix))) {
      const std::string path = object.key.substr(std::min(prefix.size(), object.key.size()));
      if (path.empty() || path.ends_with('/')) continue;  // a console's marker of a directory
      if (!CheckArtifactPath(path).ok()) {
        return Error{ErrorCode::kExternal,
                     fmt::format("artifacts of s3://{}/{}: cannot list '{}'", root_.bucket,
                                 root_.prefix, net::Excerpt(path, 200))};
      }
      for (std::size_t slash = path.find('/'); slash != std::string::npos;
           slash = path.find('/', slash + 1)) {
        const std::string directory = path.substr(0, slash);
        entries[directory] = {directory, true, 0};
      }
      entries[path] = {path, false, object.size};
    }
    std::vector<Artifact> all;
    all.reserve(entries.size());
    for (auto& [path, artifact] : entries) all.push_back(std::move(artifact));
    return all;
  }

 private:
  net::S3Client& client_;
  net::S3Uri root_;
};

std::string_view WithoutSlashes(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return path;
}

/// mlflow-artifacts:/ROOT, or mlflow-artifacts://HOST:PORT/ROOT for another server.
Result<std::unique_ptr<ArtifactRepo>> OpenProxied(const MlflowApi& api, std::string_view rest) {
  std::string base = api.base();
  if (rest.starts_with("//")) {
    rest.remove_prefix(2);
    const std::string_view authority = rest.substr(0, rest.find('/'));
    rest.remove_prefix(authority.size());
    if (!authority.empty()) base = base.substr(0, base.find("://") + 3) + std::string(authority);
  }
  const std::string url = base + "/api/2.0/mlflow-artifacts/artifacts";
  const net::Url own = TW_TRY(net::ParseUrl(api.base() + "/"));
  const net::Url other = TW_TRY(net::ParseUrl(url));
  return std::unique_ptr<ArtifactRepo>(std::make_unique<HttpRepo>(
      api, url, net::UnescapeUrl(WithoutSlashes(rest)), own.origin() == other.origin()));
}

Result<std::unique_ptr<ArtifactRepo>> OpenHttp(const MlflowApi& api, const std::string& uri) {
  const net::Url own = TW_TRY(net::ParseUrl(api.base() + "/"));
  const net::Url other = TW_TRY(net::ParseUrl(uri));
  std::string url = other.origin() + other.path;
  while (url.ends_with('/')) url.pop_back();
  // Below MLflow's own artifact service a directory is a parameter of the service's root.
  constexpr std::string_view kService = "/mlflow-artifacts/artifacts";
  std::string root;
  if (const std::size_t at = url.find(kService); at != std::string::npos) {
    root = net::UnescapeUrl(WithoutSlashes(url.substr(at + kService.size())));
    url.resize(at + kService.size());
  }
  return std::unique_ptr<ArtifactRepo>(std::make_unique<HttpRepo>(
      api, std::move(url), std::move(root), own.origin() == other.origin()));
}

Result<std::unique_ptr<ArtifactRepo>> OpenFiles(const MlflowApi& api, std::string_view uri) {
  if (!api.loopback() && !api.options().allow_file_artifacts) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("artifacts at '{}': a path on the server's own disk. Let the server "
                             "serve its artifacts (--serve-artifacts, with an experiment made "
                             "after that), or set TRADEWIND_MLFLOW_FILE_ARTIFACTS=1 if this "
                             "machine shares that disk",
                             net::Excerpt(uri, 200))};
  }
  std::string path(uri);
  if (uri.starts_with("file:")) {
    std::string_view rest = uri.substr(5);
    if (rest.starts_with("//")) {
      rest.remove_prefix(2);
      const std::string_view host = rest.substr(0, rest.find('/'));
      if (!host.empty() && host != "localhost") {
        return Error{ErrorCode::kUnsupported,
                     fmt::format("artifacts at '{}': on another machine", net::Excerpt(uri, 200))};
      }
      rest.remove_prefix(host.size());
    }
    path = net::UnescapeUrl(rest);
  }
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  if (!path.starts_with('/') || path.find("/../") != std::string::npos || path.ends_with("/..")) {
    return Error{ErrorCode::kUnsupported,
                 fmt::format("artifacts at '{}': wanted an absolute path", net::Excerpt(uri, 200))};
  }
  return std::unique_ptr<ArtifactRepo>(std::make_unique<FileRepo>(path));
}

}  // namespace

Result<std::unique_ptr<ArtifactRepo>> OpenArtifactRepo(const MlflowApi& api,
                                                       const std::string& uri) {
  constexpr std::string_view kProxied = "mlflow-artifacts:";
  if (uri.starts_with(kProxied))
    return OpenProxied(api, std::string_view(uri).substr(kProxied.size()));
  if (uri.starts_with("http://") || uri.starts_with("https://")) return OpenHttp(api, uri);
  if (uri.starts_with("file:") || uri.starts_with('/')) return OpenFiles(api, uri);
  if (uri.starts_with("s3://")) {
    net::S3Uri root = TW_TRY(net::ParseS3Uri(uri));
    return std::unique_ptr<ArtifactRepo>(std::make_unique<S3Repo>(api.s3(), std::move(root)));
  }
  return Error{ErrorCode::kUnsupported,
               fmt::format("artifacts at '{}': only mlflow-artifacts, http, https, s3 and file are "
                           "known",
                           net::Excerpt(uri, 200))};
}

}  // namespace tw::tracking::internal
