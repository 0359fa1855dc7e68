#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <limits>
#include <nlohmann/json.hpp>

#include "base/files.h"
#include "base/rng.h"
#include "nn/mlp.h"
#include "rl/mlp_policy.h"
#include "sim/observation.h"
#include "training/model_package.h"
#include "training/model_rows.h"

namespace tw::training {
namespace {

constexpr int kFeatures = 6;
constexpr int kWidth = kFeatures + sim::kAccountFeatures;

std::string RandomMember(bool discrete, bool normalized, Rng& rng) {
  rl::MlpPolicySpec spec;
  spec.observation_width = kWidth;
  const int head = discrete ? 3 : 1;
  if (discrete) {
    spec.action_space.n = head;
  } else {
    spec.action_space = sim::MakeActionSpace(sim::ActionKind::kContinuous);
    spec.log_std = {0.5F};
  }
  spec.activation = normalized ? nn::Activation::kRelu : nn::Activation::kTanh;
  spec.actor = {nn::UniformLinear(kWidth, 32, rng), nn::UniformLinear(32, 16, rng),
                nn::UniformLinear(16, head, rng)};
  for (nn::LinearWeights& layer : spec.actor) {
    // Wide enough that the cut at -1 and 1 is met and every action is taken.
    for (float& weight : layer.weight) weight *= 3;
  }
  spec.critic = {nn::UniformLinear(kWidth, 1, rng)};
  for (int i = 0; normalized && i < kWidth; ++i) {
    spec.normalizer.mean.push_back(static_cast<float>(rng.Normal()));
    spec.normalizer.deviation.push_back(static_cast<float>(rng.Uniform(0.1, 2.0)));
  }
  spec.normalizer.clip = 1.5F;
  return rl::MlpPolicy::Create(std::move(spec)).value()->Save();
}

ModelPackage RandomPackage(bool discrete, bool normalized, std::uint64_t seed) {
  Rng rng(seed, "test.package");
  ModelPackage package;
  package.manifest.name = "random";
  package.manifest.created = "2026-11-23T12:00:00Z";
  package.normaliser.method =
      normalized ? features::Normalisation::kZScore : features::Normalisation::kNone;
  package.normaliser.clip = 1.5;
  for (int i = 0; i < kFeatures; ++i) {
    package.normaliser.names.push_back(fmt::format("feature_{}", i));
    package.normaliser.center.push_back(normalized ? rng.Normal() : 0.0);
    package.normaliser.scale.push_back(normalized ? rng.Uniform(0.1, 2.0) : 1.0);
    package.normaliser.samples.push_back(100);
  }
  for (std::size_t i = 0; i < 3; ++i) {
    package.manifest.seeds.push_back(static_cast<std::int64_t>(i) + 1);
    package.members.push_back(RandomMember(discrete, normalized, rng));
  }
  return package;
}

std::vector<float> RandomRows(std::size_t rows) {
  Rng rng(5, "test.rows");
  std::vector<float> values(rows * kWidth);
  for (float& value : values) value = static_cast<float>(2 * rng.Normal());
  // Features that are not finite; the account's numbers always are.
  const float odd[] = {std::numeric_limits<float>::quiet_NaN(),
                       std::numeric_limits<float>::infinity(),
                       -std::numeric_limits<float>::infinity()};
  for (std::size_t i = 0; i < 30; ++i) values[i * kWidth + i % kFeatures] = odd[i % 3];
  return values;
}

std::vector<float> Exposures(const ModelPackage& package, std::vector<float> rows) {
  const auto policy = package.MakePolicy().value();
  for (std::size_t at = 0; at < rows.size(); at += kWidth) {
    const std::span<float> features = std::span<float>(rows).subspan(at, kFeatures);
    package.normaliser.Apply(features, features);
  }
  std::vector<float> exposures(rows.size() / kWidth);
  policy->ActDeterministic(rows, exposures);
  return exposures;
}

/// With TW_EXPORT_DIR set, leaves packages of random agents there with rows and our answers, for
/// tests/peers/onnx: every kind of agent, with and without normalisers of either sort.
TEST(PackageExportTest, WritesPackagesForOtherPrograms) {
  const char* const directory = std::getenv("TW_EXPORT_DIR");
  if (directory == nullptr) GTEST_SKIP() << "TW_EXPORT_DIR is not set";
  constexpr std::size_t kRows = 500;
  int index = 0;
  for (const bool discrete : {true, false}) {
    for (const bool normalized : {true, false}) {
      const ModelPackage package = RandomPackage(discrete, normalized, 7);
      const std::string folder = fmt::format("{}/package{}", directory, index++);
      ASSERT_TRUE(CreateDirectories(folder).ok());
      const auto files = package.Files().value();
      for (const tracking::ArtifactFile& file : files)
        ASSERT_TRUE(WriteFileAtomically(folder + "/" + file.path, file.content).ok());
      const std::vector<float> rows = RandomRows(kRows);
      ASSERT_TRUE(
          WriteFileAtomically(folder + "/observations.npy", NpyFile(rows, kRows, kWidth)).ok());
      ASSERT_TRUE(WriteFileAtomically(folder + "/exposures.npy",
                                      NpyFile(Exposures(package, rows), kRows, 0))
                      .ok());
    }
  }
}

}  // namespace
}  // namespace tw::training
