#include <fmt/core.h>
#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/files.h"
#include "nn/mlp.h"
#include "nn/safetensors.h"
#include "rl/actor_critic.h"
#include "rl/distributions.h"
#include "rl/envs/classic.h"
#include "rl/evaluate.h"
#include "rl/mlp_policy.h"

namespace tw::rl {
namespace {

/// An actor-critic with random weights.
MlpPolicySpec RandomSpec(bool discrete, bool normalized, int width, int head,
                         std::vector<int> hidden, std::uint64_t seed) {
  Rng rng(seed, "test");
  MlpPolicySpec spec;
  spec.observation_width = width;
  if (discrete) {
    spec.action_space.n = head;
  } else {
    spec.action_space.kind = ActionSpace::Kind::kBox;
    for (int i = 0; i < head; ++i) {
      spec.action_space.low.push_back(-0.1F);
      spec.action_space.high.push_back(0.15F);
      spec.log_std.push_back(static_cast<float>(rng.Uniform(-1.0, 0.5)));
    }
  }
  int inputs = width;
  for (const int outputs : hidden) {
    spec.actor.push_back(nn::UniformLinear(inputs, outputs, rng));
    spec.critic.push_back(nn::UniformLinear(inputs, outputs, rng));
    inputs = outputs;
  }
  spec.actor.push_back(nn::UniformLinear(inputs, head, rng));
  spec.critic.push_back(nn::UniformLinear(inputs, 1, rng));
  for (int i = 0; i < width && normalized; ++i) {
    spec.normalizer.mean.push_back(static_cast<float>(rng.Normal()));
    spec.normalizer.deviation.push_back(static_cast<float>(rng.Uniform(0.1, 2.0)));
  }
  spec.normalizer.clip = 1.5F;
  return spec;
}

MlpPolicySpec GenSpec() {
  const bool discrete = *rc::gen::arbitrary<bool>();
  const auto hidden = *rc::gen::container<std::vector<int>>(*rc::gen::inRange<std::size_t>(0, 3),
                                                            rc::gen::inRange(1, 70));
  return RandomSpec(discrete, *rc::gen::arbitrary<bool>(), *rc::gen::inRange(1, 30),
                    *rc::gen::inRange(1, 20), hidden, *rc::gen::arbitrary<std::uint64_t>());
}

std::vector<float> Observations(std::size_t rows, std::size_t width, std::uint64_t seed) {
  Rng rng(seed, "observations");
  std::vector<float> values(rows * width);
  for (float& value : values) value = static_cast<float>(2 * rng.Normal());
  return values;
}

struct Outputs {
  explicit Outputs(const MlpPolicy& policy, std::size_t rows)
      : actions(rows * static_cast<std::size_t>(policy.action_space().width())),
        values(rows),
        log_probs(rows) {}

  bool operator==(const Outputs&) const = default;

  std::vector<float> actions;
  std::vector<float> values;
  std::vector<float> log_probs;
};

Outputs OutputsOf(MlpPolicy& policy, std::span<const float> observations) {
  Outputs out(policy, observations.size() / static_cast<std::size_t>(policy.observation_width()));
  policy.Evaluate(observations, out.actions, out.values, out.log_probs);
  return out;
}

RC_GTEST_PROP(MlpPolicyTest, FileGivesBackTheSamePolicyAndMetadata, ()) {
  const auto policy = MlpPolicy::Create(GenSpec()).value();
  const std::map<std::string, std::string> metadata = {{"instrument", "EURUSD"},
                                                       {"feature_set", "{\"a\": 1}"}};
  const std::string bytes = policy->Save(metadata);
  std::map<std::string, std::string> read;
  const auto loaded = MlpPolicy::Load(bytes, &read);
  RC_ASSERT(loaded.ok());
  RC_ASSERT(read == metadata);
  const auto width = static_cast<std::size_t>(policy->observation_width());
  const std::vector<float> observations = Observations(11, width, 1);
  RC_ASSERT(OutputsOf(**loaded, observations) == OutputsOf(*policy, observations));
  RC_ASSERT((*loaded)->Save(metadata) == bytes);
}

RC_GTEST_PROP(MlpPolicyTest, RowsDoNotDependOnTheirBatch, ()) {
  const auto policy = MlpPolicy::Create(GenSpec()).value();
  const auto width = static_cast<std::size_t>(policy->observation_width());
  const auto action_width = static_cast<std::size_t>(policy->action_space().width());
  const std::vector<float> observations = Observations(64, width, 2);
  const Outputs all = OutputsOf(*policy, observations);
  for (const std::size_t batch : {std::size_t{1}, std::size_t{7}}) {
    for (std::size_t row = 0; row + batch <= 64; row += batch) {
      const Outputs part = OutputsOf(
          *policy, std::span<const float>(observations).subspan(row * width, batch * width));
      for (std::size_t i = 0; i < batch; ++i) {
        RC_ASSERT(part.values[i] == all.values[row + i]);
        RC_ASSERT(part.log_probs[i] == all.log_probs[row + i]);
        for (std::size_t j = 0; j < action_width; ++j) {
          RC_ASSERT(part.actions[i * action_width + j] ==
                    all.actions[(row + i) * action_width + j]);
        }
      }
    }
  }
}

TEST(MlpPolicyTest, BoxActionsComeClippedAndSamplesFollowTheDensity) {
  const auto policy = MlpPolicy::Create(RandomSpec(false, false, 3, 2, {8}, 4)).value();
  const std::vector<float> observations = Observations(500, 3, 3);
  std::vector<float> actions(1000);
  policy->ActDeterministic(observations, actions);
  for (const float action : actions) {
    EXPECT_GE(action, -0.1F);
    EXPECT_LE(action, 0.15F);
  }
  Rng rng(5, "test");
  policy->ActSampled(observations, actions, rng);
  EXPECT_TRUE(std::ranges::count(actions, -0.1F) > 50);
  EXPECT_TRUE(std::ranges::count(actions, 0.15F) > 50);
}

TEST(MlpPolicyTest, DiscreteSamplesFollowTheProbabilities) {
  const auto policy = MlpPolicy::Create(RandomSpec(true, false, 3, 4, {8}, 6)).value();
  const std::vector<float> one = Observations(1, 3, 4);
  std::vector<float> probabilities(4);
  policy->Probabilities(one, probabilities);
  std::vector<float> action(1);
  std::vector<int> counts(4);
  Rng rng(6, "test");
  constexpr int kDraws = 40'000;
  for (int i = 0; i < kDraws; ++i) {
    policy->ActSampled(one, action, rng);
    ++counts[static_cast<std::size_t>(action[0])];
  }
  for (std::size_t j = 0; j < 4; ++j) {
    const double p = static_cast<double>(probabilities[j]);
    EXPECT_NEAR(counts[j], kDraws * p,
                5 * std::sqrt(kDraws * p * (1 - p)));  // five standard errors
  }
  policy->ActDeterministic(one, action);
  EXPECT_EQ(action[0],
            static_cast<float>(std::ranges::max_element(probabilities) - probabilities.begin()));
}

TEST(MlpPolicyTest, CloneActsAlike) {
  const auto policy = MlpPolicy::Create(RandomSpec(true, true, 5, 3, {16, 16}, 7)).value();
  const auto clone = policy->Clone();
  const std::vector<float> observations = Observations(30, 5, 5);
  std::vector<float> a(30);
  std::vector<float> b(30);
  policy->ActDeterministic(observations, a);
  clone->ActDeterministic(observations, b);
  EXPECT_EQ(a, b);
}

TEST(MlpPolicyTest, RefusesFilesThatDoNotFit) {
  const auto policy = MlpPolicy::Create(RandomSpec(false, true, 3, 2, {8}, 8)).value();
  const nn::TensorFile good = nn::DecodeSafetensors(policy->Save()).value();
  const auto expect_error = [](const nn::TensorFile& file, std::string_view part) {
    const auto loaded = MlpPolicy::Load(nn::EncodeSafetensors(file));
    ASSERT_FALSE(loaded.ok()) << part;
    EXPECT_EQ(loaded.error().code, ErrorCode::kBadData);
    EXPECT_NE(loaded.error().message.find(part), std::string::npos) << loaded.error().message;
  };
  for (const auto& [name, tensor] : good.tensors) {
    nn::TensorFile file = good;
    file.tensors.erase(name);
    EXPECT_FALSE(MlpPolicy::Load(nn::EncodeSafetensors(file)).ok()) << name;
    file = good;
    file.tensors[name].values[0] = std::nanf("");
    EXPECT_FALSE(MlpPolicy::Load(nn::EncodeSafetensors(file)).ok()) << name;
  }
  for (const auto& [key, value] : good.metadata) {
    nn::TensorFile file = good;
    file.metadata.erase(key);
    expect_error(file, key);
  }
  nn::TensorFile file = good;
  file.tensors["extra"] = {{1}, {0.0F}};
  expect_error(file, "'extra' is unknown");
  file = good;
  file.tensors["action_net.bias"] = {{3}, {0, 0, 0}};
  expect_error(file, "actor");
  file = good;
  file.metadata["tradewind.policy.format"] = "mlp_policy/9";
  expect_error(file, "mlp_policy/9");
}

double Length(const std::vector<float>& values) {
  double square = 0;
  for (const float value : values)
    square += static_cast<double>(value) * static_cast<double>(value);
  return std::sqrt(square);
}

TEST(ActorCriticTest, StartsWithStableBaselines3sGains) {
  ActionSpace space;
  space.kind = ActionSpace::Kind::kBox;
  space.low = {-1.0F};
  space.high = {1.0F};
  PpoConfig config;
  config.log_std_init = -0.7;
  ActorCritic network(4, space, config);
  Rng rng(3, "test");
  network.Initialize(rng);
  const MlpPolicySpec spec = network.Export({});
  const double root2 = std::sqrt(2.0);
  for (const auto* layers : {&spec.actor, &spec.critic}) {
    EXPECT_NEAR(Length((*layers)[0].weight), root2 * 2, 1e-4);  // four orthogonal columns
    EXPECT_NEAR(Length((*layers)[1].weight), root2 * 8, 1e-4);  // 64 of them
    for (const nn::LinearWeights& layer : *layers) EXPECT_EQ(Length(layer.bias), 0.0);
  }
  EXPECT_NEAR(Length(spec.actor[2].weight), 0.01, 1e-6);
  EXPECT_NEAR(Length(spec.critic[2].weight), 1.0, 1e-4);
  EXPECT_EQ(spec.log_std, std::vector<float>{-0.7F});

  config.ortho_init = false;
  ActorCritic plain(4, space, config);
  plain.Initialize(rng);
  EXPECT_GT(Length(plain.Export({}).actor[0].bias), 0.5);  // torch's default draws biases too
}

TEST(DistributionTest, NeverSamplesAnImpossibleAction) {
  Rng rng(9, "test");
  const std::vector<float> logits = {-200.0F, 0.0F, -200.0F};
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(SampleCategorical(logits, rng).action, 1);
}

TEST(EvaluateTest, EnvironmentsShareTheEpisodesAsStableBaselines3Does) {
  const auto policy = MlpPolicy::Create(RandomSpec(true, false, 4, 2, {}, 10)).value();
  const auto env = MakeClassicEnv("CartPole-v1", 3).value();
  const EvaluationResult result = EvaluatePolicy(*policy, *env, {.episodes = 7}).value();
  EXPECT_EQ(result.returns.size(), 7U);
  double mean = 0;
  for (std::size_t i = 0; i < 7; ++i) {
    EXPECT_EQ(result.returns[i], static_cast<double>(result.lengths[i]));  // reward 1 a step
    mean += result.returns[i] / 7;
  }
  EXPECT_NEAR(result.mean_reward, mean, 1e-9);
  EXPECT_FALSE(EvaluatePolicy(*policy, *env, {.episodes = 50, .max_steps = 30}).ok());
}

/// With TW_EXPORT_DIR set, leaves models and our outputs there for tests/peers/onnx,
/// which runs them in onnxruntime and reads them by the safetensors library.
TEST(ExportTest, WritesModelsForOtherPrograms) {
  const char* const directory = std::getenv("TW_EXPORT_DIR");
  if (directory == nullptr) GTEST_SKIP() << "TW_EXPORT_DIR is not set";
  int index = 0;
  for (const bool discrete : {true, false}) {
    for (const bool normalized : {true, false}) {
      MlpPolicySpec spec = RandomSpec(discrete, normalized, 6, 3, {64, 32}, 11);
      if (normalized) spec.activation = nn::Activation::kRelu;
      const auto policy = MlpPolicy::Create(spec).value();
      const std::vector<float> observations = Observations(9, 6, 6);
      const Outputs out = OutputsOf(*policy, observations);
      const std::string base = fmt::format("{}/model{}", directory, index++);
      const nlohmann::json record = {{"input", observations}, {"width", 6},
                                     {"discrete", discrete},  {"action", out.actions},
                                     {"value", out.values},   {"log_prob", out.log_probs}};
      ASSERT_TRUE(
          WriteFileAtomically(base + ".onnx", policy->ExportOnnx({{"instrument", "EURUSD"}})).ok());
      ASSERT_TRUE(
          WriteFileAtomically(base + ".safetensors", policy->Save({{"instrument", "EURUSD"}}))
              .ok());
      ASSERT_TRUE(WriteFileAtomically(base + ".json", record.dump()).ok());
    }
  }
}

}  // namespace
}  // namespace tw::rl
