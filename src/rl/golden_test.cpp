// Against Stable-Baselines3 and PyTorch: tests/golden/rl, made by tools/golden/rl. Tolerances: both
// sides compute in float32 and sum in different orders. One pass agrees to a few parts in 1e6; Adam
// divides by the root of the second moment, so that after k steps a parameter whose gradient is
// near the rounding error may be off by some percent of k learning rates.
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "nn/adam.h"
#include "rl/actor_critic.h"
#include "rl/ppo_update.h"
#include "rl/rollout_buffer.h"

namespace tw::rl {
namespace {

using nlohmann::json;

json Golden(const std::string& name) {
  std::ifstream file(std::string(TW_SOURCE_DIR) + "/tests/golden/rl/" + name + ".json");
  EXPECT_TRUE(file.good()) << name;
  return json::parse(file);
}

std::vector<float> Floats(const json& values) { return values.get<std::vector<float>>(); }

std::vector<nn::LinearWeights> Network(const json& weights, const std::string& net,
                                       const std::string& head) {
  std::vector<nn::LinearWeights> layers;
  for (int i = 0;; i += 2) {
    const std::string hidden = "mlp_extractor." + net + "." + std::to_string(i);
    const bool last = !weights.contains(hidden + ".weight");
    const std::string name = last ? head : hidden;
    const json& weight = weights[name + ".weight"];
    layers.push_back({weight["shape"][1].get<int>(), weight["shape"][0].get<int>(),
                      Floats(weight["values"]), Floats(weights[name + ".bias"]["values"])});
    if (last) return layers;
  }
}

/// Gradients stand without shapes; they have those of the weights.
json WithShapes(const json& gradients, const json& weights) {
  json result = weights;
  for (auto& [name, entry] : result.items()) entry["values"] = gradients[name];
  return result;
}

MlpPolicySpec Spec(const json& weights) {
  MlpPolicySpec spec;
  spec.actor = Network(weights, "policy_net", "action_net");
  spec.critic = Network(weights, "value_net", "value_net");
  if (weights.contains("log_std")) spec.log_std = Floats(weights["log_std"]["values"]);
  return spec;
}

struct Case {
  json golden;
  PpoConfig config;
  ActionSpace space;
};

Case Load(const std::string& name) {
  Case result;
  result.golden = Golden(name);
  const json& settings = result.golden["settings"];
  PpoConfig& config = result.config;
  config.batch_size = settings["batch_size"];
  config.n_epochs = settings["n_epochs"];
  config.learning_rate = {settings["learning_rate"], false};
  config.ent_coef = settings.value("ent_coef", 0.0);
  config.clip_range = {settings.value("clip_range", 0.2), false};
  if (settings.contains("clip_range_vf"))
    config.clip_range_vf = Schedule{settings["clip_range_vf"], false};
  if (settings.contains("target_kl")) config.target_kl = settings["target_kl"].get<double>();
  config.max_grad_norm = settings.value("max_grad_norm", 0.5);
  config.gamma = settings.value("gamma", 0.99);
  config.gae_lambda = settings.value("gae_lambda", 0.95);
  const MlpPolicySpec spec = Spec(result.golden["weights"]);
  config.net_arch_pi.clear();
  config.net_arch_vf.clear();
  for (std::size_t i = 0; i + 1 < spec.actor.size(); ++i)
    config.net_arch_pi.push_back(spec.actor[i].outputs);
  for (std::size_t i = 0; i + 1 < spec.critic.size(); ++i)
    config.net_arch_vf.push_back(spec.critic[i].outputs);
  if (spec.log_std.empty()) {
    result.space.n = spec.actor.back().outputs;
  } else {
    result.space.kind = ActionSpace::Kind::kBox;
    result.space.low.assign(spec.log_std.size(), -2.0F);
    result.space.high.assign(spec.log_std.size(), 2.0F);
    config.activation_fn = nn::Activation::kRelu;
  }
  return result;
}

RolloutBuffer Rollout(const Case& test, int observation_width) {
  const json& rollout = test.golden["rollout"];
  RolloutBuffer buffer(rollout["envs"], rollout["steps"],
                       static_cast<std::size_t>(observation_width),
                       static_cast<std::size_t>(test.space.width()));
  buffer.observations = Floats(rollout["observations"]);
  buffer.actions = Floats(rollout["actions"]);
  buffer.rewards = Floats(rollout["rewards"]);
  buffer.values = Floats(rollout["values"]);
  buffer.log_probs = Floats(rollout["log_probs"]);
  for (std::size_t i = 0; i < buffer.rows(); ++i) {
    buffer.episode_starts[i] = rollout["episode_starts"][i].get<float>() != 0 ? 1 : 0;
  }
  buffer.advantages = Floats(rollout["advantages"]);
  buffer.returns = Floats(rollout["returns"]);
  return buffer;
}

void ExpectNear(const std::vector<float>& actual, const std::vector<float>& expected,
                double absolute, double relative, const std::string& what) {
  ASSERT_EQ(actual.size(), expected.size()) << what;
  for (std::size_t i = 0; i < actual.size(); ++i) {
    const double limit = absolute + relative * std::abs(static_cast<double>(expected[i]));
    EXPECT_NEAR(static_cast<double>(actual[i]), static_cast<double>(expected[i]), limit)
        << what << " " << i;
  }
}

void ExpectSameWeights(const MlpPolicySpec& actual, const MlpPolicySpec& expected, double absolute,
                       double relative) {
  for (std::size_t i = 0; i < expected.actor.size(); ++i) {
    ExpectNear(actual.actor[i].weight, expected.actor[i].weight, absolute, relative,
               "actor weight");
    ExpectNear(actual.actor[i].bias, expected.actor[i].bias, absolute, relative, "actor bias");
  }
  for (std::size_t i = 0; i < expected.critic.size(); ++i) {
    ExpectNear(actual.critic[i].weight, expected.critic[i].weight, absolute, relative,
               "critic weight");
    ExpectNear(actual.critic[i].bias, expected.critic[i].bias, absolute, relative, "critic bias");
  }
  ExpectNear(actual.log_std, expected.log_std, absolute, relative, "log_std");
}

class PpoGoldenTest : public testing::TestWithParam<std::string> {};

TEST_P(PpoGoldenTest, AdvantagesEqualStableBaselines3) {
  const Case test = Load(GetParam());
  const MlpPolicySpec spec = Spec(test.golden["weights"]);
  const RolloutBuffer expected = Rollout(test, spec.actor.front().inputs);
  RolloutBuffer buffer = expected;
  const json& rollout = test.golden["rollout"];
  ComputeAdvantages(buffer, Floats(rollout["last_values"]),
                    rollout["last_dones"].get<std::vector<std::uint8_t>>(), test.config.gamma,
                    test.config.gae_lambda);
  ExpectNear(buffer.advantages, expected.advantages, 2e-6, 2e-6, "advantage");
  ExpectNear(buffer.returns, expected.returns, 2e-6, 2e-6, "return");
}

TEST_P(PpoGoldenTest, FirstMinibatchEqualsPyTorch) {
  const Case test = Load(GetParam());
  const MlpPolicySpec start = Spec(test.golden["weights"]);
  const int width = start.actor.front().inputs;
  ActorCritic network(width, test.space, test.config);
  network.Import(start);
  const RolloutBuffer buffer = Rollout(test, width);
  PpoConfig config = test.config;
  config.target_kl.reset();
  nn::Adam optimizer(network.parameter_floats(), config.adam_eps);
  PpoUpdater updater(config, network, optimizer, nullptr);
  std::vector<std::uint32_t> rows = test.golden["orders"][0].get<std::vector<std::uint32_t>>();
  rows.resize(static_cast<std::size_t>(config.batch_size));
  UpdateRates rates{config.learning_rate.initial, config.clip_range.initial, {}};
  if (config.clip_range_vf) rates.clip_range_vf = config.clip_range_vf->initial;
  const MinibatchStats stats = updater.Step(buffer, rows, rates);

  const json& expected = test.golden["first_minibatch"];
  EXPECT_NEAR(stats.policy_loss, expected["policy_loss"].get<double>(), 2e-6);
  EXPECT_NEAR(stats.value_loss, expected["value_loss"].get<double>(), 5e-6);
  EXPECT_NEAR(stats.entropy_loss, expected["entropy_loss"].get<double>(), 2e-6);
  EXPECT_NEAR(stats.loss, expected["loss"].get<double>(), 5e-6);
  EXPECT_NEAR(stats.gradient_norm, expected["gradient_norm"].get<double>(), 5e-6);

  ActorCritic gradient(width, test.space, config);
  std::ranges::copy(updater.gradient(), gradient.parameters().begin());
  ExpectSameWeights(gradient.Export({}),
                    Spec(WithShapes(expected["gradients"], test.golden["weights"])), 2e-6, 1e-5);
  // Adam's first step is lr * g / (|g| + eps): a gradient off by 1e-7 beside eps 1e-5 moves it by
  // up to 1% of lr.
  ExpectSameWeights(network.Export({}), Spec(expected["weights_after"]),
                    0.02 * config.learning_rate.initial, 1e-6);
}

TEST_P(PpoGoldenTest, WholeUpdateEqualsStableBaselines3) {
  const Case test = Load(GetParam());
  const MlpPolicySpec start = Spec(test.golden["weights"]);
  const int width = start.actor.front().inputs;
  ActorCritic network(width, test.space, test.config);
  network.Import(start);
  const RolloutBuffer buffer = Rollout(test, width);
  nn::Adam optimizer(network.parameter_floats(), test.config.adam_eps);
  PpoUpdater updater(test.config, network, optimizer, nullptr);
  UpdateRates rates{test.config.learning_rate.initial, test.config.clip_range.initial, {}};
  if (test.config.clip_range_vf) rates.clip_range_vf = test.config.clip_range_vf->initial;
  std::vector<std::vector<std::uint32_t>> orders;
  for (const json& order : test.golden["orders"])
    orders.push_back(order.get<std::vector<std::uint32_t>>());
  const UpdateStats stats = updater.UpdateInOrders(
      buffer, rates, [&orders](int epoch, std::vector<std::uint32_t>& order) {
        ASSERT_LT(static_cast<std::size_t>(epoch), orders.size());
        order = orders[static_cast<std::size_t>(epoch)];
      });

  const json& log = test.golden["log"];
  EXPECT_EQ(stats.epochs, log["train/n_updates"].get<int>());
  EXPECT_EQ(orders.size(), log["train/n_updates"].get<std::size_t>());
  EXPECT_NEAR(stats.policy_gradient_loss, log["train/policy_gradient_loss"].get<double>(), 1e-5);
  EXPECT_NEAR(stats.value_loss, log["train/value_loss"].get<double>(), 2e-5);
  EXPECT_NEAR(stats.entropy_loss, log["train/entropy_loss"].get<double>(), 1e-5);
  EXPECT_NEAR(stats.approx_kl, log["train/approx_kl"].get<double>(), 1e-5);
  EXPECT_NEAR(stats.clip_fraction, log["train/clip_fraction"].get<double>(), 1e-6);
  EXPECT_NEAR(stats.loss, log["train/loss"].get<double>(), 2e-5);
  EXPECT_NEAR(ExplainedVariance(buffer.values, buffer.returns),
              log["train/explained_variance"].get<double>(), 1e-5);
  ExpectSameWeights(network.Export({}), Spec(test.golden["after"]),
                    0.05 * test.config.learning_rate.initial, 1e-5);
}

INSTANTIATE_TEST_SUITE_P(Rollouts, PpoGoldenTest,
                         testing::Values("ppo_discrete", "ppo_box", "ppo_stop"));

}  // namespace
}  // namespace tw::rl
