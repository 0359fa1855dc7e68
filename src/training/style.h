#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/config.h"
#include "eval/splits.h"
#include "features/feature_config.h"
#include "rl/ppo_config.h"
#include "sim/world_config.h"
#include "training/search_config.h"

namespace tw::training {

/// Which bars an agent learns from.
struct DataSelection {
  std::string instrument = "EURUSD";
  std::string freq = "60min";
  std::string from;  // trading dates, inclusive; empty for all that the store has
  std::string to;
};

/// How agents are made in each window.
struct AgentConfig {
  std::string algo = "ppo";
  std::int64_t steps = 500'000;  // environment steps a seed and window
  int seeds = 3;                 // agents a window; the traded target is the mean of theirs
  std::int64_t seed = 1;         // the first agent's; the k-th has seed + k
  int envs = 16;                 // parallel environments a learner
};

/// What the agent is held against, in the same world over the same bars.
struct BaselineConfig {
  int momentum_bars = 120;  // sign of the return over this many bars
  int random_runs = 200;    // random traders with the agent's turnover
};

/// When the verdict may say that an edge was found.
struct VerdictConfig {
  double min_deflated_sharpe = 0.95;  // probability, metrics.md 7.4
  int bootstrap_runs = 10'000;
};

/// Everything that decides a trial: one YAML file of config/styles/.
struct StyleConfig {
  std::string name = "hourly";
  DataSelection data;
  sim::WorldConfig world;
  features::FeatureConfig features;
  eval::FoldSpec validation;
  AgentConfig agent;
  rl::PpoConfig ppo;
  BaselineConfig baselines;
  VerdictConfig verdict;
  SearchConfig search;  // how `optimize` varies all this
};

/// Sections: name, data, world, features, validation, agent, ppo, baselines, verdict,
/// search.
void Bind(const ConfigSection& root, StyleConfig& style);

/// The style's document on top of the feature set that ships, so that its effective config names
/// every formula.
Result<Config> WithDefaultFeatures(const Config& style);

/// The part of an effective config that makes a trial another trial: everything but name, seeds,
/// baselines, verdict and search. Runs with equal text, data and window are the same trial
/// (DESIGN.md, invariant 3).
std::string TrialText(std::string_view effective_yaml);

}  // namespace tw::training
