#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "hpo/sampler.h"

namespace tw::hpo {

/// Tries each point of a grid once, in the shuffled order of Python's GridSampler with the same
/// seed; workers of both kinds share one grid (optuna.md 8.2). Stops the study when every point is
/// finished. A queued trial must fix all of its parameters.
class GridSampler final : public Sampler {
 public:
  using Grid = std::vector<std::pair<std::string, std::vector<ParamValue>>>;

  /// Errors: kUsage for an empty grid or parameter, or a name given twice, or more than a million
  /// points.
  static Result<std::shared_ptr<GridSampler>> Create(Grid grid, std::uint32_t seed = 0);

  std::size_t size() const { return points_.size(); }

  Status BeforeTrial(SamplerCall& call) override;
  Result<double> SampleIndependent(SamplerCall& call, const std::string& name,
                                   const Distribution& distribution) override;
  Status AfterTrial(SamplerCall& call, TrialState state,
                    const std::vector<double>& values) override;

 private:
  GridSampler(Grid grid, std::uint32_t seed);

  /// Ids neither finished nor running; if none, those not finished.
  std::vector<std::size_t> Open(const TrialCache& trials);
  std::optional<std::size_t> GridIdOf(const FrozenTrial& trial) const;

  Grid grid_;
  std::uint32_t seed_;
  std::string json_;                                // of the grid
  std::vector<std::vector<std::uint32_t>> points_;  // by id: index of the value of each name
  std::uint64_t serial_ = 0;
  std::size_t seen_ = 0;
  std::vector<char> visited_;
};

}  // namespace tw::hpo
