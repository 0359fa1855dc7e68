#include <memory>
#include <nlohmann/json.hpp>

#include "base/embedded_config.h"
#include "tradewind/app.h"

namespace tw::app {
namespace {

struct ConfigOptions {
  std::string name;
};

// Instruments, costs, rates and features are tables that documents name; they are no documents.
bool IsTable(const std::string& name) {
  return EmbeddedConfig(name).has_value() && !name.starts_with("styles/") &&
         !name.starts_with("rl/");
}

// The document that the command line asks for: the named one, the --config files on top, then
// --set.
Result<Config> LoadAsked(AppContext& context, const ConfigOptions& options) {
  auto& files = context.options().config_files;
  if (!options.name.empty()) files.insert(files.begin(), options.name);
  return context.LoadConfig();
}

void PrintYaml(AppContext& context, const std::string& yaml) {
  context.Print(context.json() ? nlohmann::ordered_json({{"yaml", yaml}}).dump(2) : yaml);
}

Status Show(AppContext& context, const ConfigOptions& options) {
  if (IsTable(options.name)) {
    PrintYaml(context, std::string(*EmbeddedConfig(options.name)));
    return {};
  }
  const Config config = TW_TRY(LoadAsked(context, options));
  PrintYaml(context, config.EffectiveYaml());
  return {};
}

Status Check(AppContext& context, const ConfigOptions& options) {
  if (IsTable(options.name)) {
    return Error{ErrorCode::kUsage, options.name + " is a table that configurations name; " +
                                        "check the configuration that names it"};
  }
  TW_TRY(LoadAsked(context, options));
  std::string checked;
  for (const std::string& file : context.options().config_files) {
    checked += (checked.empty() ? "" : ", ") + file;
  }
  if (checked.empty()) checked = "the built-in defaults";
  if (context.json()) {
    context.Print(nlohmann::ordered_json({{"ok", true}, {"checked", checked}}).dump(2));
  } else {
    context.Print("ok: " + checked);
  }
  return {};
}

Status List(AppContext& context) {
  if (context.json()) {
    auto names = nlohmann::ordered_json::array();
    for (const std::string_view name : EmbeddedConfigNames()) names.push_back(name);
    context.Print(names.dump(2));
    return {};
  }
  std::string text;
  for (const std::string_view name : EmbeddedConfigNames()) text += std::string(name) + "\n";
  context.Print(text);
  return {};
}

}  // namespace

void AddConfigCommands(Command root, AppContext& context) {
  Command group = AddGroup(
      root,
      {"config", "Show and check configuration",
       "tradewind config show --config styles/quickstart.yaml --set ppo.gamma=0.98 > my.yaml\n"
       "tradewind config check --config my.yaml\n"
       "tradewind config list\n"});
  const auto options = std::make_shared<ConfigOptions>();
  const auto add_name = [&options](Command command) {
    command.Add("name", options->name, "A built-in config file (see `config list`)");
  };
  add_name(AddCommand(
      group, context,
      {"show",
       "Print the effective configuration (defaults, files, overrides), or a built-in table",
       "tradewind config show\n"
       "tradewind config show styles/quickstart.yaml\n"
       "tradewind config show --config styles/quickstart.yaml --set ppo.gamma=0.98 > my.yaml\n"},
      [&context, options] { return Show(context, *options); }));
  add_name(AddCommand(
      group, context,
      {"check", "Say whether a configuration is sound; every error comes with file, line and path",
       "tradewind config check styles/quickstart.yaml\n"
       "tradewind config check --config my.yaml\n"},
      [&context, options] { return Check(context, *options); }));
  AddCommand(
      group, context,
      {"list", "List the config files that are built into the program", "tradewind config list\n"},
      [&context] { return List(context); });
}

}  // namespace tw::app
