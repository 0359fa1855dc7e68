#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <nlohmann/json.hpp>

#include "tradewind/app.h"

namespace tw::app {
namespace {

// The command tree as the scripts need it: "" is the program, "/data/import" a verb.
struct Node {
  std::string path;
  std::vector<std::pair<std::string, std::string>> verbs;    // name, description
  std::vector<std::pair<std::string, std::string>> options;  // "--name", description
};

std::vector<std::pair<std::string, std::string>> OptionsOf(const CLI::App& app) {
  std::vector<std::pair<std::string, std::string>> options;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames())
      options.emplace_back("--" + name, option->get_description());
  }
  return options;
}

void Collect(const CLI::App& app, const std::string& path, std::vector<Node>& nodes) {
  Node node{path, {}, OptionsOf(app)};
  if (app.get_parent() != nullptr) {
    const CLI::App* root = &app;
    while (root->get_parent() != nullptr) root = root->get_parent();
    for (auto& option : OptionsOf(*root)) {
      const bool common = option.first != "--help" && option.first != "--version";
      if (common) node.options.push_back(std::move(option));
    }
  }
  const auto subs = app.get_subcommands([](const CLI::App*) { return true; });
  for (const CLI::App* sub : subs) node.verbs.emplace_back(sub->get_name(), sub->get_description());
  nodes.push_back(std::move(node));
  for (const CLI::App* sub : subs) Collect(*sub, path + "/" + sub->get_name(), nodes);
}

std::string Words(const std::vector<std::pair<std::string, std::string>>& pairs) {
  std::string text;
  for (const auto& [name, description] : pairs) text += (text.empty() ? "" : " ") + name;
  return text;
}

// Paths of every command but the program itself, as alternatives of a shell `case`.
std::string CasePaths(const std::vector<Node>& nodes) {
  std::string text;
  for (const Node& node : nodes) {
    if (!node.path.empty()) text += (text.empty() ? "" : "|") + node.path;
  }
  return text;
}

// Single-quoted for a POSIX shell; fish reads \' the same way outside of quotes.
std::string Quoted(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string BashScript(const std::vector<Node>& nodes) {
  std::string cases;
  for (const Node& node : nodes) {
    cases += fmt::format("    '{}') verbs='{}'; options='{}' ;;\n", node.path, Words(node.verbs),
                         Words(node.options));
  }
  return fmt::format(R"(# bash completion for tradewind:  source <(tradewind completion bash)
_tradewind() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} path='' verbs='' options='' i
  for ((i = 1; i < COMP_CWORD; ++i)); do
    case "$path/${{COMP_WORDS[i]}}" in
      {}) path="$path/${{COMP_WORDS[i]}}" ;;
    esac
  done
  case "$path" in
{}  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$options" -- "$current"))
  else
    COMPREPLY=($(compgen -W "$verbs" -- "$current"))
  fi
}}
complete -o default -F _tradewind tradewind
)",
                     CasePaths(nodes), cases);
}

std::string ZshScript(const std::vector<Node>& nodes) {
  const auto described = [](const std::vector<std::pair<std::string, std::string>>& pairs) {
    std::string text;
    for (const auto& [name, description] : pairs) {
      text.append(" ").append(Quoted(fmt::format("{}:{}", name, description)));
    }
    return text;
  };
  std::string cases;
  for (const Node& node : nodes) {
    cases += fmt::format("    '{}') verbs=({} ); options=({} ) ;;\n", node.path,
                         described(node.verbs), described(node.options));
  }
  return fmt::format(R"(#compdef tradewind
# zsh completion for tradewind:  source <(tradewind completion zsh)
_tradewind() {{
  local at='' i
  local -a verbs options
  for ((i = 2; i < CURRENT; ++i)); do
    case "$at/${{words[i]}}" in
      {}) at="$at/${{words[i]}}" ;;
    esac
  done
  case "$at" in
{}  esac
  if [[ ${{words[CURRENT]}} == -* ]]; then
    _describe option options
  elif (( ${{#verbs}} )); then
    _describe command verbs
  else
    _files
  fi
}}
compdef _tradewind tradewind
)",
                     CasePaths(nodes), cases);
}

std::string FishScript(const std::vector<Node>& nodes) {
  std::string cases;
  std::string lines;
  for (const Node& node : nodes) {
    if (!node.path.empty()) cases += " " + Quoted(node.path);
    const std::string condition =
        Quoted("test (__tradewind_path) = " + (node.path.empty() ? "/" : node.path));
    for (const auto& [name, description] : node.verbs) {
      lines += fmt::format("complete -c tradewind -f -n {} -a {} -d {}\n", condition, name,
                           Quoted(description));
    }
    for (const auto& [name, description] : node.options) {
      lines += fmt::format("complete -c tradewind -n {} -l {} -d {}\n", condition, name.substr(2),
                           Quoted(description));
    }
  }
  return fmt::format(R"(# fish completion for tradewind:  tradewind completion fish | source
function __tradewind_path
  set -l at ''
  for word in (commandline -opc)[2..-1]
    if contains -- "$at/$word"{}
      set at "$at/$word"
    end
  end
  if test -z "$at"
    echo /
  else
    echo $at
  end
end
{})",
                     cases, lines);
}

}  // namespace

void AddCompletionCommand(Command root, AppContext& context) {
  const auto shell = std::make_shared<std::string>();
  Command command = AddCommand(
      root, context,
      {"completion", "Print a completion script for a shell",
       "source <(tradewind completion bash)\n"
       "tradewind completion fish > ~/.config/fish/completions/tradewind.fish\n"},
      [root, &context, shell]() -> Status {
        std::vector<Node> nodes;
        Collect(root.app(), "", nodes);
        const std::string script = *shell == "bash"  ? BashScript(nodes)
                                   : *shell == "zsh" ? ZshScript(nodes)
                                                     : FishScript(nodes);
        context.Print(context.json()
                          ? nlohmann::ordered_json({{"shell", *shell}, {"script", script}}).dump(2)
                          : script);
        return {};
      });
  command.Add("shell", *shell, "bash, zsh or fish").Required().OneOf({"bash", "zsh", "fish"});
}

}  // namespace tw::app
