#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/log.h"
#include "tradewind/app.h"

#ifndef TW_VERSION
#error "TW_VERSION is set by CMake"
#endif

namespace tw::app {
namespace {

constexpr const char* kCommonHelp =
    "Common options (any command):\n"
    "  --config FILE        config file (several: later ones win); also a built-in name\n"
    "  --set KEY=VALUE      override one value, path.to.key=value; repeatable\n"
    "  --store DIR          store directory [$TRADEWIND_HOME or ~/.local/share/tradewind]\n"
    "  --json               one JSON document on standard output\n"
    "  --quiet              no progress and notes on standard error\n";

constexpr const char* kRootExamples =
    "Examples:\n"
    "  tradewind data import EURUSD.csv.gz --instrument EURUSD --freq 60min\n"
    "  tradewind data check --instrument EURUSD\n"
    "  tradewind train --config styles/quickstart.yaml\n"
    "  tradewind train --env CartPole-v1 --seed 1 --json\n"
    "  tradewind config show --set ppo.gamma=0.98\n"
    "  tradewind doctor\n"
    "\n"
    "Exit codes: 0 done, 1 failed, 2 usage or config, 3 bad data, 4 external service,\n"
    "            130 interrupted and resumable.\n";

std::string Footer(const std::string& examples, bool with_common) {
  std::string text;
  if (!examples.empty()) {
    text += "Examples:\n";
    std::size_t begin = 0;
    while (begin < examples.size()) {
      const std::size_t end = std::min(examples.find('\n', begin), examples.size());
      if (end > begin) text += "  " + examples.substr(begin, end - begin) + "\n";
      begin = end + 1;
    }
  }
  if (with_common) text += (text.empty() ? "" : "\n") + std::string(kCommonHelp);
  if (!text.empty()) text.pop_back();
  return text;
}

void AddCommonOptions(CLI::App& root, CommonOptions& options) {
  const auto add = [&root](const char* name, auto& value, const char* help) {
    return root.add_option(name, value, help)->group("Common options (any command)");
  };
  add("--config", options.config_files,
      "Config file (several: later ones win); also a built-in name")
      ->type_name("FILE")
      ->allow_extra_args(false);
  add("--set", options.overrides, "Override one value: path.to.key=value; repeatable")
      ->type_name("KEY=VALUE")
      ->allow_extra_args(false);
  add("--store", options.store, "Store directory [$TRADEWIND_HOME or ~/.local/share/tradewind]")
      ->type_name("DIR");
  root.add_flag("--json", options.json, "One JSON document on standard output")
      ->group("Common options (any command)");
  root.add_flag("--quiet", options.quiet, "No progress and notes on standard error")
      ->group("Common options (any command)");
}

// The deepest command that was recognised, for messages about what came after it.
const CLI::App& Deepest(const CLI::App& root) {
  const CLI::App* at = &root;
  for (auto subs = at->get_subcommands(); !subs.empty(); subs = at->get_subcommands())
    at = subs.back();
  return *at;
}

std::string FullName(const CLI::App& app) {
  const CLI::App* parent = app.get_parent();
  return parent == nullptr ? app.get_name() : FullName(*parent) + " " + app.get_name();
}

std::vector<std::string> WordsOf(const CLI::App& app, bool options) {
  std::vector<std::string> words;
  if (options) {
    for (const CLI::App* at = &app; at != nullptr; at = at->get_parent()) {
      for (const CLI::Option* option : at->get_options()) {
        for (const std::string& name : option->get_lnames()) words.push_back("--" + name);
      }
    }
  } else {
    for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
      words.push_back(sub->get_name());
    }
  }
  return words;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

// One line that says what is off and what was probably meant.
std::string UsageMessage(const CLI::App& root, const CLI::ParseError& error,
                         const std::vector<std::string>& args) {
  const CLI::App& at = Deepest(root);
  const std::string name = FullName(at);
  const std::vector<std::string> verbs = WordsOf(at, false);
  std::vector<std::string> extras = root.remaining(true);
  std::stable_partition(extras.begin(), extras.end(),
                        [](const std::string& word) { return word.starts_with("--"); });
  const auto known = [&args](const std::string& word) {
    return std::ranges::find(args, word) != args.end();
  };
  std::string message = name + ": " + error.what();
  const auto unknown = std::ranges::find_if(extras, known);
  if (unknown != extras.end()) {
    const bool is_option = unknown->starts_with("-");
    const std::string word = unknown->substr(0, unknown->find('='));
    if (is_option) {
      message = name + ": unknown option " + word;
    } else {
      message =
          name + (verbs.empty() ? ": unexpected argument '" : ": unknown command '") + word + "'";
    }
    const auto near = NearestWord(word, WordsOf(at, is_option));
    if (near) message += ", did you mean " + *near + "?";
  } else if (!verbs.empty() && dynamic_cast<const CLI::RequiredError*>(&error) != nullptr) {
    message = name + ": wanted one of " + Joined(verbs);
  }
  return message + " (see " + name + " --help)";
}

std::string JsonOf(const char* key, const std::string& text) {
  return nlohmann::ordered_json({{key, text}}).dump(2);
}

LogLevel LevelFor(const AppContext& context) {
  if (context.quiet()) return LogLevel::kError;
  const std::string word = context.Env("TRADEWIND_LOG").value_or("warn");
  if (word == "debug") return LogLevel::kDebug;
  if (word == "info") return LogLevel::kInfo;
  if (word == "error") return LogLevel::kError;
  return word == "off" ? LogLevel::kOff : LogLevel::kWarn;
}

}  // namespace

Command AddGroup(Command root, const CommandText& text) {
  CLI::App* group = root.app().add_subcommand(text.name, text.description);
  group->require_subcommand(1);
  group->footer(Footer(text.examples, false));
  return Command(group);
}

Command AddCommand(Command parent, AppContext& context, const CommandText& text,
                   std::function<Status()> run) {
  CLI::App* command = parent.app().add_subcommand(text.name, text.description);
  command->footer(Footer(text.examples, true));
  command->callback([&context, run = std::move(run)] { context.SetAction(run); });
  return Command(command);
}

int RunCommandLine(std::vector<std::string> args, AppContext& context) {
  // Known even if the line cannot be parsed: a program that reads our JSON gets its error as JSON
  // too.
  context.options().json = std::ranges::find(args, "--json") != args.end();
  CLI::App root("Autonomous FX trading: from market bars to a trained agent and an honest verdict.",
                "tradewind");
  root.set_version_flag("--version", "tradewind " TW_VERSION);
  root.require_subcommand(1);
  root.fallthrough();
  root.footer(kRootExamples);
  AddCommonOptions(root, context.options());
  const Command commands(&root);
  AddDataCommands(commands, context);
  AddTrainCommand(commands, context);
  AddOptimizeCommand(commands, context);
  AddWorkerCommand(commands, context);
  AddStudyCommands(commands, context);
  AddBacktestCommand(commands, context);
  AddReportCommand(commands, context);
  AddFeaturesCommands(commands, context);
  AddRunsCommands(commands, context);
  AddModelsCommands(commands, context);
  AddServeCommand(commands, context);
  AddTrackingCommands(commands, context);
  AddConfigCommands(commands, context);
  AddDoctorCommand(commands, context);
  AddCompletionCommand(commands, context);

  std::vector<std::string> reversed(args.rbegin(), args.rend());  // as CLI11 wants them
  try {
    root.parse(std::move(reversed));
  } catch (const CLI::CallForVersion& version) {
    context.Print(context.json() ? JsonOf("version", TW_VERSION) : version.what());
    return 0;
  } catch (const CLI::CallForHelp&) {
    context.Print(context.json() ? JsonOf("help", root.help()) : root.help());
    return 0;
  } catch (const CLI::ParseError& error) {
    context.Report({ErrorCode::kUsage, UsageMessage(root, error, args)});
    return ExitCodeOf(ErrorCode::kUsage);
  }
  SetUpLog(LevelFor(context));
  if (!context.action()) return 0;
  const Status status = context.action()();
  if (status.ok()) return 0;
  context.Report(status.error());
  return ExitCodeOf(status.error().code);
}

}  // namespace tw::app
