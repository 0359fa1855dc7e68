// Studies in memory: how long they take, and how good they get. bench/peers/hpo runs the same
// beside Optuna and Rustuna.
//   hpo_bench time SAMPLER PARAMETERS TRIALS [OBJECTIVES]      sum of squares; prints seconds
//   hpo_bench quality SAMPLER FIRST_SEED SEEDS [FUNCTION...]   as bench/peers/hpo/quality.py

#include <fmt/core.h>
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <numbers>
#include <string>
#include <vector>

#include "base/clock.h"
#include "hpo/cma_sampler.h"
#include "hpo/memory_storage.h"
#include "hpo/random_sampler.h"
#include "hpo/study.h"
#include "hpo/tpe_sampler.h"

namespace {

using namespace tw;       // NOLINT(google-build-using-namespace): a program of one file
using namespace tw::hpo;  // NOLINT(google-build-using-namespace)

using Function = std::function<Result<double>(Trial&)>;

Result<std::vector<double>> Box(Trial& trial, int dimensions, double low, double high) {
  std::vector<double> x;
  for (int i = 0; i < dimensions; ++i) {
    x.push_back(TW_TRY(trial.SuggestFloat(fmt::format("x{}", i), low, high)));
  }
  return x;
}

Result<double> Sphere(Trial& trial) {
  double sum = 0;
  for (const double x : TW_TRY(Box(trial, 5, -5, 5))) sum += x * x;
  return sum;
}

Result<double> Rosenbrock(Trial& trial) {
  const std::vector<double> x = TW_TRY(Box(trial, 5, -5, 10));
  double sum = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    sum += 100 * std::pow(x[i + 1] - x[i] * x[i], 2) + std::pow(1 - x[i], 2);
  }
  return sum;
}

Result<double> Rastrigin(Trial& trial) {
  double sum = 0;
  for (const double x : TW_TRY(Box(trial, 5, -5.12, 5.12))) {
    sum += x * x - 10 * std::cos(2 * std::numbers::pi * x) + 10;
  }
  return sum;
}

Result<double> Ackley(Trial& trial) {
  double squares = 0;
  double cosines = 0;
  for (const double x : TW_TRY(Box(trial, 10, -32.768, 32.768))) {
    squares += x * x;
    cosines += std::cos(2 * std::numbers::pi * x);
  }
  return 20 + std::numbers::e - 20 * std::exp(-0.2 * std::sqrt(squares / 10)) -
         std::exp(cosines / 10);
}

Result<double> Branin(Trial& trial) {
  const double x = TW_TRY(trial.SuggestFloat("x0", -5, 10));
  const double y = TW_TRY(trial.SuggestFloat("x1", 0, 15));
  constexpr double kPi = std::numbers::pi;
  const double curve = y - 5.1 / (4 * kPi * kPi) * x * x + 5 / kPi * x - 6;
  return curve * curve + 10 * (1 - 1 / (8 * kPi)) * std::cos(x) + 10 - 0.397887357729738;
}

Result<double> Hartmann(Trial& trial) {
  constexpr std::array<double, 4> kAlpha = {1.0, 1.2, 3.0, 3.2};
  constexpr double kA[4][6] = {{10, 3, 17, 3.5, 1.7, 8},
                               {0.05, 10, 17, 0.1, 8, 14},
                               {3, 3.5, 1.7, 10, 17, 8},
                               {17, 8, 0.05, 10, 0.1, 14}};
  constexpr double kP[4][6] = {{1312, 1696, 5569, 124, 8283, 5886},
                               {2329, 4135, 8307, 3736, 1004, 9991},
                               {2348, 1451, 3522, 2883, 3047, 6650},
                               {4047, 8828, 8732, 5743, 1091, 381}};
  const std::vector<double> x = TW_TRY(Box(trial, 6, 0, 1));
  double total = 0;
  for (std::size_t k = 0; k < 4; ++k) {
    double inner = 0;
    for (std::size_t d = 0; d < 6; ++d) inner += kA[k][d] * std::pow(x[d] - 1e-4 * kP[k][d], 2);
    total += kAlpha[k] * std::exp(-inner);
  }
  return 3.32236801141551 - total;
}

Result<double> Mixed(Trial& trial) {
  const double rate = TW_TRY(trial.SuggestFloat("rate", 1e-5, 1, true));
  const auto layers = static_cast<double>(TW_TRY(trial.SuggestInt("layers", 1, 16)));
  const double drop = TW_TRY(trial.SuggestFloat("drop", 0, 0.9, false, 0.1));
  const ParamValue kind = TW_TRY(trial.SuggestCategorical(
      "kind", {std::string("a"), std::string("b"), std::string("c"), std::string("d")}));
  const std::map<std::string, double> offsets = {{"a", 1}, {"b", 0.5}, {"c", 0}, {"d", 2}};
  return std::pow(std::log10(rate) + 3, 2) + std::pow(layers - 7, 2) / 10 +
         4 * std::pow(drop - 0.3, 2) + offsets.at(std::get<std::string>(kind));
}

const std::map<std::string, Function>& Functions() {
  static const std::map<std::string, Function> functions = {
      {"sphere", Sphere}, {"rosenbrock", Rosenbrock}, {"rastrigin", Rastrigin}, {"ackley", Ackley},
      {"branin", Branin}, {"hartmann", Hartmann},     {"mixed", Mixed}};
  return functions;
}

std::shared_ptr<Sampler> SamplerOf(const std::string& name, std::uint64_t seed) {
  TpeOptions tpe;
  tpe.seed = seed;
  if (name == "tpe_univariate") tpe.multivariate = false;
  // Optuna's own draws, to tell chance from a difference.
  if (name == "tpe_numpy") tpe.numpy_seed = static_cast<std::uint32_t>(seed);
  if (name.starts_with("tpe")) return std::make_shared<TpeSampler>(tpe);
  CmaSamplerOptions cma;
  cma.seed = seed;
  if (name == "cmaes") return std::make_shared<CmaSampler>(cma);
  if (name == "random") return std::make_shared<RandomSampler>(seed);
  return nullptr;
}

Result<std::vector<double>> Run(const std::string& sampler, std::uint64_t seed, std::int64_t trials,
                                std::size_t objectives, const Objective& objective) {
  const SystemClock clock;
  StudyOptions options;
  options.name = "bench";
  options.directions.assign(objectives, Direction::kMinimize);
  options.sampler = SamplerOf(sampler, seed);
  if (!options.sampler) return Error{ErrorCode::kUsage, "unknown sampler " + sampler};
  const auto study =
      TW_TRY(Study::Create(std::make_shared<MemoryStorage>(clock), clock, std::move(options)));
  OptimizeOptions run;
  run.n_trials = trials;
  TW_TRY(study->Optimize(objective, run));
  std::vector<double> values;
  for (const TrialPtr& trial : TW_TRY(study->Trials())) values.push_back(trial->values.at(0));
  return values;
}

/// Of this process so far, user and system: what a busy machine does not stretch.
double ProcessorSeconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

Status Time(const std::string& sampler, int parameters, std::int64_t trials,
            std::size_t objectives) {
  std::vector<std::string> names;
  for (int i = 0; i < parameters; ++i) names.push_back(fmt::format("x{}", i));
  const SystemClock clock;
  const std::int64_t begin = clock.MonotonicNanos();
  const double processor_begin = ProcessorSeconds();
  const auto objective = [&](Trial& trial) -> Result<Outcome> {
    double sum = 0;
    double shifted = 0;
    for (const std::string& name : names) {
      const double x = TW_TRY(trial.SuggestFloat(name, -5, 5));
      sum += x * x;
      shifted += (x - 2) * (x - 2);
    }
    return objectives == 1 ? Outcome::Complete(sum) : Outcome::Complete({sum, shifted});
  };
  const auto values = TW_TRY(Run(sampler, 0, trials, objectives, objective));
  const double processor = ProcessorSeconds() - processor_begin;
  const double seconds = static_cast<double>(clock.MonotonicNanos() - begin) * 1e-9;
  fmt::print(
      "{{\"who\": \"tradewind\", \"sampler\": \"{}\", \"parameters\": {}, \"trials\": {}, "
      "\"objectives\": {}, \"seconds\": {:.6f}, \"processor_seconds\": {:.6f}, \"best\": {}}}\n",
      sampler, parameters, trials, objectives, seconds, processor,
      *std::min_element(values.begin(), values.end()));
  return {};
}

Status Quality(const std::string& sampler, int first, int seeds,
               const std::vector<std::string>& names) {
  for (const std::string& name : names) {
    const Function& function = Functions().at(name);
    const auto objective = [&](Trial& trial) -> Result<Outcome> {
      return Outcome::Complete(TW_TRY(function(trial)));
    };
    for (int seed = first; seed < first + seeds; ++seed) {
      const auto values = TW_TRY(Run(sampler, static_cast<std::uint64_t>(seed), 300, 1, objective));
      const auto best = [&](std::ptrdiff_t budget) {
        return *std::min_element(values.begin(), values.begin() + budget);
      };
      fmt::print(
          "{{\"who\": \"tradewind\", \"sampler\": \"{}\", \"function\": \"{}\", \"seed\": "
          "{}, \"best\": [{}, {}, {}]}}\n",
          sampler, name, seed, best(30), best(100), best(300));
    }
  }
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> words(argv + 1, argv + argc);
  Status done = Error{ErrorCode::kUsage,
                      "hpo_bench time SAMPLER PARAMETERS TRIALS [OBJECTIVES]\n"
                      "hpo_bench quality SAMPLER FIRST_SEED SEEDS [FUNCTION...]"};
  if (words.size() >= 4 && words[0] == "time") {
    done = Time(words[1], std::stoi(words[2]), std::stoll(words[3]),
                words.size() > 4 ? std::stoul(words[4]) : 1);
  } else if (words.size() >= 4 && words[0] == "quality") {
    std::vector<std::string> names(words.begin() + 4, words.end());
    if (names.empty()) {
      for (const auto& [name, function] : Functions()) names.push_back(name);
    }
    done = Quality(words[1], std::stoi(words[2]), std::stoi(words[3]), names);
  }
  if (!done.ok()) {
    fmt::print(stderr, "{}\n", done.error().message);
    return ExitCodeOf(done.error().code);
  }
  return 0;
}
