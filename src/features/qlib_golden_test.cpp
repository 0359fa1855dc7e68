#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "features/feature_set.h"
#include "features/internal/program.h"

namespace tw::features {
namespace {

using internal::Executor;
using internal::Field;
using internal::Program;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::vector<double> Column(const nlohmann::json& values) {
  std::vector<double> column;
  for (const auto& value : values)
    column.push_back(value.is_null()     ? kNaN
                     : value.is_string() ? std::stod(value.get<std::string>())
                                         : value.get<double>());
  return column;
}

/// One formula over columns that begin at an absolute row, before it is cut to float32.
std::vector<double> RunFormula(const std::string& formula, const nlohmann::json& golden) {
  auto program = std::make_shared<Program>();
  const auto node = internal::ParseFormula(formula, program->graph);
  if (!node.ok()) ADD_FAILURE() << formula << ": " << node.error().message;
  program->outputs.push_back(*node);
  Executor executor(program);
  std::vector<std::vector<double>> columns;
  for (const char* name : {"open", "high", "low", "close", "volume"})
    columns.push_back(Column(golden["columns"][name]));
  const auto rows = static_cast<std::int64_t>(columns[0].size());
  const auto first = golden["first_row"].get<std::int64_t>();
  std::vector<double> result;
  for (std::int64_t row = 0; row < rows;) {
    const int count =
        static_cast<int>(std::min<std::int64_t>(Executor::RowsToRunEnd(first + row), rows - row));
    for (std::size_t f = 0; f < columns.size(); ++f) {
      std::copy_n(columns[f].begin() + row, count, executor.Input(static_cast<Field>(f)).begin());
    }
    executor.Run(first + row, count);
    result.insert(result.end(), executor.Output(0), executor.Output(0) + count);
    row += count;
  }
  return result;
}

class QlibGoldenTest : public testing::Test {
 protected:
  static nlohmann::json Golden() {
    return nlohmann::json::parse(
        ReadFile(std::string(TW_SOURCE_DIR) + "/tests/golden/features/qlib_expressions.json")
            .value());
  }
};

// float64 on both sides. pandas' running sums keep a rounding residue of every value that passed,
// about 1e-16 of the level (1.1) in each sum; ours do not. It shows in what cancels: 1e-12 in
// deviations and slopes, more where those are divided by, 1e-9 in correlations of prices. An EMA
// here forgets what weighs less than kEmaTail = 1e-9 at a block's start. Everything else agrees to
// a few units of the last place.
double Tolerance(const std::string& formula) {
  const auto has = [&formula](const char* part) { return formula.find(part) != std::string::npos; };
  if (has("/Std") || has("Corr") || has("EMA")) return 1e-9;
  return has("Std") || has("Slope") ? 1e-12 : 1e-14;
}

TEST_F(QlibGoldenTest, OperatorsGiveQlibsValues) {
  const nlohmann::json golden = Golden();
  ASSERT_GE(golden["expressions"].size(), 35U);
  for (const auto& item : golden["expressions"]) {
    const auto formula = item["expression"].get<std::string>();
    const std::vector<double> expected = Column(item["values"]);
    const std::vector<double> actual = RunFormula(formula, golden);
    ASSERT_EQ(actual.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      // A slope through one point: 0/0 here, residue / 0 in Qlib.
      const bool unknown = !std::isfinite(expected[i]);
      ASSERT_EQ(std::isnan(actual[i]), unknown)
          << formula << " row " << i << " " << actual[i] << " " << expected[i];
      if (unknown) continue;
      EXPECT_NEAR(actual[i], expected[i], Tolerance(formula) * std::max(1.0, std::abs(expected[i])))
          << formula << " row " << i;
    }
  }
}

}  // namespace
}  // namespace tw::features
