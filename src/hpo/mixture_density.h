#pragma once

// Internal: the inner loop of TPE.

#include <cstddef>
#include <vector>

namespace tw::hpo::internal {

/// Kernels are stored in blocks of this many, so that one block's parameters lie together; the
/// results do not depend on the width of the machine's vectors.
inline constexpr std::size_t kKernelBlock = 8;
inline constexpr std::size_t kCandidateGroup = 4;

struct MixtureArgs {
  std::size_t blocks = 0;
  std::size_t dims = 0;  // continuous dimensions
  /// [blocks][dims][2][kKernelBlock]: 1/sigma, then mu/sigma.
  const double* kernels = nullptr;
  /// [blocks * kKernelBlock]: everything of a kernel's log density that no candidate changes; -inf
  /// for unused places.
  const double* constants = nullptr;
  /// [blocks * kKernelBlock]: weights of the mixture, 0 for unused places.
  const double* weights = nullptr;
  std::size_t candidates = 0;  // a multiple of kCandidateGroup
  /// [dims][candidates].
  const double* points = nullptr;
  /// [candidates][blocks * kKernelBlock], added to the log densities; or null.
  const double* extra = nullptr;
  /// [candidates]: log sum_k w_k exp(constant_k - 1/2 sum_d ((x_d - mu_kd)/sigma_kd)^2 + extra_k).
  double* log_density = nullptr;
};

/// `scratch` grows as needed.
void MixtureLogDensity(const MixtureArgs& args, std::vector<double>& scratch);

/// Tests compare the builds for both instruction sets.
void ForceAvx2ForTest(bool force);

}  // namespace tw::hpo::internal
