#include "tradewind/study_storage.h"

#include <filesystem>

#include "base/files.h"

namespace tw::app {

Result<std::string> StorageUrl(const AppContext& context, const std::string& option) {
  if (!option.empty()) return option;
  for (const char* name : {"TRADEWIND_STORAGE", "TRADEWIND_DB"}) {
    if (auto url = context.Env(name)) return *std::move(url);
  }
  const std::string home = TW_TRY(context.StoreDir());
  TW_TRY(CreateDirectories(home));
  // Workers may have another working directory.
  return "sqlite:///" + std::filesystem::absolute(home).string() + "/studies.db";
}

Result<std::shared_ptr<hpo::Storage>> OpenStudies(const AppContext& context,
                                                  const std::string& url) {
  hpo::RdbOptions options;
  options.heartbeat_at_start = true;
  options.library_version = "tradewind " TW_VERSION;
  std::unique_ptr<hpo::RdbStorage> storage =
      TW_TRY(hpo::RdbStorage::Open(url, context.clock(), options));
  return std::shared_ptr<hpo::Storage>(std::move(storage));
}

}  // namespace tw::app
