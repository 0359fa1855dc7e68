#include "hpo/mixture_density.h"

#include <algorithm>
#include <cmath>
#include <limits>

// Two builds, as in nn/kernels.cpp: the baseline x86-64-v3 and AVX-512. Both do the same operations
// in the same order on eight lanes, and so give the same bits.
#define HWY_DISABLE_PCLMUL_AES 1
#define HWY_DISABLED_TARGETS (~(HWY_AVX2 | HWY_AVX3))
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "hpo/mixture_density.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();

namespace tw::hpo::internal {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<double, kKernelBlock>;
using Vec = hn::Vec<Tag>;

constexpr std::size_t kLanes = sizeof(Vec) / sizeof(double);
constexpr std::size_t kVectors = kKernelBlock / kLanes;
// What fits the first-level cache beside the parameters: log densities of a chunk, all candidates.
constexpr std::size_t kChunkBlocks = 16;
// Terms this far below the largest are beyond the last digit of any sum.
constexpr double kNegligible = -45;

/// Log densities of one block for a group of candidates; `out` rows are `stride` apart.
HWY_INLINE void BlockLogDensities(const MixtureArgs& args, std::size_t block, std::size_t first,
                                  double* HWY_RESTRICT out, std::size_t stride) {
  const Tag d;
  Vec sums[kCandidateGroup][kVectors];
  for (auto& row : sums) {
    for (Vec& sum : row) sum = hn::Zero(d);
  }
  const double* HWY_RESTRICT kernel = args.kernels + block * args.dims * 2 * kKernelBlock;
  const double* HWY_RESTRICT point = args.points + first;
  for (std::size_t dim = 0; dim < args.dims; ++dim) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      const Vec inverse = hn::LoadU(d, kernel + v * kLanes);
      const Vec centre = hn::LoadU(d, kernel + kKernelBlock + v * kLanes);
      for (std::size_t c = 0; c < kCandidateGroup; ++c) {
        const Vec t = hn::MulSub(hn::Set(d, point[c]), inverse, centre);
        sums[c][v] = hn::MulAdd(t, t, sums[c][v]);
      }
    }
    kernel += 2 * kKernelBlock;
    point += args.candidates;
  }
  const Vec minus_half = hn::Set(d, -0.5);
  for (std::size_t v = 0; v < kVectors; ++v) {
    const Vec constant = hn::LoadU(d, args.constants + block * kKernelBlock + v * kLanes);
    for (std::size_t c = 0; c < kCandidateGroup; ++c) {
      hn::StoreU(hn::MulAdd(sums[c][v], minus_half, constant), d, out + c * stride + v * kLanes);
    }
  }
}

/// Adds a chunk of one candidate to its running sum, which is kept relative to `top`.
HWY_INLINE void AddChunk(const double* HWY_RESTRICT log_densities,
                         const double* HWY_RESTRICT weights, std::size_t count, double* top,
                         double* HWY_RESTRICT sums) {
  const Tag d;
  Vec largest = hn::Set(d, -std::numeric_limits<double>::infinity());
  for (std::size_t i = 0; i < count; i += kLanes) {
    largest = hn::Max(largest, hn::LoadU(d, log_densities + i));
  }
  const double chunk_top = hn::GetLane(hn::MaxOfLanes(d, largest));
  if (!(chunk_top > -std::numeric_limits<double>::infinity())) return;
  if (chunk_top > *top) {
    const double scale = std::exp(*top - chunk_top);
    for (std::size_t lane = 0; lane < kKernelBlock; ++lane) sums[lane] *= scale;
    *top = chunk_top;
  }
  const Vec reference = hn::Set(d, *top);
  const Vec negligible = hn::Set(d, kNegligible);
  for (std::size_t v = 0; v < kVectors; ++v) {
    Vec sum = hn::LoadU(d, sums + v * kLanes);
    for (std::size_t i = v * kLanes; i < count; i += kKernelBlock) {
      const Vec exponent = hn::Sub(hn::LoadU(d, log_densities + i), reference);
      if (hn::AllFalse(d, hn::Gt(exponent, negligible))) continue;
      sum = hn::MulAdd(hn::LoadU(d, weights + i), hn::Exp(d, exponent), sum);
    }
    hn::StoreU(sum, d, sums + v * kLanes);
  }
}

void MixtureImpl(const MixtureArgs& args, double* HWY_RESTRICT scratch) {
  // Layout of scratch: log densities [candidates][chunk], then per candidate 8 sums and the top.
  const std::size_t stride = kChunkBlocks * kKernelBlock;
  double* sums = scratch + args.candidates * stride;
  double* tops = sums + args.candidates * kKernelBlock;
  std::fill(sums, tops, 0.0);
  std::fill(tops, tops + args.candidates, -std::numeric_limits<double>::infinity());
  for (std::size_t begin = 0; begin < args.blocks; begin += kChunkBlocks) {
    const std::size_t blocks = std::min(kChunkBlocks, args.blocks - begin);
    const std::size_t count = blocks * kKernelBlock;
    for (std::size_t b = 0; b < blocks; ++b) {
      for (std::size_t c = 0; c < args.candidates; c += kCandidateGroup) {
        BlockLogDensities(args, begin + b, c, scratch + c * stride + b * kKernelBlock, stride);
      }
    }
    for (std::size_t c = 0; c < args.candidates; ++c) {
      double* row = scratch + c * stride;
      if (args.extra != nullptr) {
        const double* extra = args.extra + (c * args.blocks + begin) * kKernelBlock;
        for (std::size_t i = 0; i < count; ++i) row[i] += extra[i];
      }
      AddChunk(row, args.weights + begin * kKernelBlock, count, tops + c, sums + c * kKernelBlock);
    }
  }
  for (std::size_t c = 0; c < args.candidates; ++c) {
    double sum = 0;
    for (std::size_t lane = 0; lane < kKernelBlock; ++lane) sum += sums[c * kKernelBlock + lane];
    args.log_density[c] = std::log(sum) + tops[c];
  }
}

std::size_t ScratchSize(std::size_t candidates) {
  return candidates * (kChunkBlocks * kKernelBlock + kKernelBlock + 1);
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tw::hpo::internal

HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tw::hpo::internal {
namespace {

HWY_EXPORT(MixtureImpl);
HWY_EXPORT(ScratchSize);

}  // namespace

void MixtureLogDensity(const MixtureArgs& args, std::vector<double>& scratch) {
  const std::size_t needed = HWY_DYNAMIC_DISPATCH(ScratchSize)(args.candidates);
  if (scratch.size() < needed) scratch.resize(needed);
  HWY_DYNAMIC_DISPATCH(MixtureImpl)(args, scratch.data());
}

void ForceAvx2ForTest(bool force) { hwy::SetSupportedTargetsForTest(force ? HWY_AVX2 : 0); }

}  // namespace tw::hpo::internal

#endif
