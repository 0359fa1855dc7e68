// TPE piece by piece, and whole studies draw by draw, against Optuna 5.0.0.

#include <algorithm>
#include <cmath>
#include <set>

#include "hpo/golden_support.h"
#include "hpo/multi_objective.h"
#include "hpo/observation_table.h"
#include "hpo/parzen_estimator.h"
#include "hpo/tpe_sampler.h"
#include "hpo/truncated_normal.h"

namespace tw::hpo {
namespace {

using internal::ObservationTable;
using internal::ObservationView;
using internal::ParzenEstimator;
using testing::Directions;
using testing::ExpectClose;
using testing::Golden;
using testing::Number;
using testing::Numbers;
using testing::ReadGolden;
using testing::StudyInMemory;

TEST(TpeGoldenTest, TruncatedNormal) {
  const Golden golden = ReadGolden("truncated_normal");
  for (const auto& c : golden["cases"]) {
    const double a = Number(c["a"]);
    const double b = Number(c["b"]);
    ExpectClose(LogNormalMass(a, b), Number(c["log_mass"]), 1e-13, c.dump());
    for (const auto& q : c["quantiles"]) {
      // Optuna's Newton iteration ends at a relative step of 1e-8, next to its root at 1e-16.
      ExpectClose(TruncatedNormalQuantile(Number(q[0]), a, b), Number(q[1]), 1e-9, c.dump());
    }
  }
  for (const auto& pair : golden["normal_quantiles"]) {
    ExpectClose(NormalQuantile(Number(pair[0])), Number(pair[1]), 1e-14, pair.dump());
  }
  for (const auto& pair : golden["log_cdf"]) {
    ExpectClose(LogNormalCdf(Number(pair[0])), Number(pair[1]), 1e-14, pair.dump());
  }
}

struct ParzenCase {
  SearchSpace space;
  std::vector<std::vector<double>> columns;
  std::vector<const double*> pointers;
  std::vector<std::int64_t> order;
  std::vector<std::uint32_t> rows;

  explicit ParzenCase(const Golden& c) {
    for (const auto& [name, json] : c["space"].items()) {
      space.push_back({name, Distribution::FromJson(json.get<std::string>()).value()});
      columns.push_back(Numbers(c["observations"][name]));
    }
    for (const auto& column : columns) pointers.push_back(column.data());
    for (std::size_t i = 0; i < columns.front().size(); ++i) {
      order.push_back(static_cast<std::int64_t>(i));
      rows.push_back(static_cast<std::uint32_t>(i));
    }
  }

  /// Of numeric parameters; a categorical one has no gaps.
  bool HasTies() const {
    for (std::size_t i = 0; i < space.size(); ++i) {
      const std::set<double> distinct(columns[i].begin(), columns[i].end());
      if (space[i].distribution.is_numeric() && distinct.size() < columns[i].size()) return true;
    }
    return false;
  }

  ObservationView view() const { return {pointers, order.data()}; }
};

internal::ParzenOptions OptionsOf(const Golden& json) {
  internal::ParzenOptions options;
  options.endpoints = json.value("consider_endpoints", false);
  options.magic_clip = json.value("consider_magic_clip", true);
  return options;
}

std::vector<double> Flatten(const SearchSpace& space, const Golden& by_name) {
  std::vector<double> flat;
  for (const SpaceEntry& entry : space) {
    const std::vector<double> part = Numbers(by_name[entry.name]);
    flat.insert(flat.end(), part.begin(), part.end());
  }
  return flat;
}

void CheckParzen(const Golden& c) {
  const std::string what = c["space"].dump() + c["options"].dump();
  const ParzenCase data(c);
  ParzenEstimator estimator(data.space, OptionsOf(c["options"]));
  estimator.Sync(data.rows, data.view());
  ExpectClose(estimator.Weights(), Numbers(c["weights"]), 1e-13, what + " weights");
  for (std::size_t i = 0; i < data.space.size(); ++i) {
    const auto sigmas = c["sigmas"].find(data.space[i].name);
    if (sigmas == c["sigmas"].end()) continue;
    std::vector<double> widths = estimator.Widths(i);
    std::vector<double> expected = Numbers(*sigmas);
    if (data.HasTies()) {
      // Which of several equal observations gets which gap is left to numpy's unstable sort.
      std::sort(widths.begin(), widths.end());
      std::sort(expected.begin(), expected.end());
    }
    ExpectClose(widths, expected, 1e-9, what + " widths");
  }
  // In one dimension equal kernels of equal weight may swap their widths; jointly they may not.
  if (data.HasTies() && data.space.size() > 1) return;
  const std::size_t count = c["log_pdf"].size();
  std::vector<double> log_pdf(count);
  estimator.LogDensity(Flatten(data.space, c["samples"]).data(), count, log_pdf.data());
  // Far from narrow kernels the exponent is thousands: relative digits are what counts.
  ExpectClose(log_pdf, Numbers(c["log_pdf"]), 1e-9, what + " log density");
  if (data.HasTies()) return;
  LegacyNumpyRng numpy(3);
  UniformSource uniforms(numpy);
  std::vector<double> drawn(data.space.size() * 24);
  estimator.Sample(uniforms, 24, drawn.data());
  ExpectClose(drawn, Flatten(data.space, c["drawn"]), 1e-9, what + " drawn");
}

TEST(TpeGoldenTest, ParzenEstimators) {
  const Golden golden = ReadGolden("parzen");
  for (const auto& c : golden["cases"]) CheckParzen(c);
  for (const auto& [n, weights] : golden["weights"].items()) {
    ExpectClose(internal::DefaultWeights(std::stoul(n)), Numbers(weights), 1e-15, n);
  }
}

TEST(TpeGoldenTest, ModelsThatGrewRowByRowEqualThoseBuiltAtOnce) {
  const Golden golden = ReadGolden("parzen");
  for (const auto& c : golden["cases"]) {
    const ParzenCase data(c);
    ParzenEstimator whole(data.space, OptionsOf(c["options"]));
    whole.Sync(data.rows, data.view());
    // Every row comes alone, and an earlier one leaves and returns in between.
    ParzenEstimator grown(data.space, OptionsOf(c["options"]));
    for (std::size_t n = 1; n <= data.rows.size(); ++n) {
      std::vector<std::uint32_t> rows(data.rows.begin(),
                                      data.rows.begin() + static_cast<std::ptrdiff_t>(n));
      grown.Sync(rows, data.view());
      rows.erase(rows.begin() + static_cast<std::ptrdiff_t>(n / 2));
      if (n % 3 == 0) grown.Sync(rows, data.view());
    }
    grown.Sync(data.rows, data.view());
    for (std::size_t i = 0; i < data.space.size(); ++i) {
      EXPECT_EQ(grown.Widths(i), whole.Widths(i)) << c["space"].dump();
    }
    EXPECT_EQ(grown.Weights(), whole.Weights());
  }
}

FrozenTrial TrialOf(const Golden& json) {
  FrozenTrial trial;
  trial.state = TrialStateFrom(json["state"].get<std::string>()).value();
  trial.values = Numbers(json["values"]);
  for (const auto& report : json["reports"]) {
    trial.intermediate.emplace(report[0].get<std::int64_t>(), Number(report[1]));
  }
  const std::vector<double> constraints = Numbers(json["constraints"]);
  if (!constraints.empty()) trial.system_attrs.emplace("constraints", ToJson(constraints));
  return trial;
}

TEST(TpeGoldenTest, Split) {
  for (const auto& c : ReadGolden("split")) {
    const SystemClock clock;
    MemoryStorage storage(clock);
    StudyInfo info;
    info.directions = Directions(c["directions"]);
    info.id = storage.CreateStudy("s", info.directions).value();
    for (const auto& json : c["trials"]) {
      ASSERT_TRUE(storage.AddTrial(info.id, TrialOf(json)).ok());
    }
    TrialCache cache;
    ASSERT_TRUE(cache.Refresh(storage, info.id).ok());
    ObservationTable table;
    ASSERT_TRUE(table.Update({info, cache, storage}, -1, true, true).ok());
    std::vector<std::uint32_t> below;
    std::vector<std::uint32_t> above;
    table.Select({}, below, above);
    const auto numbers = [&](const std::vector<std::uint32_t>& rows) {
      std::vector<double> list;
      for (const std::uint32_t row : rows) list.push_back(static_cast<double>(table.order()[row]));
      return list;
    };
    EXPECT_EQ(numbers(below), Numbers(c["below"])) << c["trials"].dump();
    EXPECT_EQ(numbers(above), Numbers(c["above"]));
  }
}

Result<std::vector<double>> Evaluate(const std::string& kind, Trial& trial) {
  if (kind == "logged") {
    const double lr = TW_TRY(trial.SuggestFloat("lr", 1e-5, 1e-1, true));
    const double x = TW_TRY(trial.SuggestFloat("x", 0, 1));
    return std::vector<double>{std::pow(std::log10(lr) + 3, 2) + (x - 0.3) * (x - 0.3)};
  }
  if (kind == "categorical") {
    const std::vector<ParamValue> choices = {std::string("a"), std::string("b"), std::monostate{}};
    const ParamValue c = TW_TRY(trial.SuggestCategorical("c", choices));
    const double x = TW_TRY(trial.SuggestFloat("x", 0, 1));
    const double offset = SameValue(c, choices[0]) ? 0 : SameValue(c, choices[1]) ? 0.2 : 0.5;
    return std::vector<double>{offset + (x - 0.3) * (x - 0.3)};
  }
  if (kind == "conditional") {
    const double x = TW_TRY(trial.SuggestFloat("x", 0, 1));
    if (x < 0.5) return std::vector<double>{x + TW_TRY(trial.SuggestFloat("left", 0, 1))};
    const double right = TW_TRY(trial.SuggestFloat("right", -1, 1));
    return std::vector<double>{x + right + TW_TRY(trial.SuggestFloat("right2", 1e-3, 1, true))};
  }
  const double x = TW_TRY(trial.SuggestFloat("x", -5, 5));
  const double y = TW_TRY(trial.SuggestFloat("y", -5, 5));
  if (kind == "constrained") TW_TRY(trial.SetConstraints({1.0 - x - y}));
  std::vector<double> values = {x * x + y * y};
  if (kind == "two" || kind == "three") values = {x * x + y, (x - 2) * (x - 2) + y * y};
  if (kind == "three") values.push_back(-x * y);
  return values;
}

void CheckStudy(const Golden& run) {
  const auto kind = run["objective"].get<std::string>();
  const std::string what = kind + run["options"].dump();
  TpeOptions tpe;
  tpe.numpy_seed = 42;
  tpe.group = run["options"].value("group", false);
  tpe.constant_liar = run["options"].value("constant_liar", true);
  if (run["options"].contains("multivariate")) tpe.multivariate = run["options"]["multivariate"];
  StudyOptions options;
  options.directions = Directions(run["directions"]);
  options.sampler = std::make_shared<TpeSampler>(tpe);
  const StudyInMemory memory(options);
  OptimizeOptions optimize;
  optimize.n_trials = static_cast<std::int64_t>(run["params"].size());
  const auto started = memory.study->Optimize(
      [&](Trial& trial) -> Result<Outcome> {
        return Outcome::Complete(TW_TRY(Evaluate(kind, trial)));
      },
      optimize);
  ASSERT_TRUE(started.ok()) << started.error().message;
  const std::vector<TrialPtr> trials = memory.study->Trials().value();
  for (std::size_t t = 0; t < trials.size(); ++t) {
    const auto& expected = run["params"][t];
    ASSERT_EQ(trials[t]->params.size(), expected.size()) << what << " trial " << t;
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(trials[t]->params[i].name, expected[i][0].get<std::string>());
      ExpectClose(trials[t]->params[i].internal, Number(expected[i][1]), 1e-7,
                  what + " trial " + std::to_string(t));
    }
    if (::testing::Test::HasFailure()) return;  // what follows is another history
  }
}

TEST(TpeGoldenTest, WholeStudiesDrawByDraw) {
  for (const auto& run : ReadGolden("studies")) CheckStudy(run);
}

PointSet PointsOf(const Golden& json) {
  PointSet points;
  for (const auto& row : json) {
    const std::vector<double> values = Numbers(row);
    points.objectives = values.size();
    points.values.insert(points.values.end(), values.begin(), values.end());
  }
  return points;
}

std::vector<double> AsDoubles(const std::vector<std::size_t>& list) {
  return {list.begin(), list.end()};
}

TEST(TpeGoldenTest, MultiObjectiveHelpers) {
  for (const auto& c : ReadGolden("multi_objective")) {
    const PointSet points = PointsOf(c["points"]);
    const std::vector<double> reference = Numbers(c["reference"]);
    ExpectClose(Hypervolume(points, reference), Number(c["hypervolume"]), 1e-12, c.dump());
    for (const auto& [n, ranks] : c["ranks"].items()) {
      EXPECT_EQ(AsDoubles(NonDominationRanks(points, std::stoul(n))), Numbers(ranks)) << c.dump();
    }
    const PointSet front = PointsOf(c["front"]);
    for (const auto& [n, chosen] : c["chosen"].items()) {
      const auto ours = SelectByHypervolume(front, std::stoul(n), reference);
      // Equal points are interchangeable: compare what was chosen by value.
      std::multiset<std::vector<double>> a;
      std::multiset<std::vector<double>> b;
      for (const std::size_t i : ours) a.insert({front.row(i).begin(), front.row(i).end()});
      for (const auto& i : chosen) {
        const auto row = front.row(i.get<std::size_t>());
        b.insert({row.begin(), row.end()});
      }
      EXPECT_EQ(a, b) << c.dump();
    }
  }
}

}  // namespace
}  // namespace tw::hpo
