#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "hpo/rdb_storage.h"
#include "tradewind/app.h"

namespace tw::app {

/// Where studies are: `option` (--storage), else $TRADEWIND_STORAGE, else $TRADEWIND_DB, else
/// studies.db in the home directory. May hold a password: show it with db::RedactUrl, and hand it
/// on by environment.
Result<std::string> StorageUrl(const AppContext& context, const std::string& option);

/// Opens it, for a worker or for a reader. Errors: those of RdbStorage::Open.
Result<std::shared_ptr<hpo::Storage>> OpenStudies(const AppContext& context,
                                                  const std::string& url);

}  // namespace tw::app
