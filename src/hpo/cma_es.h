#pragma once

// Internal to the CMA-ES sampler: the evolution strategy itself.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

namespace tw::hpo::internal {

struct CmaStart {
  std::vector<double> mean;
  double sigma = 1.0 / 6;
  std::vector<double> covariance;  // [n][n], or empty for the identity
};

struct CmaOptions {
  std::size_t population = 0;  // 0: 4 + floor(3 ln n)
  bool separable = false;
  bool lr_adapt = false;
  /// One per dimension: step of discrete dimensions in [0, 1], 0 for continuous ones; empty: no
  /// margin.
  std::vector<double> steps;
};

/// The learning rates of Hansen's tutorial (arXiv 1604.00772).
struct CmaRates {
  std::size_t population = 0;
  std::size_t parents = 0;
  double mu_eff = 0;
  double c1 = 0;
  double c_mu = 0;
  double c_sigma = 0;
  double d_sigma = 0;
  double c_c = 0;
  std::vector<double> weights;
};

CmaRates RatesOf(std::size_t dimensions, std::size_t population, bool separable);

/// Top tenth of (point, loss) of another task as a starting distribution (Nomura et al., arXiv
/// 2012.06932); nothing when there are fewer than ten points.
std::optional<CmaStart> WarmStart(std::vector<std::pair<std::vector<double>, double>> solutions);

/// CMA-ES in [0, 1]^n with active update; separable, with margin for discrete dimensions (Hamano et
/// al. 2022), or with adapted learning rates (Nomura et al. 2023). Minimises.
class CmaEs {
 public:
  using Solutions = std::vector<std::pair<std::vector<double>, double>>;

  CmaEs(const CmaStart& start, const CmaOptions& options);
  CmaEs(CmaEs&&) noexcept;
  CmaEs& operator=(CmaEs&&) noexcept;
  CmaEs(const CmaEs&) = delete;
  CmaEs& operator=(const CmaEs&) = delete;
  ~CmaEs();

  struct Point {
    std::vector<double> encoded;   // discrete dimensions on their grid
    std::vector<double> for_tell;  // as it was drawn
  };

  /// A point within the bounds (drawn anew up to 10 n times, then clipped). `normal` gives standard
  /// normal numbers.
  Point Ask(const std::function<double()>& normal);
  /// Exactly `population()` solutions; sorts them, stable.
  void Tell(Solutions solutions);

  std::size_t population() const;
  std::int64_t generation() const;
  std::vector<double> mean() const;
  double sigma() const;
  std::vector<double> covariance() const;  // [n][n]

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace tw::hpo::internal
