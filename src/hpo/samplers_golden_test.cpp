// Sequences, CMA-ES, grids, pruners, importances and distributions against the real libraries.

#include <cmath>

#include "hpo/cma_es.h"
#include "hpo/golden_support.h"
#include "hpo/grid_sampler.h"
#include "hpo/importance.h"
#include "hpo/low_discrepancy.h"
#include "hpo/pruners.h"
#include "hpo/qmc_sampler.h"
#include "hpo/random_sampler.h"

namespace tw::hpo {
namespace {

using internal::CmaEs;
using testing::Directions;
using testing::ExpectClose;
using testing::Golden;
using testing::Number;
using testing::Numbers;
using testing::ReadGolden;
using testing::StudyInMemory;

TEST(SamplersGoldenTest, SobolAndHaltonAreScipysToTheBit) {
  const Golden golden = ReadGolden("sequences");
  for (const auto& c : golden["sobol"]) {
    for (const auto& [index, point] : c["points"].items()) {
      EXPECT_EQ(SobolPoint(c["d"].get<std::size_t>(), std::stoull(index)), Numbers(point));
    }
  }
  for (const auto& c : golden["halton"]) {
    for (const auto& [index, point] : c["points"].items()) {
      EXPECT_EQ(HaltonPoint(c["d"].get<std::size_t>(), std::stoull(index)), Numbers(point));
    }
  }
}

/// Trial 0 is random; the rest are the sequence's points and the counter that Python shares.
TEST(SamplersGoldenTest, QmcStudiesShareTheSequenceWithPython) {
  const Golden golden = ReadGolden("sequences");
  for (const auto& run : golden["studies"]) {
    QmcOptions qmc;
    qmc.type = run["type"] == "sobol" ? QmcType::kSobol : QmcType::kHalton;
    StudyOptions options;
    options.sampler = std::make_shared<QmcSampler>(qmc);
    const StudyInMemory memory(options);
    OptimizeOptions optimize;
    optimize.n_trials = static_cast<std::int64_t>(run["params"].size());
    ASSERT_TRUE(
        memory.study
            ->Optimize(
                [](Trial& trial) -> Result<Outcome> {
                  TW_TRY(trial.SuggestFloat("x", 0, 1));
                  TW_TRY(trial.SuggestInt("a", 1, 100, true));
                  TW_TRY(trial.SuggestInt("n", 0, 10, false, 5));
                  TW_TRY(trial.SuggestFloat("s", 0, 1, false, 0.25));
                  TW_TRY(trial.SuggestCategorical(
                      "c", {std::string("u"), std::string("it's"), std::monostate{}, 1.5, true}));
                  return Outcome::Complete(0);
                },
                optimize)
            .ok());
    const std::vector<TrialPtr> trials = memory.study->Trials().value();
    for (std::size_t t = 1; t < trials.size(); ++t) {
      for (std::size_t i = 0; i < trials[t]->params.size(); ++i) {
        ExpectClose(trials[t]->params[i].internal, Number(run["params"][t][i][1]), 1e-14,
                    run["type"].get<std::string>() + std::to_string(t));
      }
    }
    const StudyInfo info = memory.storage->GetStudy(memory.study->info().id).value();
    for (const auto& [key, value] : run["attrs"].items()) {
      ASSERT_TRUE(info.system_attrs.contains(key)) << key;
      EXPECT_EQ(info.system_attrs.at(key), value.dump());
    }
  }
}

void CheckRates(const internal::CmaRates& rates, const Golden& expected) {
  const std::vector<double> ours = {static_cast<double>(rates.population),
                                    rates.mu_eff,
                                    rates.c1,
                                    rates.c_mu,
                                    rates.c_sigma,
                                    rates.d_sigma,
                                    rates.c_c};
  ExpectClose(ours, Numbers(expected), 1e-13, "rates");
}

TEST(SamplersGoldenTest, CmaEsFollowsTheReferencePackage) {
  const Golden golden = ReadGolden("cma");
  for (const auto& c : golden["rates"]) {
    const auto n = c["n"].get<std::size_t>();
    CheckRates(internal::RatesOf(n, 0, false), c["full"]);
    CheckRates(internal::RatesOf(n, 0, true), c["separable"]);
    ExpectClose(internal::RatesOf(n, 0, false).weights, Numbers(c["weights"]), 1e-13, "weights");
  }
  for (const auto& run : golden["runs"]) {
    const auto kind = run["kind"].get<std::string>();
    internal::CmaOptions options;
    options.separable = kind == "separable";
    options.lr_adapt = kind == "lr_adapt";
    options.steps = Numbers(run["steps"]);
    CmaEs cma({std::vector<double>(4, 0.5), 1.0 / 6, {}}, options);
    for (std::size_t g = 0; g < run["told"].size(); ++g) {
      CmaEs::Solutions solutions;
      for (const auto& s : run["told"][g]) solutions.emplace_back(Numbers(s[0]), Number(s[1]));
      cma.Tell(solutions);
      const auto& state = run["states"][g];
      const std::string what = kind + " generation " + std::to_string(g);
      ExpectClose(cma.mean(), Numbers(state["mean"]), 1e-9, what + " mean");
      ExpectClose(cma.sigma(), Number(state["sigma"]), 1e-9, what + " sigma");
      std::vector<double> covariance;
      for (const auto& row : state["covariance"]) {
        for (const double value : Numbers(row)) covariance.push_back(value);
      }
      ExpectClose(cma.covariance(), covariance, 1e-8, what + " covariance");
    }
  }
  CmaEs::Solutions solutions;
  for (const auto& s : golden["warm"]["solutions"]) {
    solutions.emplace_back(Numbers(s[0]), Number(s[1]));
  }
  const auto start = internal::WarmStart(solutions);
  ASSERT_TRUE(start.has_value());
  ExpectClose(start->mean, Numbers(golden["warm"]["mean"]), 1e-12, "warm mean");
  ExpectClose(start->sigma, Number(golden["warm"]["sigma"]), 1e-10, "warm sigma");
}

std::shared_ptr<Pruner> PrunerOf(const std::string& name) {
  PercentileOptions percentile;
  if (name == "median") {
    percentile.n_startup_trials = 3;
    percentile.n_warmup_steps = 1;
    percentile.interval_steps = 2;
    return MakeMedianPruner(percentile).value();
  }
  if (name == "percentile") {
    percentile.percentile = 25;
    percentile.n_startup_trials = 2;
    percentile.n_min_trials = 2;
    return MakePercentilePruner(percentile).value();
  }
  SuccessiveHalvingOptions halving;
  if (name == "halving_auto") return MakeSuccessiveHalvingPruner().value();
  halving.min_resource = 1;
  halving.reduction_factor = 2;
  if (name == "halving") return MakeSuccessiveHalvingPruner(halving).value();
  halving.bootstrap_count = 3;
  if (name == "halving_bootstrap") return MakeSuccessiveHalvingPruner(halving).value();
  HyperbandOptions hyperband;
  if (name == "hyperband_auto") return MakeHyperbandPruner().value();
  hyperband.max_resource = 9;
  if (name == "hyperband") return MakeHyperbandPruner(hyperband).value();
  percentile.n_startup_trials = 2;
  if (name == "patient") {
    return MakePatientPruner(MakeMedianPruner(percentile).value(), 2, 0.05).value();
  }
  if (name == "patient_alone") return MakePatientPruner(nullptr, 1).value();
  ThresholdOptions threshold;
  threshold.lower = -1;
  threshold.upper = 1.5;
  threshold.n_warmup_steps = 1;
  threshold.interval_steps = 2;
  if (name == "threshold") return MakeThresholdPruner(threshold).value();
  return MakeWilcoxonPruner(0.2).value();
}

/// Reports one curve; true when it was pruned. Appends the decisions.
bool Follow(Trial& trial, const std::vector<double>& curve, std::vector<bool>& decisions) {
  for (std::size_t step = 0; step < curve.size(); ++step) {
    EXPECT_TRUE(trial.Report(curve[step], static_cast<std::int64_t>(step)).ok());
    decisions.push_back(trial.ShouldPrune().value());
    if (decisions.back()) return true;
  }
  return false;
}

double MeanOf(const std::vector<double>& curve) {
  double sum = 0;
  double count = 0;
  for (const double value : curve) {
    if (std::isnan(value)) continue;
    sum += value;
    ++count;
  }
  return sum / count;
}

TEST(SamplersGoldenTest, PrunersDecideAsOptunas) {
  const Golden golden = ReadGolden("pruners");
  for (const auto& run : golden["runs"]) {
    const auto name = run["pruner"].get<std::string>();
    StudyOptions options;
    options.directions = Directions(Golden::array({run["direction"]}));
    options.pruner = PrunerOf(name);
    options.sampler = std::make_shared<RandomSampler>(1);
    const StudyInMemory memory(options);
    for (std::size_t t = 0; t < run["curves"].size(); ++t) {
      const std::vector<double> curve = Numbers(run["curves"][t]);
      Trial trial = memory.study->Ask().value();
      std::vector<bool> decisions;
      const bool pruned = Follow(trial, curve, decisions);
      EXPECT_EQ(decisions, run["decisions"][t].get<std::vector<bool>>())
          << name << " " << run["direction"] << " trial " << t;
      const Outcome outcome = pruned ? Outcome::Pruned() : Outcome::Complete(MeanOf(curve));
      ASSERT_TRUE(memory.study->Tell(trial, outcome).ok());
      const FrozenTrial after = memory.storage->GetTrial(trial.id()).value();
      EXPECT_EQ(after.system_attrs.size(), run["rungs"][t].size()) << name << t;
      for (const auto& [key, value] : run["rungs"][t].items()) {
        EXPECT_EQ(NumberFromJson(after.system_attrs.at(key)).value(), Number(value));
      }
    }
  }
}

TEST(SamplersGoldenTest, WilcoxonIsScipys) {
  const Golden golden = ReadGolden("pruners");
  for (const auto& c : golden["wilcoxon"]) {
    const SignedRank ours =
        WilcoxonSignedRank(Numbers(c["differences"]), c["alternative"] == "greater");
    EXPECT_DOUBLE_EQ(ours.statistic, Number(c["statistic"])) << c.dump();
    ExpectClose(ours.p_value, Number(c["p"]), 1e-12, c.dump());
  }
}

TEST(SamplersGoldenTest, HyperbandBracketsOfTheReference) {
  HyperbandOptions options;
  const std::vector<std::int64_t> budgets = HyperbandBudgets(options, 81);
  EXPECT_EQ(budgets, (std::vector<std::int64_t>{81, 34, 15, 8, 5}));
  std::vector<std::size_t> brackets;
  for (int t = 0; t < 12; ++t) brackets.push_back(HyperbandBracket("s1", t, budgets));
  EXPECT_EQ(brackets, (std::vector<std::size_t>{0, 2, 1, 0, 0, 1, 2, 0, 1, 0, 3, 0}));
}

TEST(SamplersGoldenTest, GridsAreTriedInPythonsOrder) {
  const std::vector<ParamValue> b = {std::string("u"), std::monostate{}, std::int64_t{2}};
  for (const auto& run : ReadGolden("grid")) {
    GridSampler::Grid grid = {
        {"b", b},
        {"a", {0.1, 0.2}},
        {"c", {std::int64_t{1}, std::int64_t{2}, std::int64_t{3}, std::int64_t{4}}}};
    StudyOptions options;
    options.sampler = GridSampler::Create(grid, run["seed"].get<std::uint32_t>()).value();
    const StudyInMemory memory(options);
    OptimizeOptions optimize;
    optimize.n_trials = 100;
    const auto objective = [&](Trial& trial) -> Result<Outcome> {
      TW_TRY(trial.SuggestCategorical("b", b));
      TW_TRY(trial.SuggestFloat("a", 0, 1));
      TW_TRY(trial.SuggestInt("c", 1, 4));
      return Outcome::Complete(0);
    };
    EXPECT_EQ(memory.study->Optimize(objective, optimize).value(), run["count"].get<int>());
    const std::vector<TrialPtr> trials = memory.study->Trials().value();
    for (std::size_t t = 0; t < trials.size(); ++t) {
      std::string point;
      for (const Param& param : trials[t]->params) point += ToJson(param.value()) + " ";
      std::string expected;
      for (const auto& value : run["points"][t]) expected += value.dump() + " ";
      EXPECT_EQ(point, expected);
    }
    EXPECT_EQ(Golden::parse(trials[0]->system_attrs.at("search_space")),
              run["attrs"]["search_space"]);
  }
}

std::vector<TrialPtr> TrialsOf(const Golden& json) {
  std::vector<TrialPtr> trials;
  for (const auto& item : json) {
    auto trial = std::make_shared<FrozenTrial>();
    trial->state = TrialState::kComplete;
    trial->number = static_cast<std::int64_t>(trials.size());
    trial->values = Numbers(item["values"]);
    for (const auto& param : item["params"]) {
      trial->params.push_back({param[0].get<std::string>(),
                               Distribution::FromJson(param[1].get<std::string>()).value(),
                               Number(param[2])});
    }
    trials.push_back(trial);
  }
  return trials;
}

std::map<std::string, double> ByName(const Importances& importances) {
  return {importances.begin(), importances.end()};
}

void CheckPedAnova(const StudyInfo& study, const std::vector<TrialPtr>& trials,
                   const Golden& result) {
  ImportanceOptions options;
  options.target_quantile = Number(result["quantiles"][0]);
  options.region_quantile = Number(result["quantiles"][1]);
  for (const bool normalise : {false, true}) {
    options.normalise = normalise;
    const Golden& expected = result[normalise ? "normalised" : "raw"];
    const auto ours = ByName(ParamImportances(study, trials, options).value());
    ASSERT_EQ(ours.size(), expected.size());
    for (const auto& [name, value] : expected.items()) {
      ExpectClose(ours.at(name), Number(value), 1e-9, name + result["quantiles"].dump());
    }
  }
}

TEST(SamplersGoldenTest, Importances) {
  for (const auto& c : ReadGolden("importances")) {
    StudyInfo study;
    study.directions = Directions(c["directions"]);
    const std::vector<TrialPtr> trials = TrialsOf(c["trials"]);
    for (const auto& result : c["results"]) {
      if (result["method"] == "ped_anova") {
        CheckPedAnova(study, trials, result);
        continue;
      }
      ImportanceOptions options;
      options.method = result["method"] == "fanova" ? ImportanceMethod::kFanova
                                                    : ImportanceMethod::kMeanDecreaseImpurity;
      const auto ours = ByName(ParamImportances(study, trials, options).value());
      for (const auto& [name, mean] : result["mean"].items()) {
        // Another forest: as far off as other seeds of scikit-learn's are, with room for the
        // estimate of that spread from ten seeds.
        EXPECT_NEAR(ours.at(name), Number(mean), 5 * Number(result["sd"][name]) + 0.005)
            << result["method"] << " " << name;
      }
    }
  }
}

TEST(SamplersGoldenTest, DistributionsReadAndWriteAsPythons) {
  for (const auto& c : ReadGolden("distributions")) {
    const auto json = c["json"].get<std::string>();
    const Result<Distribution> read = Distribution::FromJson(json);
    ASSERT_TRUE(read.ok()) << read.error().message;
    EXPECT_EQ(read->ToJson(), json);
    EXPECT_EQ(read->PythonRepr(), c["repr"].get<std::string>());
    EXPECT_EQ(read->IsSingle(), c["single"].get<bool>());
    if (read->is_numeric()) {
      EXPECT_EQ(read->high(), Number(c["high"]));
    }
  }
}

}  // namespace
}  // namespace tw::hpo
