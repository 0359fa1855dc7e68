#include "hpo/parzen_estimator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <utility>

#include "base/check.h"
#include "hpo/mixture_density.h"
#include "hpo/truncated_normal.h"

namespace tw::hpo::internal {
namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
constexpr double kLogSqrtTwoPi = 0.91893853320467274178;
constexpr double kWidthMin = 1e-12;  // of the range, without magic clip
// More changed rows than this cost more one by one than anew.
constexpr std::size_t kChangesMax = 32;
constexpr double kPriorCentre = 0.5;
constexpr double kPriorWidth = 1;

std::size_t RoundedUp(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

}  // namespace

std::vector<double> DefaultWeights(std::size_t n) {
  constexpr std::size_t kFlat = 25;
  std::vector<double> weights(n, 1.0);
  if (n <= kFlat) return weights;
  const std::size_t ramp = n - kFlat;
  const double first = 1.0 / static_cast<double>(n);
  for (std::size_t i = 0; i < ramp; ++i) {
    weights[i] =
        ramp == 1 ? first
                  : first + static_cast<double>(i) * ((1 - first) / static_cast<double>(ramp - 1));
  }
  if (ramp > 1) weights[ramp - 1] = 1;
  return weights;
}

ParzenEstimator::ParzenEstimator(SearchSpace space, ParzenOptions options)
    : space_(std::move(space)), options_(options) {
  for (std::size_t i = 0; i < space_.size(); ++i) {
    const Distribution& distribution = space_[i].distribution;
    if (!distribution.is_numeric()) {
      categorical_.push_back({i, distribution.choices().size(), {}});
      continue;
    }
    NumericDim dim;
    dim.parameter = i;
    const double half = distribution.step() / 2;
    const auto transformed = [&](double x) { return distribution.is_log() ? std::log(x) : x; };
    dim.low = transformed(distribution.low() - half);
    dim.range = transformed(distribution.high() + half) - dim.low;
    dim.log_range = std::log(dim.range);
    dim.continuous = distribution.step() == 0;
    if (dim.continuous) dim.continuous_index = continuous_++;
    numeric_.push_back(std::move(dim));
  }
  slots_ = 1;
  Grow(1);
  dirty_.push_back(0);
  for (NumericDim& dim : numeric_) SetKernel(dim, 0, kPriorCentre, kPriorWidth);
  UpdateTotals();
  UpdateWeights();
}

void ParzenEstimator::Grow(std::size_t slots) {
  const std::size_t capacity = constants_.size();
  if (slots <= capacity) return;
  const std::size_t wanted = RoundedUp(std::max(slots, capacity + capacity / 2), kKernelBlock);
  kernels_.resize(wanted * continuous_ * 2, 0.0);
  constants_.resize(wanted, -kInfinity);
  weights_.resize(wanted, 0.0);
  order_.resize(wanted, 0);
  seen_.resize(wanted, 0);
  for (NumericDim& dim : numeric_) {
    dim.mu.resize(wanted, 0.0);
    dim.sigma.resize(wanted, 1.0);
    dim.constant.resize(wanted, 0.0);
    if (!dim.continuous) dim.shape.resize(wanted, 0);
  }
  for (CategoricalDim& dim : categorical_) dim.choice.resize(wanted, 0);
}

double ParzenEstimator::Scaled(const NumericDim& dim, double internal) const {
  const bool log = space_[dim.parameter].distribution.is_log();
  return ((log ? std::log(internal) : internal) - dim.low) / dim.range;
}

bool ParzenEstimator::Before(const NumericDim& dim, Slot a, Slot b) const {
  if (dim.mu[a] != dim.mu[b]) return dim.mu[a] < dim.mu[b];
  return order_[a] < order_[b];
}

std::size_t ParzenEstimator::PositionOf(const NumericDim& dim, Slot slot) const {
  const auto at = std::lower_bound(dim.sorted.begin(), dim.sorted.end(), slot,
                                   [&](Slot a, Slot b) { return Before(dim, a, b); });
  return static_cast<std::size_t>(at - dim.sorted.begin());
}

double ParzenEstimator::WidthAt(const NumericDim& dim, std::size_t position) const {
  const std::size_t n = dim.sorted.size();
  const double mu = dim.mu[dim.sorted[position]];
  const bool first = position == 0;
  const bool last = position + 1 == n;
  const double left = mu - (first ? 0.0 : dim.mu[dim.sorted[position - 1]]);
  const double right = (last ? 1.0 : dim.mu[dim.sorted[position + 1]]) - mu;
  double width = std::max(left, right);
  if (!options_.endpoints && n >= 2) {
    if (first) width = right;
    if (last) width = left;
  }
  return std::clamp(width, width_min_, 1.0);
}

void ParzenEstimator::SetKernel(NumericDim& dim, Slot slot, double mu, double sigma) {
  dim.mu[slot] = mu;
  dim.sigma[slot] = sigma;
  const double inverse = 1 / sigma;
  const double a = -mu * inverse;
  const double b = (1 - mu) * inverse;
  // A queued trial may lie outside of the range.
  const double log_mass =
      a <= 0 && b >= 0 ? std::log1p(-NormalCdf(a) - NormalCdf(-b)) : LogNormalMass(a, b);
  dim.constant[slot] = -log_mass;
  if (dim.continuous) {
    dim.constant[slot] -= std::log(sigma) + kLogSqrtTwoPi + dim.log_range;
    double* kernel =
        kernels_.data() +
        ((slot / kKernelBlock) * continuous_ + dim.continuous_index) * 2 * kKernelBlock +
        slot % kKernelBlock;
    kernel[0] = inverse;
    kernel[kKernelBlock] = mu * inverse;
  }
  dirty_.push_back(slot);
}

void ParzenEstimator::SetDead(Slot slot) {
  constants_[slot] = -kInfinity;
  weights_[slot] = 0;
  for (NumericDim& dim : numeric_) {
    if (!dim.continuous) dim.shape[slot] = 0;
  }
}

void ParzenEstimator::AddRow(std::uint32_t row, const ObservationView& view) {
  Slot slot = 0;
  if (free_.empty()) {
    slot = static_cast<Slot>(slots_++);
    Grow(slots_);
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  slot_of_row_[row] = slot;
  order_[slot] = view.order[row];
  seen_[slot] = epoch_;
  for (NumericDim& dim : numeric_) {
    dim.mu[slot] = Scaled(dim, view.columns[dim.parameter][row]);
    const std::size_t at = PositionOf(dim, slot);
    dim.sorted.insert(dim.sorted.begin() + static_cast<std::ptrdiff_t>(at), slot);
    dim.touched.push_back(slot);
    if (at > 0) dim.touched.push_back(dim.sorted[at - 1]);
    if (at + 1 < dim.sorted.size()) dim.touched.push_back(dim.sorted[at + 1]);
  }
  for (CategoricalDim& dim : categorical_) {
    dim.choice[slot] = static_cast<std::uint32_t>(view.columns[dim.parameter][row]);
  }
  dirty_.push_back(slot);
}

void ParzenEstimator::RemoveSlot(Slot slot) {
  for (NumericDim& dim : numeric_) {
    const std::size_t at = PositionOf(dim, slot);
    TW_DCHECK(at < dim.sorted.size() && dim.sorted[at] == slot, "slot {} is lost", slot);
    dim.sorted.erase(dim.sorted.begin() + static_cast<std::ptrdiff_t>(at));
    std::erase(dim.touched, slot);
    if (at > 0) dim.touched.push_back(dim.sorted[at - 1]);
    if (at < dim.sorted.size()) dim.touched.push_back(dim.sorted[at]);
  }
  SetDead(slot);
  free_.push_back(slot);
}

void ParzenEstimator::RebuildNumeric(NumericDim& dim) {
  for (std::size_t at = 0; at < dim.sorted.size(); ++at) {
    const Slot slot = dim.sorted[at];
    const double width = WidthAt(dim, at);
    SetKernel(dim, slot, dim.mu[slot], width);
  }
  dim.touched.clear();
}

void ParzenEstimator::UpdateTouched(NumericDim& dim) {
  std::sort(dim.touched.begin(), dim.touched.end());
  dim.touched.erase(std::unique(dim.touched.begin(), dim.touched.end()), dim.touched.end());
  for (const Slot slot : dim.touched) {
    SetKernel(dim, slot, dim.mu[slot], WidthAt(dim, PositionOf(dim, slot)));
  }
  dim.touched.clear();
}

void ParzenEstimator::UpdateTotals() {
  std::sort(dirty_.begin(), dirty_.end());
  dirty_.erase(std::unique(dirty_.begin(), dirty_.end()), dirty_.end());
  for (const Slot slot : dirty_) {
    double total = 0;
    for (const NumericDim& dim : numeric_) total += dim.constant[slot];
    constants_[slot] = total;
  }
  dirty_.clear();
}

void ParzenEstimator::Sync(std::span<const std::uint32_t> rows, const ObservationView& view) {
  ++epoch_;
  std::vector<std::uint32_t> added;
  for (const std::uint32_t row : rows) {
    if (row >= slot_of_row_.size()) slot_of_row_.resize(row + row / 2 + 64, kNone);
    const Slot slot = slot_of_row_[row];
    if (slot == kNone)
      added.push_back(row);
    else
      seen_[slot] = epoch_;
  }
  std::size_t changes = added.size();
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (seen_[row_slots_[i]] == epoch_) continue;
    RemoveSlot(row_slots_[i]);
    slot_of_row_[rows_[i]] = kNone;
    ++changes;
  }
  // Removed kernels must not come back through what is dirty.
  dirty_.clear();
  for (const std::uint32_t row : added) AddRow(row, view);
  rows_.assign(rows.begin(), rows.end());
  row_slots_.resize(rows_.size());
  for (std::size_t i = 0; i < rows_.size(); ++i) row_slots_[i] = slot_of_row_[rows_[i]];

  const auto kernels = static_cast<double>(rows_.size() + 1);
  const double width_min = options_.magic_clip ? 1 / std::min(100.0, 1 + kernels) : kWidthMin;
  const bool all = width_min != width_min_ || changes > kChangesMax || rows_.size() < 4;
  width_min_ = width_min;
  for (NumericDim& dim : numeric_) {
    if (all)
      RebuildNumeric(dim);
    else
      UpdateTouched(dim);
  }
  UpdateTotals();
  UpdateWeights();
}

void ParzenEstimator::UpdateWeights() {
  if (rows_.empty()) {
    weights_[0] = 1;
    return;
  }
  const std::size_t n = rows_.size();
  const std::vector<double> raw =
      options_.uniform_weights ? std::vector<double>(n, 1.0) : DefaultWeights(n);
  double sum = options_.prior_weight;
  for (const double weight : raw) sum += weight;
  for (std::size_t i = 0; i < n; ++i) weights_[row_slots_[i]] = raw[i] / sum;
  weights_[0] = options_.prior_weight / sum;
}

void ParzenEstimator::Sample(UniformSource& uniforms, std::size_t count, double* samples) {
  std::vector<double> cumulated(rows_.size() + 1);
  double sum = 0;
  for (std::size_t i = 0; i < rows_.size(); ++i) cumulated[i] = sum += weights_[row_slots_[i]];
  cumulated.back() = sum += weights_[0];
  std::vector<Slot> active(count);
  for (Slot& slot : active) {
    const double u = uniforms.Next();
    // The first with a cumulated share above u.
    const auto at = std::upper_bound(cumulated.begin(), cumulated.end(), u * sum);
    const auto index = static_cast<std::size_t>(at - cumulated.begin());
    slot = index < row_slots_.size() ? row_slots_[index] : 0;
  }
  for (const CategoricalDim& dim : categorical_) {
    SampleCategorical(dim, active, uniforms, samples + dim.parameter * count);
  }
  for (const NumericDim& dim : numeric_) {
    SampleNumeric(dim, active, uniforms, samples + dim.parameter * count);
  }
}

void ParzenEstimator::SampleCategorical(const CategoricalDim& dim, std::span<const Slot> active,
                                        UniformSource& uniforms, double* out) const {
  const auto choices = static_cast<double>(dim.choices);
  const double share = options_.prior_weight / static_cast<double>(rows_.size() + 1);
  const double row_sum = share * choices + 1;
  for (std::size_t i = 0; i < active.size(); ++i) {
    const double u = uniforms.Next();
    double cumulated = 0;
    std::size_t choice = 0;
    for (; choice + 1 < dim.choices; ++choice) {
      const bool observed = active[i] != 0 && dim.choice[active[i]] == choice;
      cumulated += active[i] == 0 ? 1 / choices : (share + (observed ? 1.0 : 0.0)) / row_sum;
      if (!(cumulated < u)) break;
    }
    out[i] = static_cast<double>(choice);
  }
}

void ParzenEstimator::SampleNumeric(const NumericDim& dim, std::span<const Slot> active,
                                    UniformSource& uniforms, double* out) const {
  const Distribution& distribution = space_[dim.parameter].distribution;
  for (std::size_t i = 0; i < active.size(); ++i) {
    const double u = uniforms.Next();
    const double mu = dim.mu[active[i]];
    const double sigma = dim.sigma[active[i]];
    const double a = -mu / sigma;
    const double b = (1 - mu) / sigma;
    double z = 0;
    if (a <= 0 && b >= 0) {
      // From whichever tail is the lighter, so that no digits are lost.
      const double below = NormalCdf(a);
      const double above = NormalCdf(-b);
      const double mass = 1 - below - above;
      const double p = std::max(below + u * mass, std::numeric_limits<double>::min());
      z = p < 0.5 ? NormalQuantile(p) : -NormalQuantile(above + (1 - u) * mass);
    } else {
      z = TruncatedNormalQuantile(u, a, b);
    }
    double value = dim.low + std::clamp(mu + z * sigma, 0.0, 1.0) * dim.range;
    if (distribution.is_log()) value = std::exp(value);
    if (distribution.step() > 0) {
      value =
          distribution.low() +
          std::nearbyint((value - distribution.low()) / distribution.step()) * distribution.step();
    }
    out[i] = std::clamp(value, distribution.low(), distribution.high());
  }
}

void ParzenEstimator::AddCategorical(const CategoricalDim& dim, const double* samples,
                                     std::size_t count) {
  const double choices = static_cast<double>(dim.choices);
  const double share = options_.prior_weight / static_cast<double>(rows_.size() + 1);
  const double row_sum = share * choices + 1;
  const double hit = std::log((share + 1) / row_sum);
  const double miss = std::log(share / row_sum);
  const double prior = -std::log(choices);
  const std::size_t stride = RoundedUp(slots_, kKernelBlock);
  for (std::size_t c = 0; c < count; ++c) {
    const auto choice = static_cast<std::uint32_t>(samples[c]);
    double* row = extra_.data() + c * stride;
    row[0] += prior;
    for (std::size_t slot = 1; slot < slots_; ++slot) {
      row[slot] += dim.choice[slot] == choice ? hit : miss;
    }
  }
}

void ParzenEstimator::NumberShapes(NumericDim& dim) {
  std::uint32_t shape = 0;
  dim.shape[0] = 0;  // the prior's
  for (std::size_t at = 0; at < dim.sorted.size(); ++at) {
    const Slot slot = dim.sorted[at];
    const bool same = at > 0 && dim.mu[dim.sorted[at - 1]] == dim.mu[slot] &&
                      dim.sigma[dim.sorted[at - 1]] == dim.sigma[slot];
    if (!same) ++shape;
    dim.shape[slot] = shape;
  }
}

void ParzenEstimator::AddDiscrete(NumericDim& dim, const double* samples, std::size_t count) {
  const Distribution& distribution = space_[dim.parameter].distribution;
  const double half = distribution.step() / 2;
  NumberShapes(dim);
  std::vector<Slot> of_shape = {0};
  for (const Slot slot : dim.sorted) {
    if (dim.shape[slot] == of_shape.size()) of_shape.push_back(slot);
  }
  std::map<double, std::vector<double>> masses;  // value -> log mass by shape
  const std::size_t stride = RoundedUp(slots_, kKernelBlock);
  for (std::size_t c = 0; c < count; ++c) {
    const auto [found, inserted] = masses.try_emplace(samples[c]);
    std::vector<double>& table = found->second;
    if (inserted) {
      const double left = Scaled(dim, samples[c] - half);
      const double right = Scaled(dim, samples[c] + half);
      table.resize(of_shape.size());
      for (std::size_t k = 0; k < of_shape.size(); ++k) {
        const double mu = dim.mu[of_shape[k]];
        const double sigma = dim.sigma[of_shape[k]];
        table[k] = LogNormalMass((left - mu) / sigma, (right - mu) / sigma);
      }
    }
    double* row = extra_.data() + c * stride;
    for (std::size_t slot = 0; slot < slots_; ++slot) row[slot] += table[dim.shape[slot]];
  }
}

void ParzenEstimator::LogDensity(const double* samples, std::size_t count, double* log_densities) {
  const std::size_t padded = RoundedUp(count, kCandidateGroup);
  const std::size_t blocks = RoundedUp(slots_, kKernelBlock) / kKernelBlock;
  points_.resize(continuous_ * padded);
  bool tables = !categorical_.empty();
  for (const NumericDim& dim : numeric_) {
    if (!dim.continuous) {
      tables = true;
      continue;
    }
    double* points = points_.data() + dim.continuous_index * padded;
    for (std::size_t c = 0; c < padded; ++c) {
      points[c] = Scaled(dim, samples[dim.parameter * count + std::min(c, count - 1)]);
    }
  }
  if (tables) {
    extra_.assign(padded * blocks * kKernelBlock, 0.0);
    for (const CategoricalDim& dim : categorical_) {
      AddCategorical(dim, samples + dim.parameter * count, count);
    }
    for (NumericDim& dim : numeric_) {
      if (!dim.continuous) AddDiscrete(dim, samples + dim.parameter * count, count);
    }
  }
  padded_.resize(padded);
  MixtureArgs args;
  args.blocks = blocks;
  args.dims = continuous_;
  args.kernels = kernels_.data();
  args.constants = constants_.data();
  args.weights = weights_.data();
  args.candidates = padded;
  args.points = points_.data();
  args.extra = tables ? extra_.data() : nullptr;
  args.log_density = padded_.data();
  MixtureLogDensity(args, scratch_);
  std::copy_n(padded_.begin(), count, log_densities);
}

std::vector<double> ParzenEstimator::Centres(std::size_t parameter) const {
  std::vector<double> centres;
  for (const NumericDim& dim : numeric_) {
    if (dim.parameter != parameter) continue;
    for (const Slot slot : row_slots_) centres.push_back(dim.low + dim.mu[slot] * dim.range);
    centres.push_back(dim.low + dim.mu[0] * dim.range);
  }
  return centres;
}

std::vector<double> ParzenEstimator::Widths(std::size_t parameter) const {
  std::vector<double> widths;
  for (const NumericDim& dim : numeric_) {
    if (dim.parameter != parameter) continue;
    for (const Slot slot : row_slots_) widths.push_back(dim.sigma[slot] * dim.range);
    widths.push_back(dim.sigma[0] * dim.range);
  }
  return widths;
}

std::vector<double> ParzenEstimator::Weights() const {
  std::vector<double> weights;
  weights.reserve(row_slots_.size() + 1);
  for (const Slot slot : row_slots_) weights.push_back(weights_[slot]);
  weights.push_back(weights_[0]);
  return weights;
}

}  // namespace tw::hpo::internal
