#include "hpo/brute_force_sampler.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/rng.h"

namespace tw::hpo {
namespace {

constexpr double kCandidatesMax = 1'000'000;

/// A parameter once it was suggested, else open (nothing below is known), running, or the end of a
/// trial.
struct Node {
  enum class Kind { kOpen, kRunning, kLeaf, kParameter };

  Kind kind = Kind::kOpen;
  std::string name;
  std::optional<Distribution> distribution;
  std::vector<std::unique_ptr<Node>> children;  // by candidate; null is open

  std::size_t CountOpen(bool exclude_running) const {
    if (kind == Kind::kOpen) return 1;
    if (kind == Kind::kRunning) return exclude_running ? 0 : 1;
    std::size_t count = 0;
    for (const auto& child : children) count += child ? child->CountOpen(exclude_running) : 1;
    return count;
  }
};

Result<std::size_t> CandidatesOf(const std::string& name, const Distribution& distribution) {
  if (!distribution.is_numeric()) return distribution.choices().size();
  if (distribution.step() == 0) {
    return Error{ErrorCode::kUsage,
                 fmt::format("'{}': brute force needs a step, else there is no end", name)};
  }
  const double count =
      std::floor((distribution.high() - distribution.low()) / distribution.step() + 0.5) + 1;
  if (count > kCandidatesMax) {
    return Error{ErrorCode::kUsage,
                 fmt::format("'{}': {} candidates are too many for brute force", name, count)};
  }
  return static_cast<std::size_t>(count);
}

double ValueOf(const Distribution& distribution, std::size_t candidate) {
  if (!distribution.is_numeric()) return static_cast<double>(candidate);
  const double value = distribution.low() + static_cast<double>(candidate) * distribution.step();
  // As decimal arithmetic gives it: 0.1 + 2 * 0.1 is 0.3.
  return std::strtod(fmt::format("{:.15g}", value).c_str(), nullptr);
}

std::optional<std::size_t> CandidateOf(const Distribution& distribution, double internal) {
  if (!distribution.Contains(internal)) return std::nullopt;
  if (!distribution.is_numeric()) return static_cast<std::size_t>(internal);
  return static_cast<std::size_t>(
      std::nearbyint((internal - distribution.low()) / distribution.step()));
}

/// Makes `node` the parameter, or checks that it is.
Status Expand(Node& node, const std::string& name, const Distribution& distribution) {
  if (node.kind == Node::Kind::kParameter || node.kind == Node::Kind::kLeaf) {
    if (node.name == name && node.distribution == distribution) return {};
    return Error{ErrorCode::kUsage,
                 fmt::format("brute force: after the same values, trials went on with '{}' and "
                             "with '{}' or other bounds",
                             node.name, name)};
  }
  node.children.resize(TW_TRY(CandidatesOf(name, distribution)));
  node.kind = Node::Kind::kParameter;
  node.name = name;
  node.distribution = distribution;
  return {};
}

bool Same(const Param& a, const Param& b) { return SameValue(a.value(), b.value()); }

/// Adds what a trial suggested after `prefix`, if it began with these values.
Status AddPath(Node& root, const FrozenTrial& trial, bool finished, std::span<const Param> prefix) {
  for (const Param& param : prefix) {
    const Param* own = trial.Find(param.name);
    if (own == nullptr || !Same(*own, param)) return {};
  }
  Node* node = &root;
  for (const Param& param : trial.params) {
    const bool in_prefix = std::any_of(prefix.begin(), prefix.end(),
                                       [&](const Param& p) { return p.name == param.name; });
    if (in_prefix) continue;
    TW_TRY(Expand(*node, param.name, param.distribution));
    const std::optional<std::size_t> candidate = CandidateOf(param.distribution, param.internal);
    if (!candidate || *candidate >= node->children.size()) return {};  // off the grid
    std::unique_ptr<Node>& child = node->children[*candidate];
    if (!child) child = std::make_unique<Node>();
    node = child.get();
  }
  if (node->kind == Node::Kind::kParameter) return {};  // a running trial that did not go on yet
  if (finished)
    node->kind = Node::Kind::kLeaf;
  else if (node->kind == Node::Kind::kOpen)
    node->kind = Node::Kind::kRunning;
  return {};
}

/// Trials that have begun, other than `self`.
Status AddOthers(Node& root, const TrialCache& trials, TrialId self,
                 std::span<const Param> prefix) {
  for (const TrialPtr& trial : trials.all()) {
    if (trial->id == self || trial->state == TrialState::kWaiting) continue;
    TW_TRY(AddPath(root, *trial, IsFinished(trial->state), prefix));
  }
  return {};
}

std::vector<double> WeightsOf(const Node& root, bool exclude_running) {
  std::vector<double> open;
  open.reserve(root.children.size());
  double total = 0;
  double expandable = 0;
  for (const auto& child : root.children) {
    open.push_back(child ? static_cast<double>(child->CountOpen(exclude_running)) : 1);
    total += open.back();
    if (open.back() > 0) ++expandable;
  }
  std::vector<double> weights(open.size(), 0.0);
  bool idle = false;  // is there an open child that nobody works on
  for (std::size_t i = 0; i < open.size(); ++i) {
    if (open[i] == 0) continue;
    weights[i] = 0.5 * open[i] / total + 0.5 / expandable;
    idle = idle || !root.children[i] || root.children[i]->kind != Node::Kind::kRunning;
  }
  for (std::size_t i = 0; idle && i < weights.size(); ++i) {
    if (root.children[i] && root.children[i]->kind == Node::Kind::kRunning) weights[i] = 0;
  }
  return weights;
}

}  // namespace

Result<double> BruteForceSampler::SampleIndependent(SamplerCall& call, const std::string& name,
                                                    const Distribution& distribution) {
  Node root;
  TW_TRY(Expand(root, name, distribution));
  TW_TRY(AddOthers(root, call.study.trials, call.trial.id, call.trial.params));
  const bool exclude_running = !options_.avoid_premature_stop;
  Rng rng(options_.seed, "hpo.brute_force." + name, static_cast<std::uint64_t>(call.trial.number));
  if (root.CountOpen(exclude_running) == 0) {
    return ValueOf(distribution, rng.Below(root.children.size()));
  }
  const std::vector<double> weights = WeightsOf(root, exclude_running);
  double total = 0;
  for (const double weight : weights) total += weight;
  double left = rng.Uniform() * total;
  std::size_t chosen = 0;
  for (std::size_t i = 0; i < weights.size(); ++i) {
    if (weights[i] == 0) continue;
    chosen = i;
    left -= weights[i];
    if (left < 0) break;
  }
  return ValueOf(distribution, chosen);
}

Status BruteForceSampler::AfterTrial(SamplerCall& call, TrialState /*state*/,
                                     const std::vector<double>& /*values*/) {
  // Branches from the deepest parameter upward: an open one near by is found soonest.
  for (std::size_t depth = call.trial.params.size(); depth > 0; --depth) {
    const std::span<const Param> prefix(call.trial.params.data(), depth - 1);
    Node root;
    TW_TRY(AddOthers(root, call.study.trials, call.trial.id, prefix));
    TW_TRY(AddPath(root, call.trial, true, prefix));
    if (root.CountOpen(!options_.avoid_premature_stop) > 0) return {};
  }
  call.stop_study = true;
  return {};
}

}  // namespace tw::hpo
