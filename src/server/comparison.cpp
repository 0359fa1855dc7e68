#include "server/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/rng.h"
#include "eval/significance.h"

namespace tw::server {
namespace {

constexpr double kDaysPerYear = 260;
constexpr int kReplications = 2000;
constexpr std::size_t kDaysMin = 20;

double Mean(const std::vector<double>& values) {
  double sum = 0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

// Means of stationary bootstrap samples, ascending.
std::vector<double> BootstrapMeans(const std::vector<double>& values) {
  const double block = std::max(1.0, eval::OptimalBlockLength(values));
  const std::size_t size = values.size();
  Rng rng(1, "server.compare");
  std::vector<double> means;
  for (int k = 0; k < kReplications; ++k) {
    double sum = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < size; ++i) {
      const bool fresh = i == 0 || rng.Uniform() * block < 1;
      at = fresh ? static_cast<std::size_t>(rng.Below(size)) : (at + 1) % size;
      sum += values[at];
    }
    means.push_back(sum / static_cast<double>(size));
  }
  std::ranges::sort(means);
  return means;
}

}  // namespace

Comparison Compare(const eval::DailySeries& a, const eval::DailySeries& b,
                   const std::string& name_a, const std::string& name_b) {
  Comparison out;
  std::vector<double> differences;
  std::size_t j = 0;
  for (std::size_t i = 0; i < a.dates.size(); ++i) {
    while (j < b.dates.size() && b.dates[j] < a.dates[i]) ++j;
    if (j == b.dates.size() || b.dates[j] != a.dates[i]) continue;
    if (!out.from) out.from = a.dates[i];
    out.to = a.dates[i];
    differences.push_back(a.returns[i] - b.returns[j]);
  }
  out.days = static_cast<std::int64_t>(differences.size());
  if (differences.size() < kDaysMin) {
    out.sentence = fmt::format(
        "{} and {} have {} trading days in common; {} are needed to say "
        "which is better.",
        name_a, name_b, out.days, kDaysMin);
    return out;
  }
  const double mean = Mean(differences);
  out.difference_ann = mean * kDaysPerYear;
  if (std::ranges::all_of(differences, [](double d) { return d == 0; })) {
    out.ci95 = {{0, 0}};
    out.p_value = 1;
    out.sentence =
        fmt::format("{} and {} had the same return on all {} days.", name_a, name_b, out.days);
    return out;
  }
  const std::vector<double> means = BootstrapMeans(differences);
  const auto quantile = [&](double q) {
    return means[static_cast<std::size_t>(q * (kReplications - 1))] * kDaysPerYear;
  };
  out.ci95 = {{quantile(0.025), quantile(0.975)}};
  const auto below = std::ranges::upper_bound(means, 0.0) - means.begin();
  const auto above = means.end() - std::ranges::lower_bound(means, 0.0);
  const double share =
      static_cast<double>(std::min<std::ptrdiff_t>(below, above) + 1) / (kReplications + 1);
  out.p_value = std::min(1.0, 2 * share);
  const bool clear = (*out.ci95)[0] > 0 || (*out.ci95)[1] < 0;
  out.sentence = fmt::format(
      "Over {} common days {} made {:.1f}% a year {} than {} (95% interval {:.1f}% to {:.1f}%): {}",
      out.days, name_a, 100 * std::abs(*out.difference_ann), mean >= 0 ? "more" : "less", name_b,
      100 * (*out.ci95)[0], 100 * (*out.ci95)[1],
      clear ? "more than chance would explain on these days."
            : "so few days do not tell the difference from chance.");
  return out;
}

}  // namespace tw::server
