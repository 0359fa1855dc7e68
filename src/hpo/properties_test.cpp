// What must hold for any space and any history.

#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>

#include "hpo/brute_force_sampler.h"
#include "hpo/cma_sampler.h"
#include "hpo/golden_support.h"
#include "hpo/mixture_density.h"
#include "hpo/multi_objective.h"
#include "hpo/nsga2_sampler.h"
#include "hpo/partial_fixed_sampler.h"
#include "hpo/pruners.h"
#include "hpo/qmc_sampler.h"
#include "hpo/random_sampler.h"
#include "hpo/tpe_sampler.h"
#include "hpo/unit_space.h"

namespace tw::hpo {
namespace {

using testing::StudyInMemory;

/// Any valid distribution with more than one value.
Distribution AnyDistribution() {
  const int kind = *rc::gen::inRange(0, 5);
  if (kind == 0) {
    const double low = *rc::gen::inRange(-1000, 1000) / 7.0;
    return Distribution::Float(low, low + *rc::gen::inRange(1, 1'000'000) / 1e4).value();
  }
  if (kind == 1) {
    const double low = std::pow(10.0, *rc::gen::inRange(-8, 3));
    return Distribution::Float(low, low * *rc::gen::inRange(2, 100'000), true).value();
  }
  if (kind == 2) {
    const double step = *rc::gen::inRange(1, 100) / 100.0;
    return Distribution::Float(-1, -1 + step * *rc::gen::inRange(1, 60), false, step).value();
  }
  if (kind == 3) {
    const bool log = *rc::gen::arbitrary<bool>();
    const auto low = *rc::gen::inRange<std::int64_t>(log ? 1 : -50, 60);
    const std::int64_t step = log ? 1 : *rc::gen::inRange<std::int64_t>(1, 5);
    return Distribution::Int(low, low + step * *rc::gen::inRange<std::int64_t>(1, 400), log, step)
        .value();
  }
  std::vector<ParamValue> choices;
  const auto count = *rc::gen::inRange<std::int64_t>(2, 6);
  for (std::int64_t i = 0; i < count; ++i) choices.emplace_back(i);
  return Distribution::Categorical(choices).value();
}

/// By the definition: no other trial is as good in every objective and better in one.
std::set<std::int64_t> FrontByDefinition(const std::vector<FrozenTrial>& trials,
                                         const std::vector<Direction>& directions) {
  const auto loss = [&](const FrozenTrial& trial, std::size_t k) {
    return directions[k] == Direction::kMaximize ? -trial.values[k] : trial.values[k];
  };
  std::set<std::int64_t> front;
  for (const FrozenTrial& trial : trials) {
    const bool dominated = std::ranges::any_of(trials, [&](const FrozenTrial& other) {
      bool better = false;
      for (std::size_t k = 0; k < directions.size(); ++k) {
        if (loss(other, k) > loss(trial, k)) return false;
        better = better || loss(other, k) < loss(trial, k);
      }
      return better;
    });
    if (!dominated) front.insert(trial.number);
  }
  return front;
}

RC_GTEST_PROP(StudyPropertyTest, TheBestTrialsAreTheParetoFront, ()) {
  StudyOptions options;
  const auto objectives = *rc::gen::inRange<std::size_t>(1, 5);
  options.directions.clear();
  for (std::size_t k = 0; k < objectives; ++k) {
    options.directions.push_back(*rc::gen::element(Direction::kMinimize, Direction::kMaximize));
  }
  StudyInMemory memory(options);
  std::vector<FrozenTrial> feasible;
  const int count = *rc::gen::inRange(0, 60);
  for (int i = 0; i < count; ++i) {
    FrozenTrial trial;
    trial.state = TrialState::kComplete;
    // Few different values, so that many are equal in some or in all objectives.
    const double infinity = std::numeric_limits<double>::infinity();
    for (std::size_t k = 0; k < objectives; ++k) {
      trial.values.push_back(*rc::gen::weightedElement<double>(
          {{4, 0.0}, {4, 1.5}, {4, -2.0}, {4, 3.25}, {1, infinity}, {1, -infinity}, {1, -0.0}}));
    }
    const bool broken = *rc::gen::weightedElement<bool>({{1, true}, {6, false}});
    if (broken) trial.system_attrs.emplace("constraints", "[0.5]");
    trial = memory.study->AddTrial(trial).value();
    if (!broken) feasible.push_back(trial);
  }
  std::vector<std::int64_t> numbers;
  for (const TrialPtr& trial : memory.study->BestTrials().value()) numbers.push_back(trial->number);
  RC_ASSERT(std::ranges::is_sorted(numbers));
  RC_ASSERT(std::set<std::int64_t>(numbers.begin(), numbers.end()) ==
            FrontByDefinition(feasible, options.directions));
}

RC_GTEST_PROP(DistributionPropertyTest, JsonReadsBackAsTheSame, ()) {
  const Distribution distribution = AnyDistribution();
  RC_ASSERT(Distribution::FromJson(distribution.ToJson()).value() == distribution);
}

RC_GTEST_PROP(DistributionPropertyTest, EveryDrawBelongsToTheDistribution, ()) {
  const Distribution distribution = AnyDistribution();
  const double u = *rc::gen::inRange(0, 1'000'000) / 1e6;
  const double value = UniformValue(distribution, u);
  RC_ASSERT(distribution.Contains(value));
  RC_ASSERT(distribution.ToInternal(distribution.ToExternal(value)).value() == value);
  if (!distribution.is_numeric()) return;
  // There and back again, up to the rounding of steps.
  const double unit = ToUnit(distribution, value);
  RC_ASSERT(unit >= -1e-9);
  RC_ASSERT(unit <= 1 + 1e-9);
  RC_ASSERT(std::abs(FromUnit(distribution, unit) - value) <=
            1e-9 * std::max(1.0, std::abs(value)));
}

RC_GTEST_PROP(ValuePropertyTest, TextsReadBack, ()) {
  std::string text;
  for (const char c : *rc::gen::container<std::string>(rc::gen::inRange<char>(1, 127))) text += c;
  RC_ASSERT(std::get<std::string>(ValueFromJson(ToJson(ParamValue(text))).value()) == text);
  const double number = *rc::gen::arbitrary<double>();
  RC_ASSERT(SameValue(ValueFromJson(ToJson(number)).value(), number));
}

/// A space where the choice of branch decides what follows.
Result<Outcome> Conditional(Trial& trial, const std::vector<Distribution>& distributions) {
  double sum = 0;
  for (std::size_t i = 0; i < distributions.size(); ++i) {
    const double value = TW_TRY(trial.Suggest("p" + std::to_string(i), distributions[i]));
    EXPECT_TRUE(distributions[i].Contains(value)) << distributions[i].PythonRepr() << value;
    const double unit = distributions[i].is_numeric() ? ToUnit(distributions[i], value) : value;
    sum += (unit - 0.3) * (unit - 0.3);
    if (i == 0 && unit > 0.5) return Outcome::Complete(sum);
  }
  if (trial.number() % 7 == 3) return Outcome::Pruned();
  if (trial.number() % 11 == 5) return Outcome::Failed();
  TW_TRY(trial.SetConstraints({sum - 1}));
  return Outcome::Complete(sum);
}

std::shared_ptr<Sampler> AnySampler(int kind) {
  TpeOptions tpe;
  tpe.seed = 5;
  if (kind == 1) tpe.multivariate = false;
  if (kind == 2) tpe.group = true;
  if (kind <= 2) return std::make_shared<TpeSampler>(tpe);
  CmaSamplerOptions cma;
  cma.with_margin = kind == 4;
  if (kind <= 4) return std::make_shared<CmaSampler>(cma);
  return std::make_shared<QmcSampler>(QmcOptions{});
}

RC_GTEST_PROP(SamplerPropertyTest, SuggestionsStayInsideAndAContinuedStudyIsTheSame, ()) {
  std::vector<Distribution> distributions;
  for (int i = *rc::gen::inRange(1, 4); i > 0; --i) distributions.push_back(AnyDistribution());
  const int kind = *rc::gen::inRange(0, 6);
  const auto run = [&](std::int64_t at_once) {
    StudyOptions options;
    options.name = "s1";
    options.sampler = AnySampler(kind);
    const StudyInMemory memory(options);
    for (std::int64_t done = 0; done < 40; done += at_once) {
      // Another process: nothing is kept but the storage.
      options.sampler = AnySampler(kind);
      auto study = Study::Load(memory.storage, memory.clock, options).value();
      OptimizeOptions optimize;
      optimize.n_trials = at_once;
      const auto objective = [&](Trial& trial) { return Conditional(trial, distributions); };
      EXPECT_TRUE(study->Optimize(objective, optimize).ok());
    }
    std::vector<double> values;
    for (const TrialPtr& trial : memory.study->Trials().value()) {
      for (const Param& param : trial->params) values.push_back(param.internal);
    }
    return values;
  };
  RC_ASSERT(run(40) == run(5));
}

TEST(MixtureDensityTest, EqualsTheSumKernelByKernelOnEveryInstructionSet) {
  constexpr std::size_t kDims = 3;
  constexpr std::size_t kBlocks = 21;
  constexpr std::size_t kKernels = kBlocks * internal::kKernelBlock;
  constexpr std::size_t kCandidates = 8;
  Rng rng(3, "test");
  std::vector<double> kernels(kKernels * kDims * 2);
  std::vector<double> constants(kKernels);
  std::vector<double> weights(kKernels);
  std::vector<double> points(kDims * kCandidates);
  std::vector<double> extra(kCandidates * kKernels);
  for (double& v : kernels) v = rng.Uniform(0.5, 30);
  for (double& v : constants) v = rng.Uniform(-5, 5);
  for (double& v : weights) v = rng.Uniform();
  for (double& v : points) v = rng.Uniform();
  for (double& v : extra) v = rng.Uniform(-2, 0);
  constants[7] = -std::numeric_limits<double>::infinity();
  std::vector<double> densities(kCandidates);
  std::vector<double> scratch;
  internal::MixtureArgs args;
  args.blocks = kBlocks;
  args.dims = kDims;
  args.kernels = kernels.data();
  args.constants = constants.data();
  args.weights = weights.data();
  args.candidates = kCandidates;
  args.points = points.data();
  args.extra = extra.data();
  args.log_density = densities.data();
  internal::MixtureLogDensity(args, scratch);
  for (std::size_t c = 0; c < kCandidates; ++c) {
    double sum = 0;
    for (std::size_t k = 0; k < kKernels; ++k) {
      double exponent = constants[k] + extra[c * kKernels + k];
      for (std::size_t d = 0; d < kDims; ++d) {
        const double* kernel =
            kernels.data() +
            ((k / internal::kKernelBlock) * kDims + d) * 2 * internal::kKernelBlock +
            k % internal::kKernelBlock;
        const double t = points[d * kCandidates + c] * kernel[0] - kernel[internal::kKernelBlock];
        exponent -= 0.5 * t * t;
      }
      sum += weights[k] * std::exp(exponent);
    }
    EXPECT_NEAR(densities[c], std::log(sum), 1e-10);
  }
  const std::vector<double> widest = densities;
  internal::ForceAvx2ForTest(true);
  internal::MixtureLogDensity(args, scratch);
  internal::ForceAvx2ForTest(false);
  EXPECT_EQ(densities, widest);
}

TEST(TpeSamplerTest, RunningTrialsKeepOthersAway) {
  StudyOptions options;
  const StudyInMemory memory(options);
  OptimizeOptions optimize;
  optimize.n_trials = 20;
  const auto objective = [](Trial& trial) -> Result<Outcome> {
    const double x = TW_TRY(trial.SuggestFloat("x", 0, 1));
    return Outcome::Complete((x - 0.5) * (x - 0.5));
  };
  ASSERT_TRUE(memory.study->Optimize(objective, optimize).ok());
  std::vector<Trial> running;
  std::set<double> asked;
  for (int i = 0; i < 8; ++i) {
    running.push_back(memory.study->Ask().value());
    asked.insert(running.back().SuggestFloat("x", 0, 1).value());
    // What other workers read while it runs.
    const FrozenTrial seen = memory.storage->GetTrial(running.back().id()).value();
    EXPECT_TRUE(seen.system_attrs.contains("tpe:relative_params:0"));
  }
  EXPECT_EQ(asked.size(), 8U);
  EXPECT_GT(*asked.rbegin() - *asked.begin(), 0.02);
}

/// Hypervolume of 600 trials of two spheres of three parameters.
double VolumeOf(std::shared_ptr<Sampler> sampler, std::unique_ptr<StudyInMemory>& memory) {
  StudyOptions options;
  options.directions = {Direction::kMinimize, Direction::kMinimize};
  options.sampler = std::move(sampler);
  memory = std::make_unique<StudyInMemory>(options);
  OptimizeOptions optimize;
  optimize.n_trials = 600;
  const auto objective = [](Trial& trial) -> Result<Outcome> {
    double first = 0;
    double second = 0;
    for (const char* name : {"x", "y", "z"}) {
      const double v = TW_TRY(trial.SuggestFloat(name, -10, 10));
      first += v * v;
      second += (v - 2) * (v - 2);
    }
    return Outcome::Complete({first, second});
  };
  EXPECT_TRUE(memory->study->Optimize(objective, optimize).ok());
  PointSet points{2, {}};
  for (const TrialPtr& trial : memory->study->Trials().value()) {
    if (trial->values[0] > 30 || trial->values[1] > 30) continue;
    points.values.insert(points.values.end(), trial->values.begin(), trial->values.end());
  }
  return Hypervolume(points, std::vector<double>{30, 30});
}

TEST(Nsga2SamplerTest, BeatsChanceAndSharesItsAttributes) {
  Nsga2Options nsga;
  nsga.population_size = 20;
  std::unique_ptr<StudyInMemory> memory;
  const double chance = VolumeOf(std::make_shared<RandomSampler>(3), memory);
  const double ours = VolumeOf(std::make_shared<Nsga2Sampler>(nsga), memory);
  EXPECT_GT(ours, chance * 1.05);
  const std::vector<TrialPtr> trials = memory->study->Trials().value();
  EXPECT_EQ(trials[0]->system_attrs.at("NSGAIISampler:generation"), "0");
  EXPECT_EQ(trials[20]->system_attrs.at("NSGAIISampler:generation"), "1");
  const StudyInfo info = memory->storage->GetStudy(memory->study->info().id).value();
  EXPECT_EQ(NumbersFromJson(info.system_attrs.at("NSGAIISampler:parent:1")).value().size(), 20U);
}

TEST(BruteForceSamplerTest, TriesEveryLeafOfAConditionalSpaceOnceAndStops) {
  StudyOptions options;
  options.sampler = std::make_shared<BruteForceSampler>(BruteForceOptions{});
  const StudyInMemory memory(options);
  OptimizeOptions optimize;
  optimize.n_trials = 100;
  std::set<std::string> seen;
  const auto started = memory.study->Optimize(
      [&](Trial& trial) -> Result<Outcome> {
        const ParamValue c =
            TW_TRY(trial.SuggestCategorical("c", {std::string("float"), std::string("int")}));
        std::string leaf = TextOf(c);
        if (leaf == "float") {
          leaf += ToJson(TW_TRY(trial.SuggestFloat("x", 1, 3, false, 0.5)));
        } else {
          const std::int64_t a = TW_TRY(trial.SuggestInt("a", 1, 3));
          leaf += std::to_string(a) + "," + std::to_string(TW_TRY(trial.SuggestInt("b", a, 3)));
        }
        EXPECT_TRUE(seen.insert(leaf).second) << leaf;
        return Outcome::Complete(0);
      },
      optimize);
  ASSERT_TRUE(started.ok()) << started.error().message;
  EXPECT_EQ(*started, 11);  // five floats; 3 + 2 + 1 pairs
  EXPECT_EQ(seen.size(), 11U);
}

TEST(PartialFixedSamplerTest, PinsAndLeavesTheRest) {
  StudyOptions options;
  options.sampler = std::make_shared<PartialFixedSampler>(
      std::vector<std::pair<std::string, ParamValue>>{{"x", 0.25}},
      std::make_shared<TpeSampler>(TpeOptions()));
  const StudyInMemory memory(options);
  OptimizeOptions optimize;
  optimize.n_trials = 25;
  std::set<double> free;
  ASSERT_TRUE(memory.study
                  ->Optimize(
                      [&](Trial& trial) -> Result<Outcome> {
                        EXPECT_EQ(TW_TRY(trial.SuggestFloat("x", 0, 1)), 0.25);
                        free.insert(TW_TRY(trial.SuggestFloat("y", 0, 1)));
                        return Outcome::Complete(*free.rbegin());
                      },
                      optimize)
                  .ok());
  EXPECT_EQ(free.size(), 25U);
}

}  // namespace
}  // namespace tw::hpo
