#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/config.h"
#include "base/progress.h"
#include "base/result.h"
#include "tradewind/command_options.h"

namespace tw::app {

/// What a process hands to the command line; tests make their own. References outlive the context.
struct Surroundings {
  std::ostream& out;
  std::ostream& err;
  const Clock& clock;
  /// Value of an environment variable, nothing when unset or empty.
  std::function<std::optional<std::string>(const std::string&)> env;
  /// Asked to stop by the first SIGINT or SIGTERM: save, then return kInterrupted saying how to
  /// resume.
  std::stop_token stop;
};

/// The options that every command has.
struct CommonOptions {
  std::vector<std::string> config_files;
  std::vector<std::string> overrides;
  std::string store;
  bool json = false;
  bool quiet = false;
};

/// Everything a command may use of the world outside the modules. One thread.
class AppContext {
 public:
  explicit AppContext(Surroundings surroundings);

  const Clock& clock() const { return surroundings_.clock; }

  std::stop_token stop() const { return surroundings_.stop; }

  const CommonOptions& options() const { return options_; }

  CommonOptions& options() { return options_; }

  bool json() const { return options_.json; }

  bool quiet() const { return options_.quiet; }

  std::optional<std::string> Env(const std::string& name) const { return surroundings_.env(name); }

  /// --store, else $TRADEWIND_HOME, else ~/.local/share/tradewind. Errors: kUsage when none of them
  /// is known.
  Result<std::string> StoreDir() const;

  /// Terminal, lines or quiet, for Progress on standard error.
  Progress::Mode progress_mode() const { return Progress::ModeFor(options_.quiet); }

  /// Standard output: the answer for a person or, with --json, exactly one JSON document. Adds the
  /// last newline.
  void Print(std::string_view text);
  /// Standard error, for a person; silent with --quiet.
  void Note(std::string_view line) const;

  /// Tells which sections of a config document exist: `bind` reads its own ones into a throw-away
  /// struct of defaults, for LoadConfig, `config show` and `config check`. Called by the
  /// Add...Commands functions.
  void RegisterConfig(std::function<void(ConfigSection root)> bind);

  /// The config document of this call: the --config files in their order (without any: the embedded
  /// file `default_name`, if one is named), then --set on top. A --config that is no file is looked
  /// up among the embedded ones, so `--config styles/quickstart.yaml` works anywhere. Every
  /// registered section has been bound and the document is known to be free of errors; the caller
  /// binds its own structs from root() again. Errors: kConfig.
  /// Section `tracking` is not in it: it says where results go, not what is done.
  Result<Config> LoadConfig(std::string_view default_name = {}) const;

  /// One document by the name that --config takes: a file, else one of the embedded. Errors:
  /// kConfig.
  static Result<Config> LoadDocument(const std::string& name);

  /// The --config files and --set with every section.
  Result<Config> LoadSettings() const { return LoadAll({}); }

  /// Set by the command that was chosen on the command line.
  void SetAction(std::function<Status()> action) { action_ = std::move(action); }

  const std::function<Status()>& action() const { return action_; }

  /// Prints an error as `error: ...` lines, and as a JSON document on standard output with --json
  /// if none was printed.
  void Report(const Error& error);

 private:
  Result<Config> LoadAll(std::string_view default_name) const;

  Surroundings surroundings_;
  CommonOptions options_;
  std::vector<std::function<void(ConfigSection)>> binders_;
  std::function<Status()> action_;
  bool printed_ = false;
};

/// What stands in the help of a command. `examples` are whole command lines, one a line.
struct CommandText {
  std::string name;
  std::string description;
  std::string examples;
};

/// A noun: `tradewind data ...`; one of its verbs must follow.
Command AddGroup(Command root, const CommandText& text);

/// A verb under `parent` (or at the root). The caller adds its own options to the returned object
/// and keeps their values in a shared struct that `run` captures.
Command AddCommand(Command parent, AppContext& context, const CommandText& text,
                   std::function<Status()> run);

/// Parses `args` (without the program's name) and runs the command. Returns the exit code: 0 done,
/// 1 failed, 2 usage or config, 3 bad data, 4 external service, 130 interrupted and resumable.
int RunCommandLine(std::vector<std::string> args, AppContext& context);

// One file a group of commands.
void AddBacktestCommand(Command root, AppContext& context);
void AddConfigCommands(Command root, AppContext& context);
void AddDataCommands(Command root, AppContext& context);
void AddFeaturesCommands(Command root, AppContext& context);
void AddModelsCommands(Command root, AppContext& context);
void AddRunsCommands(Command root, AppContext& context);
void AddDoctorCommand(Command root, AppContext& context);
void AddCompletionCommand(Command root, AppContext& context);
void AddReportCommand(Command root, AppContext& context);
void AddServeCommand(Command root, AppContext& context);
void AddTrackingCommands(Command root, AppContext& context);
void AddTrainCommand(Command root, AppContext& context);
void AddOptimizeCommand(Command root, AppContext& context);
void AddWorkerCommand(Command root, AppContext& context);
void AddStudyCommands(Command root, AppContext& context);

}  // namespace tw::app
