#include "server/static_files.h"

#include <fmt/format.h>
#include <zlib.h>

#include <filesystem>
#include <utility>

#include "base/files.h"
#include "server/problem.h"

namespace tw::server {
namespace {

constexpr std::int64_t kBytesMax = 64 << 20;
constexpr std::size_t kFilesMax = 5000;
constexpr std::size_t kGzipBytesMin = 1024;

std::string TypeOf(const std::string& path) {
  static constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".mjs", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".json", "application/json"},
      {".webmanifest", "application/manifest+json"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/vnd.microsoft.icon"},
      {".woff2", "font/woff2"},
      {".txt", "text/plain; charset=utf-8"},
      {".map", "application/json"}};
  for (const auto& [ending, type] : kTypes) {
    if (path.ends_with(ending)) return std::string(type);
  }
  return "application/octet-stream";
}

// Null when it is not worth it.
std::shared_ptr<const std::string> Gzip(const std::string& content, const std::string& type) {
  const bool text = type.starts_with("text/") || type.starts_with("application/json") ||
                    type.starts_with("image/svg");
  if (!text || content.size() < kGzipBytesMin) return nullptr;
  z_stream stream{};
  constexpr int kGzipWindow = 15 + 16;
  if (deflateInit2(&stream, 6, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return nullptr;
  std::string packed(deflateBound(&stream, static_cast<uLong>(content.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(content.data()));
  stream.avail_in = static_cast<uInt>(content.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  const bool done = deflate(&stream, Z_FINISH) == Z_STREAM_END;
  packed.resize(packed.size() - stream.avail_out);
  deflateEnd(&stream);
  if (!done || packed.size() >= content.size()) return nullptr;
  return std::make_shared<const std::string>(std::move(packed));
}

bool AcceptsGzip(const net::ServerRequest& request) {
  const std::string& accepted = request.header("accept-encoding");
  const std::size_t at = accepted.find("gzip");
  return at != std::string::npos && accepted.substr(at + 4, 4) != ";q=0";
}

}  // namespace

std::string PageWithoutBundle() {
  return "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>Tradewind</title>"
         "<h1>The web application is not built yet</h1>"
         "<p>Build it once, from the folder of the sources, then start <code>tradewind "
         "serve</code> "
         "again:</p><pre>scripts/quickstart.sh --web</pre>"
         "<p>or, with Node 18 and npm:</p><pre>cd web &amp;&amp; npm ci &amp;&amp; npm run "
         "build</pre>"
         "<p>A bundle elsewhere is named by <code>tradewind serve --web DIR</code>. The API "
         "answers "
         "all the same: <a href=\"/api/v1/openapi.yaml\">its description</a>.</p></html>";
}

Result<StaticFiles> StaticFiles::Load(const std::string& dir) {
  namespace fs = std::filesystem;
  StaticFiles out;
  std::int64_t bytes = 0;
  std::error_code error;
  fs::recursive_directory_iterator it(dir, fs::directory_options::none, error);
  if (error) return Error{ErrorCode::kNotFound, fmt::format("{}: {}", dir, error.message())};
  for (; it != fs::recursive_directory_iterator(); it.increment(error)) {
    if (error) return Error{ErrorCode::kIo, fmt::format("{}: {}", dir, error.message())};
    if (it->is_symlink(error) || !it->is_regular_file(error)) continue;
    auto content = std::make_shared<const std::string>(TW_TRY(ReadFile(it->path().string())));
    bytes += static_cast<std::int64_t>(content->size());
    if (bytes > kBytesMax || out.files_.size() >= kFilesMax) {
      return Error{ErrorCode::kBadData, fmt::format("{}: more than {} bytes or {} files are no web "
                                                    "application of ours",
                                                    dir, kBytesMax, kFilesMax)};
    }
    const std::string name = it->path().lexically_relative(dir).generic_string();
    File file{.type = TypeOf(name),
              .etag = "\"" + Sha256Hex(*content).substr(0, 32) + "\"",
              .content = content,
              .gzip = Gzip(*content, TypeOf(name))};
    out.files_[name] = std::move(file);
  }
  if (!out.files_.contains("index.html")) {
    return Error{ErrorCode::kNotFound,
                 fmt::format("{} holds no index.html; it should be the output of the web "
                             "application's build, web/dist",
                             dir)};
  }
  return out;
}

net::ServerResponse StaticFiles::Serve(const net::ServerRequest& request,
                                       const std::vector<std::string>& segments) const {
  if (request.method != "GET" && request.method != "HEAD") {
    net::ServerResponse response = Respond(Refusal(405, "pages are read with GET"));
    response.headers.emplace_back("Allow", "GET, HEAD");
    return response;
  }
  std::string path;
  for (const std::string& segment : segments) path += (path.empty() ? "" : "/") + segment;
  const bool own_page = segments.empty() || segments.back().find('.') == std::string::npos;
  if (files_.empty() && own_page) {
    return {
        .status = 200,
        .headers = {{"Content-Type", "text/html; charset=utf-8"}, {"Cache-Control", "no-store"}},
        .body = PageWithoutBundle()};
  }
  auto found = files_.find(path);
  if (found == files_.end() && own_page) found = files_.find("index.html");
  if (found == files_.end()) return Respond(Refusal(404, "there is no such file"));
  const File& file = found->second;
  net::ServerResponse response;
  // A new build has new names or new tags; asking again is cheap on the way to oneself.
  response.headers = {{"Content-Type", file.type},
                      {"Cache-Control", "no-cache"},
                      {"ETag", file.etag},
                      {"Vary", "Accept-Encoding"}};
  if (request.header("if-none-match") == file.etag) {
    response.status = 304;
    return response;
  }
  const bool packed = file.gzip != nullptr && AcceptsGzip(request);
  if (packed) response.headers.emplace_back("Content-Encoding", "gzip");
  response.shared_body = packed ? file.gzip : file.content;
  return response;
}

}  // namespace tw::server
