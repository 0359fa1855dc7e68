#include "training/model_rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "sim/observation.h"
#include "training/test_market.h"
#include "training/walk_forward.h"

namespace tw::training {
namespace {

/// A model of two agents, made once, with the store that it was trained on.
class ModelRowsTest : public ::testing::Test {
 protected:
  ModelRowsTest() {
    StoreBars(directory_.path(), RandomWalk(1500, 3));
    const SystemClock clock;
    Config config = WithDefaultFeatures(Config::Parse(SmallStyle(), "small.yaml").value()).value();
    StyleConfig style;
    Bind(config.root(), style);
    config.Finish().value();
    data_ = LoadDataset(Store(), style).value();
    outcome_ = RunWalkForward(*data_, style, {}, clock, {}).value();
    const TrainedWindow& window = outcome_.windows.back();
    package_.manifest.name = "small-eurusd";
    package_.manifest.created = "2026-11-23T12:00:00.5Z";
    package_.manifest.run_id = "0123456789abcdef0123456789abcdef";
    package_.manifest.seeds = {1, 2};
    package_.manifest.holdout_from =
        FormatIso(data_->world.open_time[static_cast<std::size_t>(window.test.begin)]);
    package_.style_yaml = config.EffectiveYaml();
    package_.normaliser = window.normaliser;
    package_.members = window.members;
    package_.example.assign(package_.Columns().size() * 2, 0.25F);
  }

  store::Store Store() const { return store::Store::Open(directory_.path()).value(); }

  std::map<std::string, std::string> Files() const {
    std::map<std::string, std::string> files;
    for (const auto& file : package_.Files().value()) files[file.path] = file.content;
    return files;
  }

  const TemporaryDirectory directory_;
  std::optional<Dataset> data_;
  WalkForwardOutcome outcome_;
  ModelPackage package_;
};

TEST_F(ModelRowsTest, AreWhatTheModelSawAndDidBeforeItsHoldout) {
  const ModelRows rows = ObserveModel(package_, Store(), 100'000).value();
  const eval::IndexRange holdout = outcome_.split.holdout;
  const std::int64_t first = data_->features.first_valid_bar;
  ASSERT_EQ(static_cast<std::int64_t>(rows.exposures.size()), holdout.begin - 1 - first);
  const std::size_t width = rows.columns.size();
  ASSERT_EQ(width, static_cast<std::size_t>(data_->features.cols) + sim::kAccountFeatures);
  // The decision at the last close would fill in the holdout.
  // The same decisions as a backtest of those bars takes.
  const TradedStretch traded =
      Trade(*data_, outcome_.windows.back(), {first + 1, holdout.begin}).value();
  for (std::size_t i = 0; i < rows.exposures.size(); ++i) {
    ASSERT_EQ(static_cast<double>(rows.exposures[i]), traded.targets[i]) << i;
    const auto bar = first + static_cast<std::int64_t>(i);
    ASSERT_EQ(rows.times[i], data_->world.close_time[static_cast<std::size_t>(bar)]);
    ASSERT_TRUE(
        std::ranges::equal(data_->features.row(bar),
                           std::span<const float>(rows.observations)
                               .subspan(i * width, static_cast<std::size_t>(data_->features.cols))))
        << i;
  }
  EXPECT_EQ(rows.observations[width - 4], 0.0F);  // flat at first
}

TEST_F(ModelRowsTest, AreSpreadWhenThereAreTooMany) {
  const ModelRows all = ObserveModel(package_, Store(), 100'000).value();
  const ModelRows some = ObserveModel(package_, Store(), 10).value();
  ASSERT_EQ(some.exposures.size(), 10U);
  EXPECT_EQ(some.times.front(), all.times.front());
  EXPECT_EQ(some.times[5], all.times[all.times.size() / 2]);
  EXPECT_TRUE(std::ranges::is_sorted(some.times));
  EXPECT_FALSE(ObserveModel(package_, Store(), 0).ok());
  package_.manifest.holdout_from = "2015-01-05T00:00:00Z";
  EXPECT_EQ(ObserveModel(package_, Store(), 10).error().code, ErrorCode::kNotFound);
}

TEST_F(ModelRowsTest, APackageHoldsWhatMlflowNeedsAndTheHashOfEveryFile) {
  const auto files = Files();
  for (const char* name : {"MLmodel", "model.onnx", "requirements.txt", "python_env.yaml",
                           "conda.yaml", "input_example.json", "serving_input_example.json"}) {
    EXPECT_TRUE(files.contains(name)) << name;
  }
  const auto manifest = nlohmann::json::parse(files.at("manifest.json"));
  EXPECT_EQ(manifest["files"].size(), files.size() - 1);
  for (const auto& [name, content] : files) {
    if (name == "manifest.json") continue;
    EXPECT_EQ(manifest["files"][name], Sha256Hex(content)) << name;
  }
  EXPECT_EQ(manifest["columns"].size(), package_.Columns().size());
  EXPECT_EQ(manifest["action"], "discrete");
  const std::string& mlmodel = files.at("MLmodel");
  for (const char* line : {"run_id: \"0123456789abcdef0123456789abcdef\"\n",
                           "utc_time_created: '2026-11-23 12:00:00.500000'\n",
                           "  - \"account.cost_to_trade\"\n", "    loader_module: mlflow.onnx\n"}) {
    EXPECT_NE(mlmodel.find(line), std::string::npos) << line;
  }
  EXPECT_EQ(files, Files());  // the same bytes again
  EXPECT_EQ(nlohmann::json::parse(files.at("input_example.json")).size(), 2U);
}

TEST_F(ModelRowsTest, ModelsOfTheFirstSchemaAreStillRead) {
  auto files = Files();
  auto manifest = nlohmann::json::parse(files["manifest.json"]);
  manifest["schema"] = 1;
  for (const char* later : {"program_sha256", "kernel", "columns", "action"}) manifest.erase(later);
  const auto read = [&](const std::string& name) -> Result<std::string> {
    return name == "manifest.json" ? manifest.dump() : files.at(name);
  };
  EXPECT_TRUE(ModelPackage::FromFiles(read).ok());
  manifest["schema"] = 3;
  EXPECT_EQ(ModelPackage::FromFiles(read).error().code, ErrorCode::kUnsupported);
}

TEST_F(ModelRowsTest, MembersThatDoNotFitAreNoPackage) {
  package_.normaliser.center.pop_back();
  package_.normaliser.scale.pop_back();
  EXPECT_EQ(package_.Files().error().code, ErrorCode::kBadData);
  package_.members.clear();
  EXPECT_EQ(package_.Files().error().code, ErrorCode::kBadData);
}

TEST(NpyFileTest, HasTheLayoutOfNumPysFormat) {
  const std::vector<float> values = {1.5F, -2.0F, 3.0F, 4.0F, 5.0F, 6.0F};
  const std::string file = NpyFile(values, 3, 2);
  // numpy.lib.format 1.0: magic, version, little-endian header length, dictionary, data at 64 k.
  const std::string dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }";
  ASSERT_EQ(file.size(), 128U + 24U);
  EXPECT_EQ(file.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_EQ(file.substr(8, 2), std::string("\x76\x00", 2));  // 118
  EXPECT_EQ(file.substr(10, dictionary.size()), dictionary);
  EXPECT_EQ(file[127], '\n');
  EXPECT_EQ(std::memcmp(file.data() + 128, values.data(), 24), 0);
  EXPECT_NE(NpyFile(values, 6, 0).find("'shape': (6,), }"), std::string::npos);
}

}  // namespace
}  // namespace tw::training
