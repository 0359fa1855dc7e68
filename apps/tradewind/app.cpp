#include "tradewind/app.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <ostream>
#include <utility>

#include "base/embedded_config.h"

namespace tw::app {
namespace {

bool IsFile(const std::string& path) {
  struct stat info {};

  return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode);
}

bool IsThereButNoDirectory(const std::string& path) {
  struct stat info {};

  return ::stat(path.c_str(), &info) == 0 && !S_ISDIR(info.st_mode);
}

}  // namespace

Result<Config> AppContext::LoadDocument(const std::string& name) {
  if (IsFile(name)) return Config::Load(name);
  if (const auto text = EmbeddedConfig(name)) return Config::Parse(*text, "embedded:" + name);
  const std::span<const std::string_view> known = EmbeddedConfigNames();
  const auto near = NearestWord(name, std::vector<std::string>(known.begin(), known.end()));
  return Error{ErrorCode::kConfig,
               "config '" + name +
                   "': there is no such file, and none of that name in the program" +
                   (near ? ", did you mean " + *near + "?" : "")};
}

AppContext::AppContext(Surroundings surroundings) : surroundings_(std::move(surroundings)) {}

Result<std::string> AppContext::StoreDir() const {
  const std::string named =
      options_.store.empty() ? Env("TRADEWIND_HOME").value_or("") : options_.store;
  if (!named.empty() && IsThereButNoDirectory(named))
    return Error{ErrorCode::kUsage, "store '" + named + "': is no directory"};
  if (!named.empty()) return named;
  if (const auto home = Env("HOME")) return *home + "/.local/share/tradewind";
  return Error{ErrorCode::kUsage,
               "no store: give --store DIR or set TRADEWIND_HOME (HOME is not set either)"};
}

void AppContext::Print(std::string_view text) {
  printed_ = true;
  surroundings_.out << text;
  if (text.empty() || text.back() != '\n') surroundings_.out << '\n';
  surroundings_.out.flush();
}

void AppContext::Note(std::string_view line) const {
  if (!options_.quiet) surroundings_.err << line << std::endl;
}

void AppContext::RegisterConfig(std::function<void(ConfigSection)> bind) {
  binders_.push_back(std::move(bind));
}

Result<Config> AppContext::LoadConfig(std::string_view default_name) const {
  Config config = TW_TRY(LoadAll(default_name));
  config.Remove("tracking");
  return config;
}

Result<Config> AppContext::LoadAll(std::string_view default_name) const {
  Config config = Config::Empty();
  if (options_.config_files.empty() && !default_name.empty()) {
    config = TW_TRY(LoadDocument(std::string(default_name)));
  }
  for (std::size_t i = 0; i < options_.config_files.size(); ++i) {
    Config next = TW_TRY(LoadDocument(options_.config_files[i]));
    if (i == 0) {
      config = std::move(next);
    } else {
      TW_TRY(config.Merge(next));
    }
  }
  for (const std::string& assignment : options_.overrides) TW_TRY(config.Override(assignment));
  for (const auto& bind : binders_) bind(config.root());
  TW_TRY(config.Finish());
  return config;
}

void AppContext::Report(const Error& error) {
  const std::string_view lead = error.code == ErrorCode::kInterrupted ? "stopped: " : "error: ";
  std::string_view rest = error.message;
  while (true) {
    const std::size_t end = rest.find('\n');
    surroundings_.err << lead << rest.substr(0, end) << '\n';
    if (end == std::string_view::npos || end + 1 == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  surroundings_.err.flush();
  if (options_.json && !printed_) {
    const nlohmann::ordered_json document = {{"error",
                                              {{"code", NameOf(error.code)},
                                               {"message", error.message},
                                               {"exit_code", ExitCodeOf(error.code)}}}};
    Print(document.dump(2, ' ', false, nlohmann::json::error_handler_t::replace));
  }
}

}  // namespace tw::app
