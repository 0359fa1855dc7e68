#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <thread>

#include "base/embedded_config.h"
#include "base/files.h"
#include "rl/envs/classic.h"
#include "store/store.h"
#include "tracking/ledger.h"
#include "tracking/local_tracker.h"
#include "tradewind/app.h"
#include "tradewind/services.h"
#include "training/classic.h"
#include "training/train_run.h"

namespace tw::app {
namespace {

using Json = nlohmann::ordered_json;

struct TrainOptions {
  std::string env;
  std::string algo;
  std::string instrument;
  std::string freq;
  std::string from;
  std::string to;
  std::string financing;
  std::string model;
  std::string resume;
  std::optional<std::int64_t> steps;
  std::optional<std::int64_t> seed;
  std::optional<std::int64_t> seeds;
  int threads = 0;
  bool any_machine = false;
};

int ThreadCount(const TrainOptions& options) {
  if (options.threads > 0) return options.threads;
  return static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, 256U));
}

// Options that stand for a key of the style.
Status OverrideStyle(const TrainOptions& options, Config& config) {
  const auto set = [&](std::string_view option, std::string_view key,
                       const std::string& value) -> Status {
    return value.empty() ? Status() : config.Override(fmt::format("{}={}", key, value), option);
  };
  if (!options.freq.empty()) TW_TRY(ParseFreq("--freq", options.freq));
  if (!options.from.empty()) TW_TRY(ParseDay("--from", options.from));
  if (!options.to.empty()) TW_TRY(ParseDay("--to", options.to));
  TW_TRY(set("--instrument", "data.instrument", options.instrument));
  TW_TRY(set("--freq", "data.freq", options.freq));
  TW_TRY(set("--from", "data.from", options.from.empty() ? "" : "'" + options.from + "'"));
  TW_TRY(set("--to", "data.to", options.to.empty() ? "" : "'" + options.to + "'"));
  TW_TRY(set("--algo", "agent.algo", options.algo));
  std::string financing = options.financing;
  std::ranges::replace(financing, '-', '_');
  TW_TRY(set("--financing", "world.financing.mode", financing));
  if (options.steps) TW_TRY(set("--steps", "agent.steps", fmt::format("{}", *options.steps)));
  if (options.seed) TW_TRY(set("--seed", "agent.seed", fmt::format("{}", *options.seed)));
  if (options.seeds) TW_TRY(set("--seeds", "agent.seeds", fmt::format("{}", *options.seeds)));
  return {};
}

std::string NextCommands(const training::TrainReport& report, const std::string& report_path) {
  if (report.model_version < 0) {
    return fmt::format(
        "\nreport     {}\n"
        "model      {} version pending (run {})\n"
        "\nnext, when the tracking server is back:\n"
        "  tradewind tracking flush\n"
        "  tradewind models show {}\n",
        report_path, report.model_name, report.run_id, report.model_name);
  }
  return fmt::format(
      "\nreport     {}\n"
      "model      {} version {}\n"
      "\nnext:\n"
      "  tradewind backtest --model {}:{} --report backtest.html\n"
      "  tradewind runs show {}\n"
      "  tradewind models list\n",
      report_path, report.model_name, report.model_version, report.model_name, report.model_version,
      report.run_id);
}

// Of the runs whose files wait to be gone on with, the one that was worked at last.
Result<std::string> LastInterrupted(const std::string& home) {
  std::string last;
  std::filesystem::file_time_type newest;
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(home + "/runs", ignored)) {
    const auto time = std::filesystem::last_write_time(entry.path(), ignored);
    if (!last.empty() && time <= newest) continue;
    last = entry.path().filename().string();
    newest = time;
  }
  if (last.empty()) return Error{ErrorCode::kNotFound, "no interrupted run in " + home + "/runs"};
  return last;
}

Status TrainStyleCommand(AppContext& context, const TrainOptions& options) {
  Services services = TW_TRY(OpenServices(context));
  training::TrainRequest request;
  if (options.resume.empty()) {
    request.config = TW_TRY(LoadStyle(context));
    TW_TRY(OverrideStyle(options, request.config));
  }
  request.resume_run_id = options.resume;
  if (options.resume == "last") request.resume_run_id = TW_TRY(LastInterrupted(services.home));
  if (services.spool && !options.resume.empty() &&
      !std::filesystem::exists(services.home + "/runs/" + request.resume_run_id))
    request.resume_run_id = services.spool->spool().FirstId(request.resume_run_id);
  request.model_name = options.model;
  request.threads = ThreadCount(options);
  request.any_machine = options.any_machine;
  std::optional<Progress> progress;
  request.on_start = [&](const std::string& run_id) {
    context.Note(fmt::format("run {} (Ctrl-C saves; go on with: tradewind train --resume {})",
                             run_id, run_id));
  };
  request.on_note = [&](const std::string& line) { context.Note(line); };
  request.on_progress = [&](std::int64_t done, std::int64_t total, const std::string& note) {
    if (!progress)
      progress.emplace(context.clock(), context.progress_mode(), "training", "steps", total, done);
    progress->Update(done, note);
  };
  auto trained = training::TrainStyle(request, services.Train(context), context.stop());
  if (progress) progress->Finish();
  training::TrainReport report = TW_TRY(std::move(trained));
  const std::optional<std::int64_t> waiting = services.Settle(report);
  const std::string path = TW_TRY(SaveReport(services, report));
  if (context.json()) {
    Json json = TrainReportJson(report, path);
    if (waiting) json["tracking"] = {{"pending", *waiting > 0}, {"records_waiting", *waiting}};
    context.Print(json.dump(2));
  } else {
    context.Print(report.verdict.Text() + "\n" + NextCommands(report, path));
  }
  return {};
}

// The tuned file that ships for an environment, or nothing.
std::string ClassicConfigName(const std::string& env) {
  for (const std::string_view name : EmbeddedConfigNames()) {
    if (!name.starts_with("rl/")) continue;
    const auto config = Config::Parse(*EmbeddedConfig(name), name);
    if (!config.ok()) continue;
    std::string named;
    config->root().Text("env", named);
    if (named == env) return std::string(name);
  }
  return "";
}

Status CheckClassic(const TrainOptions& options) {
  if (!options.algo.empty() && options.algo != "ppo")
    return Error{ErrorCode::kUsage, fmt::format("--algo is '{}', wanted ppo", options.algo)};
  const std::span<const std::string_view> names = rl::ClassicEnvNames();
  if (std::ranges::find(names, options.env) != names.end()) return {};
  const auto near = NearestWord(options.env, std::vector<std::string>(names.begin(), names.end()));
  return Error{ErrorCode::kUsage,
               fmt::format("--env is '{}', wanted one of {}{}", options.env, fmt::join(names, ", "),
                           near ? ", did you mean " + *near + "?" : "")};
}

Status TrainClassicCommand(AppContext& context, const TrainOptions& options) {
  TW_TRY(CheckClassic(options));
  context.options().overrides.push_back("env='" + options.env + "'");
  Config config = TW_TRY(context.LoadConfig(ClassicConfigName(options.env)));
  if (options.steps)
    TW_TRY(config.Override(fmt::format("total_timesteps={}", *options.steps), "--steps"));
  if (options.seed) TW_TRY(config.Override(fmt::format("seed={}", *options.seed), "--seed"));
  training::ClassicConfig classic;
  Bind(config.root(), classic);
  TW_TRY(config.Finish());
  const std::string home = TW_TRY(context.StoreDir());
  const std::string name = fmt::format("{}-{}-seed-{}", classic.run.env,
                                       options.algo.empty() ? "ppo" : options.algo, classic.seed);
  const std::string id = Sha256Hex(config.EffectiveYaml()).substr(0, 16);
  const std::string work_dir = home + "/classic/" + name + "-" + id;
  if (options.resume.empty()) {
    // A finished or broken-off training of the same settings starts anew, unless it is resumed.
    std::error_code ignored;
    std::filesystem::remove_all(work_dir, ignored);
  }
  std::optional<Progress> progress;
  training::ClassicOptions classic_options;
  classic_options.work_dir = work_dir;
  classic_options.threads = ThreadCount(options);
  classic_options.any_machine = options.any_machine;
  std::string note;
  classic_options.on_log = [&](const rl::PpoLog& log) {
    const auto reward = log.values.find("rollout/ep_rew_mean");
    if (reward != log.values.end()) note = fmt::format("reward {:.1f}", reward->second);
  };
  classic_options.on_progress = [&](std::int64_t steps) {
    if (!progress)
      progress.emplace(context.clock(), context.progress_mode(), classic.run.env, "steps",
                       classic.run.total_timesteps, steps);
    progress->Update(steps, note);
  };
  auto trained = training::TrainClassic(classic, classic_options, context.clock(), context.stop());
  if (progress) progress->Finish(note);
  if (!trained.ok() && trained.error().code == ErrorCode::kInterrupted) {
    return Error{ErrorCode::kInterrupted,
                 "training saved; go on with the same command and --resume last"};
  }
  const training::ClassicOutcome outcome = TW_TRY(std::move(trained));
  const std::string path = work_dir + "/agent.safetensors";
  const Json json = {{"run_id", name + "-" + id},
                     {"model", {{"name", name}, {"version", 1}, {"path", path}}},
                     {"metrics",
                      {{"mean_reward", outcome.evaluation.mean_reward},
                       {"std_reward", outcome.evaluation.std_reward},
                       {"mean_ep_length", outcome.evaluation.mean_length},
                       {"episodes", outcome.evaluation.returns.size()},
                       {"steps_per_second", outcome.steps_per_second}}}};
  if (context.json()) {
    context.Print(json.dump(2));
  } else {
    context.Print(
        fmt::format("{}: {:.2f} +- {:.2f} over {} deterministic episodes; {:.0f} steps/s\nmodel {}",
                    classic.run.env, outcome.evaluation.mean_reward, outcome.evaluation.std_reward,
                    outcome.evaluation.returns.size(), outcome.steps_per_second, path));
  }
  return {};
}

}  // namespace

void AddTrainCommand(Command root, AppContext& context) {
  // A document is of one kind: what `config show` prints of it must be one that training takes.
  context.RegisterConfig([](const ConfigSection& section) {
    if (section.Has("env")) {
      training::ClassicConfig classic;
      Bind(section, classic);
    } else {
      training::StyleConfig style;
      Bind(section, style);
    }
  });
  const auto options = std::make_shared<TrainOptions>();
  Command command = AddCommand(
      root, context,
      {"train", "Train an agent walk-forward, judge it out of sample after costs, and register it",
       "tradewind train --config styles/quickstart.yaml\n"
       "tradewind train --instrument EURUSD --freq 60min --steps 100000 --json\n"
       "tradewind train --resume last\n"
       "tradewind train --env CartPole-v1 --steps 100000 --seed 3\n"},
      [&context, options] {
        return options->env.empty() ? TrainStyleCommand(context, *options)
                                    : TrainClassicCommand(context, *options);
      });
  command.Add("--instrument", options->instrument, "Pair to trade (data.instrument)");
  command.Add("--freq", options->freq, "Bar length, such as 60min (data.freq)");
  command.Add("--from", options->from, "First trading date, YYYY-MM-DD (data.from)");
  command.Add("--to", options->to, "Last trading date, included (data.to)");
  command.Add("--algo", options->algo, "Algorithm: ppo (agent.algo)");
  command.Add("--steps", options->steps, "Environment steps a seed and fold (agent.steps)");
  command.Add("--seed", options->seed, "First seed (agent.seed)");
  command.Add("--seeds", options->seeds, "Agents a fold (agent.seeds)");
  command.Add("--financing", options->financing, "rates, off or hold-last (world.financing.mode)");
  command.Add("--name", options->model, "Name to register the model under");
  command.Add("--env", options->env,
              "A classic environment instead of a market: CartPole-v1, Pendulum-v1, ...");
  command
      .Add("--threads", options->threads,
           "Threads; the result does not depend on it (default: all cores)")
      .Between(1, 256);
  command.Add("--resume", options->resume, "Go on with an interrupted run: its id, or last");
  command.AddFlag("--any-machine", options->any_machine,
                  "Resume although the checkpoint comes from another instruction set (results "
                  "may differ in bits)");
}

}  // namespace tw::app
