// Works on a study as `tradewind` does, for tests and benchmarks beside Python's optuna. Not
// installed.
//
//   tw_hpo_driver create URL STUDY [directions=minimize,maximize]
//   tw_hpo_driver enqueue URL STUDY x=1.5
//   tw_hpo_driver run URL STUDY trials=N [seed=S] [sampler=tpe|random] [threads=T] [sleep_ms=M]
//   [heartbeat=S grace=S]
//                     [max_retry=N] [hang=1]
//   tw_hpo_driver show URL STUDY        one JSON object a line, one line a trial
//   tw_hpo_driver bench URL STUDY trials=N [params=P] [every=K] [sync_ms=0]    seconds for each K
//   trials tw_hpo_driver delete URL STUDY
//
// hang=1: suggests, says so on standard output, and then waits to be killed.
#include <fmt/core.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>

#include "base/clock.h"
#include "base/log.h"
#include "hpo/random_sampler.h"
#include "hpo/rdb_storage.h"
#include "hpo/study.h"
#include "hpo/tpe_sampler.h"

namespace {

using namespace tw;       // NOLINT(google-build-using-namespace): a program of one file
using namespace tw::hpo;  // NOLINT(google-build-using-namespace)

class Options {
 public:
  Options(int argc, char** argv) {
    for (int i = 4; i < argc; ++i) {
      const std::string word = argv[i];
      const std::size_t equals = word.find('=');
      values_[word.substr(0, equals)] = equals == std::string::npos ? "1" : word.substr(equals + 1);
    }
  }

  std::string Text(const std::string& key, const std::string& otherwise) const {
    const auto found = values_.find(key);
    return found == values_.end() ? otherwise : found->second;
  }

  double Number(const std::string& key, double otherwise) const {
    const auto found = values_.find(key);
    return found == values_.end() ? otherwise : std::strtod(found->second.c_str(), nullptr);
  }

  std::int64_t Integer(const std::string& key, std::int64_t otherwise) const {
    return static_cast<std::int64_t>(Number(key, static_cast<double>(otherwise)));
  }

 private:
  std::map<std::string, std::string> values_;
};

/// The objective of check.py: smallest at x = 1, n = 4, "b". Reports its way there, fails and
/// prunes now and then.
Result<Outcome> Curve(Trial& trial, std::size_t objectives, const Options& options) {
  const double x = TW_TRY(trial.SuggestFloat("x", -5, 5));
  const std::int64_t n = TW_TRY(trial.SuggestInt("n", 1, 64, true));
  const double width = TW_TRY(trial.SuggestFloat("width", 0.1, 0.9, false, 0.1));
  const ParamValue kind = TW_TRY(trial.SuggestCategorical(
      "kind", {ParamValue(std::string("a")), ParamValue(std::string("b")),
               ParamValue(std::int64_t{3}), ParamValue(), ParamValue(true)}));
  TW_TRY(trial.SetUserAttribute("writer", "\"tradewind\""));
  if (options.Integer("hang", 0) != 0) {
    TW_TRY(trial.Flush());
    fmt::print("hanging {}\n", trial.number());
    std::fflush(stdout);
    std::this_thread::sleep_for(std::chrono::minutes(5));
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(options.Integer("sleep_ms", 0)));
  const double value = (x - 1) * (x - 1) + std::abs(std::log2(static_cast<double>(n)) - 2) +
                       (kind == ParamValue(std::string("b")) ? 0.0 : 1.0) + width / 10;
  TW_TRY(trial.SetConstraints({width - 0.7}));
  if (objectives > 1) {
    return Outcome::Complete(std::vector<double>(objectives, value));
  }
  for (std::int64_t step = 0; step < 3; ++step) {
    TW_TRY(trial.Report(value + 3.0 - static_cast<double>(step), step));
  }
  if (trial.number() % 7 == 3) return Outcome::Pruned();
  if (trial.number() % 11 == 5) return Outcome::Failed();
  return Outcome::Complete(value);
}

std::string Times(const std::optional<UnixNanos>& time) {
  return time ? fmt::format("{}", time->nanos() / 1'000) : "null";
}

void Show(const FrozenTrial& trial) {
  std::string params;
  for (const Param& param : trial.params) {
    params += fmt::format("{}[{}, {}, {}]", params.empty() ? "" : ", ", JsonString(param.name),
                          ToJson(param.value()), JsonString(param.distribution.ToJson()));
  }
  std::string reports;
  for (const auto& [step, value] : trial.intermediate) {
    reports += fmt::format("{}[{}, {}]", reports.empty() ? "" : ", ", step, ToJson(value));
  }
  const auto attributes = [](const Attributes& all) {
    std::string out;
    for (const auto& [key, json] : all) {
      out += fmt::format("{}{}: {}", out.empty() ? "" : ", ", JsonString(key), json);
    }
    return out;
  };
  fmt::print(
      "{{\"number\": {}, \"state\": \"{}\", \"values\": {}, \"params\": [{}], \"reports\": [{}], "
      "\"user\": {{{}}}, \"system\": {{{}}}, \"start\": {}, \"complete\": {}}}\n",
      trial.number, NameOf(trial.state), ToJson(trial.values), params, reports,
      attributes(trial.user_attrs), attributes(trial.system_attrs), Times(trial.start),
      Times(trial.complete));
}

StudyOptions OptionsOf(const std::string& name, const Options& options) {
  StudyOptions study;
  study.name = name;
  const auto seed = static_cast<std::uint64_t>(options.Integer("seed", 1));
  if (options.Text("sampler", "tpe") == "random") {
    study.sampler = std::make_shared<RandomSampler>(seed);
  } else {
    TpeOptions tpe;
    tpe.seed = seed;
    study.sampler = std::make_shared<TpeSampler>(tpe);
  }
  return study;
}

Status RunTrials(Study& study, const Options& options) {
  OptimizeOptions loop;
  loop.n_trials = options.Integer("trials", 10);
  loop.n_workers = static_cast<int>(options.Integer("threads", 1));
  loop.heartbeat_interval_s = options.Number("heartbeat", 0);
  loop.grace_period_s = options.Number("grace", 0);
  loop.continue_after_errors = true;
  if (loop.heartbeat_interval_s > 0) {
    RetryOptions retry;
    if (options.Integer("max_retry", -1) >= 0) retry.max_retry = options.Integer("max_retry", -1);
    loop.retry = retry;
  }
  const std::size_t objectives = study.info().directions.size();
  const std::int64_t started =
      TW_TRY(study.Optimize([&](Trial& trial) { return Curve(trial, objectives, options); }, loop));
  fmt::print("{}\n", started);
  return {};
}

/// A trivial objective over floats: what is measured is the storage.
Status Bench(Study& study, const Clock& clock, const Options& options) {
  SearchSpace space;
  for (std::int64_t i = 0; i < options.Integer("params", 5); ++i) {
    space.push_back({fmt::format("p{:02}", i), TW_TRY(Distribution::Float(-1, 1))});
  }
  const std::int64_t trials = options.Integer("trials", 1'000);
  const std::int64_t every = options.Integer("every", trials);
  std::int64_t begin = clock.MonotonicNanos();
  for (std::int64_t i = 1; i <= trials; ++i) {
    Trial trial = TW_TRY(study.Ask(space));
    double sum = 0;
    for (const Param& param : trial.Snapshot().params) sum += param.internal * param.internal;
    TW_TRY(study.Tell(trial, Outcome::Complete(sum)));
    if (i % every != 0) continue;
    const std::int64_t now = clock.MonotonicNanos();
    fmt::print("{} {:.6f}\n", i, static_cast<double>(now - begin) * 1e-9);
    std::fflush(stdout);
    begin = now;
  }
  return {};
}

Status Main(int argc, char** argv) {
  if (argc < 4) return Error{ErrorCode::kUsage, "COMMAND URL STUDY [key=value ...]"};
  const std::string command = argv[1];
  const std::string name = argv[3];
  const Options options(argc, argv);
  const SystemClock clock;
  RdbOptions database;
  database.heartbeat_at_start = options.Number("heartbeat", 0) > 0;
  database.sync_every_ms = options.Integer("sync_ms", database.sync_every_ms);
  database.library_version = "tradewind driver";
  const std::shared_ptr<Storage> storage = TW_TRY(RdbStorage::Open(argv[2], clock, database));
  if (command == "delete") return storage->DeleteStudy(TW_TRY(storage->FindStudy(name)));
  if (command == "create") {
    StudyOptions study = OptionsOf(name, options);
    if (options.Text("directions", "minimize") == "minimize,maximize") {
      study.directions = {Direction::kMinimize, Direction::kMaximize};
    }
    TW_TRY(Study::Create(storage, clock, std::move(study)));
    return {};
  }
  const std::unique_ptr<Study> study =
      TW_TRY(Study::Load(storage, clock, OptionsOf(name, options)));
  if (command == "enqueue") {
    TW_TRY(study->Enqueue({{"x", ParamValue(options.Number("x", 0))}}));
    return {};
  }
  if (command == "run") return RunTrials(*study, options);
  if (command == "bench") return Bench(*study, clock, options);
  if (command == "show") {
    for (const TrialPtr& trial : TW_TRY(study->Trials())) Show(*trial);
    return {};
  }
  if (command == "best") {
    for (const TrialPtr& trial : TW_TRY(study->BestTrials())) fmt::print("{}\n", trial->number);
    return {};
  }
  return Error{ErrorCode::kUsage, fmt::format("unknown command '{}'", command)};
}

}  // namespace

int main(int argc, char** argv) {
  SetUpLog(LogLevel::kWarn);
  const Status done = Main(argc, argv);
  if (done.ok()) return 0;
  fmt::print(stderr, "error: {}\n", done.error().message);
  return 1;
}
