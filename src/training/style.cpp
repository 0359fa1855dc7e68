#include "training/style.h"

#include "base/check.h"
#include "base/embedded_config.h"

namespace tw::training {
namespace {

void BindData(const ConfigSection& section, DataSelection& data) {
  section.Text("instrument", data.instrument);
  section.Text("freq", data.freq);
  section.Text("from", data.from);
  section.Text("to", data.to);
}

void BindValidation(const ConfigSection& section, eval::FoldSpec& spec) {
  section.Integer("folds", spec.folds, {.min = 1, .max = 200});
  section.Number("holdout_fraction", spec.holdout_fraction, {.min = 0, .max = 0.9});
  section.Integer("purge_bars", spec.purge_bars, {.min = 0, .max = 1e6});
  section.Integer("embargo_bars", spec.embargo_bars, {.min = 0, .max = 1e6});
  section.Number("min_train_fraction", spec.min_train_fraction, {.min = 0.05, .max = 0.95});
  section.Flag("anchored", spec.anchored);
}

void BindAgent(const ConfigSection& section, AgentConfig& agent) {
  section.Choice("algo", agent.algo, {{"ppo", std::string("ppo")}});
  section.Integer("steps", agent.steps, {.min = 1, .max = 1e12});
  section.Integer("seeds", agent.seeds, {.min = 1, .max = 100});
  section.Integer("seed", agent.seed, {.min = 0, .max = 1e15});
  section.Integer("envs", agent.envs, {.min = 1, .max = 65536});
}

}  // namespace

void Bind(const ConfigSection& root, StyleConfig& style) {
  root.Text("name", style.name);
  BindData(root.Section("data"), style.data);
  Bind(root.Section("world"), style.world);
  Bind(root.Section("features"), style.features);
  BindValidation(root.Section("validation"), style.validation);
  BindAgent(root.Section("agent"), style.agent);
  Bind(root.Section("ppo"), style.ppo);
  const ConfigSection baselines = root.Section("baselines");
  baselines.Integer("momentum_bars", style.baselines.momentum_bars, {.min = 1, .max = 1e6});
  baselines.Integer("random_runs", style.baselines.random_runs, {.min = 10, .max = 100'000});
  const ConfigSection verdict = root.Section("verdict");
  verdict.Number("min_deflated_sharpe", style.verdict.min_deflated_sharpe, {.min = 0, .max = 1});
  verdict.Integer("bootstrap_runs", style.verdict.bootstrap_runs, {.min = 100, .max = 1e6});
  Bind(root.Section("search"), style.search);
}

Result<Config> WithDefaultFeatures(const Config& style) {
  const auto text = EmbeddedConfig("features/default.yaml");
  TW_CHECK(text.has_value(), "features/default.yaml is not embedded");
  Config config = TW_TRY(Config::Parse(*text, "features/default.yaml"));
  TW_TRY(config.Merge(style));
  return config;
}

std::string TrialText(std::string_view effective_yaml) {
  std::string out;
  std::string section;
  while (!effective_yaml.empty()) {
    const std::size_t end = effective_yaml.find('\n');
    const std::string_view line = effective_yaml.substr(0, end);
    effective_yaml.remove_prefix(end == std::string_view::npos ? effective_yaml.size() : end + 1);
    if (!line.starts_with(' ')) section = std::string(line.substr(0, line.find(':')));
    const bool seeds =
        section == "agent" && (line.starts_with("  seeds:") || line.starts_with("  seed:"));
    if (seeds || section == "name" || section == "baselines" || section == "verdict" ||
        section == "search") {
      continue;
    }
    out += line;
    out += '\n';
  }
  return out;
}

}  // namespace tw::training
