#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "net/http_server.h"

namespace tw::server {

/// The files of the built web application, read once: what a client asks for is looked up by name
/// and never reaches the file system. Immutable.
class StaticFiles {
 public:
  /// No files: every page says how to build the application.
  StaticFiles() = default;

  /// Every regular file below `dir`, links not followed. Errors: kNotFound without an index.html,
  /// kBadData beyond 64 MB or 5,000 files, kIo.
  static Result<StaticFiles> Load(const std::string& dir);

  bool empty() const { return files_.empty(); }

  /// GET or HEAD of anything that is not the API. A path without a file and without a dot in its
  /// last segment is one of the application's own pages: index.html.
  net::ServerResponse Serve(const net::ServerRequest& request,
                            const std::vector<std::string>& segments) const;

 private:
  struct File {
    std::string type;
    std::string etag;
    std::shared_ptr<const std::string> content;
    std::shared_ptr<const std::string> gzip;  // null when it would not be smaller
  };

  std::map<std::string, File> files_;  // by path below the root
};

/// The page that is shown without a bundle.
std::string PageWithoutBundle();

}  // namespace tw::server
