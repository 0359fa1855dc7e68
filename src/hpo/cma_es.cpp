#include "hpo/cma_es.h"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <numbers>

#include "base/check.h"
#include "hpo/truncated_normal.h"

namespace tw::hpo::internal {
namespace {

using Vector = Eigen::VectorXd;
using Matrix = Eigen::MatrixXd;

constexpr double kEps = 1e-8;
constexpr double kSigmaMax = 1e32;

Vector ToVector(const std::vector<double>& values) {
  return Eigen::Map<const Vector>(values.data(), static_cast<Eigen::Index>(values.size()));
}

std::vector<double> FromVector(const Vector& vector) {
  return {vector.data(), vector.data() + vector.size()};
}

double NormalAt(double x, double mean, double scale) { return NormalCdf((x - mean) / scale); }

/// sqrt of the quantile of chi-squared with one degree of freedom.
double ChiQuantile(double q) { return NormalQuantile((1 + q) / 2); }

}  // namespace

CmaRates RatesOf(std::size_t dimensions, std::size_t population, bool separable) {
  const auto n = static_cast<double>(dimensions);
  CmaRates rates;
  rates.population =
      population != 0 ? population : 4 + static_cast<std::size_t>(std::floor(3 * std::log(n)));
  const std::size_t lambda = rates.population;
  const std::size_t mu = lambda / 2;
  rates.parents = mu;
  const double top = separable ? static_cast<double>(mu) + 1 : static_cast<double>(lambda + 1) / 2;
  std::vector<double> raw(separable ? mu : lambda);
  for (std::size_t i = 0; i < raw.size(); ++i) {
    raw[i] = std::log(top) - std::log(static_cast<double>(i + 1));
  }
  const auto effective = [&](std::size_t begin, std::size_t end) {
    double sum = 0;
    double squares = 0;
    for (std::size_t i = begin; i < end; ++i) {
      sum += raw[i];
      squares += raw[i] * raw[i];
    }
    return sum * sum / squares;
  };
  rates.mu_eff = effective(0, mu);
  const double mu_eff = rates.mu_eff;
  rates.c1 = 2 / ((n + 1.3) * (n + 1.3) + mu_eff);
  if (separable) {
    const double full =
        2 / mu_eff / std::pow(n + std::numbers::sqrt2, 2) +
        (1 - 1 / mu_eff) * std::min(1.0, (2 * mu_eff - 1) / ((n + 2) * (n + 2) + mu_eff));
    rates.c_mu = (n + 2) / 3 * full;
    rates.c_sigma = (mu_eff + 2) / (n + mu_eff + 3);
    rates.c_c = 4 / (n + 4);
  } else {
    rates.c_mu =
        std::min(1 - rates.c1 - 1e-8, 2 * (mu_eff - 2 + 1 / mu_eff) / ((n + 2) * (n + 2) + mu_eff));
    rates.c_sigma = (mu_eff + 2) / (n + mu_eff + 5);
    rates.c_c = (4 + mu_eff / n) / (n + 4 + 2 * mu_eff / n);
  }
  rates.d_sigma = 1 + 2 * std::max(0.0, std::sqrt((mu_eff - 1) / (n + 1)) - 1) + rates.c_sigma;
  double positive = 0;
  double negative = 0;
  for (const double w : raw) (w > 0 ? positive : negative) += std::abs(w);
  double scale = 0;  // of the negative weights: active update
  if (!separable) {
    const double mu_eff_minus = effective(mu, lambda);
    scale = std::min({1 + rates.c1 / rates.c_mu, 1 + 2 * mu_eff_minus / (mu_eff + 2),
                      (1 - rates.c1 - rates.c_mu) / (n * rates.c_mu)});
  }
  rates.weights.reserve(raw.size());
  for (const double w : raw) rates.weights.push_back(w >= 0 ? w / positive : scale * w / negative);
  return rates;
}

std::optional<CmaStart> WarmStart(std::vector<std::pair<std::vector<double>, double>> solutions) {
  constexpr double kAlpha = 0.1;
  const std::size_t top = solutions.size() / 10;
  if (top == 0) return std::nullopt;
  std::stable_sort(solutions.begin(), solutions.end(),
                   [](const auto& a, const auto& b) { return a.second < b.second; });
  const auto n = static_cast<Eigen::Index>(solutions.front().first.size());
  Vector mean = Vector::Zero(n);
  Matrix second = Matrix::Zero(n, n);
  for (std::size_t i = 0; i < top; ++i) {
    const Vector x = ToVector(solutions[i].first);
    mean += x;
    second += x * x.transpose();
  }
  mean /= static_cast<double>(top);
  const Matrix covariance = kAlpha * kAlpha * Matrix::Identity(n, n) +
                            second / static_cast<double>(top) - mean * mean.transpose();
  const double determinant = covariance.determinant();
  CmaStart start;
  start.mean = FromVector(mean);
  start.sigma = std::pow(determinant, 0.5 / static_cast<double>(n));
  const Matrix scaled = covariance / std::pow(determinant, 1 / static_cast<double>(n));
  start.covariance.assign(scaled.data(), scaled.data() + scaled.size());
  return start;
}

struct CmaEs::State {
  CmaRates rates;
  CmaOptions options;
  Eigen::Index n = 0;
  double chi_n = 0;
  Vector mean;
  double sigma = 0;
  Matrix covariance;  // separable: one column, the diagonal
  Vector path_sigma;
  Vector path_c;
  std::int64_t generation = 0;
  // Of the covariance, once it is needed.
  bool decomposed = false;
  Matrix basis;
  Vector scale;
  // Margin.
  Vector stretch;
  // Learning rate adaptation.
  Vector mean_signal;
  Vector covariance_signal;
  double mean_noise = 0;
  double covariance_noise = 0;
  double mean_rate = 1;
  double covariance_rate = 1;

  bool has_margin() const { return !options.steps.empty(); }

  bool is_discrete(Eigen::Index i) const {
    return has_margin() && options.steps[static_cast<std::size_t>(i)] > 0;
  }

  void Decompose();
  Vector Draw(const std::function<double()>& normal);
  Vector Encode(const Vector& x) const;
  double Nearest(Eigen::Index i, double value) const;
  std::pair<double, double> LimitsAround(Eigen::Index i, double value) const;
  void UpdateSeparable(const Matrix& y, const Vector& y_mean);
  double UpdatePaths(const Vector& whitened_mean, const Vector& y_mean);
  void AdaptRates(const Vector& old_mean, double old_sigma, const Matrix& old_sigma_matrix,
                  const Matrix& old_whitening);
  void CorrectMargin();
};

void CmaEs::State::Decompose() {
  if (decomposed) return;
  decomposed = true;
  if (options.separable) {
    scale = covariance.col(0).unaryExpr([](double c) { return std::sqrt(c < 0 ? kEps : c); });
    return;
  }
  covariance = ((covariance + covariance.transpose()) / 2).eval();
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(covariance);
  basis = solver.eigenvectors();
  scale = solver.eigenvalues().unaryExpr([](double c) { return std::sqrt(c < 0 ? kEps : c); });
  covariance = basis * scale.cwiseAbs2().asDiagonal() * basis.transpose();
}

Vector CmaEs::State::Draw(const std::function<double()>& normal) {
  Decompose();
  Vector z(n);
  for (Eigen::Index i = 0; i < n; ++i) z[i] = normal() * scale[i];
  if (options.separable) return mean + sigma * z;
  return mean + sigma * (basis * z);
}

double CmaEs::State::Nearest(Eigen::Index i, double value) const {
  const double step = options.steps[static_cast<std::size_t>(i)];
  const double last = std::ceil((1 + step / 2) / step) - 1;
  // The lower one of two equally near.
  return std::clamp(std::ceil(value / step - 0.5), 0.0, last) * step;
}

/// The midpoints to the neighbouring grid values, those of the outermost gaps at the ends.
std::pair<double, double> CmaEs::State::LimitsAround(Eigen::Index i, double value) const {
  const double step = options.steps[static_cast<std::size_t>(i)];
  const double last = std::ceil((1 + step / 2) / step) - 1;
  const double at = std::nearbyint(Nearest(i, value) / step);
  const auto limit = [&](double k) { return (std::clamp(k, 0.0, last - 1) + 0.5) * step; };
  return {limit(at - 1), limit(at)};
}

Vector CmaEs::State::Encode(const Vector& x) const {
  Vector encoded = x;
  for (Eigen::Index i = 0; i < n; ++i) {
    if (is_discrete(i)) encoded[i] = Nearest(i, (x[i] - mean[i]) * stretch[i] + mean[i]);
  }
  return encoded;
}

CmaEs::CmaEs(const CmaStart& start, const CmaOptions& options) : state_(std::make_unique<State>()) {
  State& s = *state_;
  s.options = options;
  s.rates = RatesOf(start.mean.size(), options.population, options.separable);
  s.n = static_cast<Eigen::Index>(start.mean.size());
  const auto n = static_cast<double>(s.n);
  s.chi_n = std::sqrt(n) * (1 - 1 / (4 * n) + 1 / (21 * n * n));
  s.mean = ToVector(start.mean);
  s.sigma = start.sigma;
  s.path_sigma = Vector::Zero(s.n);
  s.path_c = Vector::Zero(s.n);
  s.stretch = Vector::Ones(s.n);
  s.mean_signal = Vector::Zero(s.n);
  s.covariance_signal = Vector::Zero(s.n * s.n);
  if (options.separable) {
    s.covariance = Matrix::Ones(s.n, 1);
  } else if (start.covariance.empty()) {
    s.covariance = Matrix::Identity(s.n, s.n);
  } else {
    s.covariance = Eigen::Map<const Matrix>(start.covariance.data(), s.n, s.n);
  }
}

CmaEs::CmaEs(CmaEs&&) noexcept = default;
CmaEs& CmaEs::operator=(CmaEs&&) noexcept = default;
CmaEs::~CmaEs() = default;

CmaEs::Point CmaEs::Ask(const std::function<double()>& normal) {
  State& s = *state_;
  const auto inside = [&](const Vector& x) {
    for (Eigen::Index i = 0; i < s.n; ++i) {
      if (!s.is_discrete(i) && (x[i] < 0 || x[i] > 1)) return false;
    }
    return true;
  };
  const Eigen::Index tries = 10 * s.n;
  Vector x = s.Draw(normal);
  for (Eigen::Index i = 1; i <= tries && !inside(x); ++i) x = s.Draw(normal);
  for (Eigen::Index i = 0; i < s.n; ++i) {
    if (!s.is_discrete(i)) x[i] = std::clamp(x[i], 0.0, 1.0);
  }
  return {FromVector(s.Encode(x)), FromVector(x)};
}

double CmaEs::State::UpdatePaths(const Vector& whitened_mean, const Vector& y_mean) {
  const CmaRates& r = rates;
  path_sigma = (1 - r.c_sigma) * path_sigma +
               std::sqrt(r.c_sigma * (2 - r.c_sigma) * r.mu_eff) * whitened_mean;
  const double norm = path_sigma.norm();
  sigma = std::min(sigma * std::exp(r.c_sigma / r.d_sigma * (norm / chi_n - 1)), kSigmaMax);
  const double expected =
      std::sqrt(1 - std::pow(1 - r.c_sigma, 2 * static_cast<double>(generation + 1)));
  const double threshold = (1.4 + 2 / (static_cast<double>(n) + 1)) * chi_n;
  const double h_sigma = norm / expected < threshold ? 1 : 0;
  path_c = (1 - r.c_c) * path_c + h_sigma * std::sqrt(r.c_c * (2 - r.c_c) * r.mu_eff) * y_mean;
  return (1 - h_sigma) * r.c_c * (2 - r.c_c);
}

void CmaEs::State::UpdateSeparable(const Matrix& y, const Vector& y_mean) {
  const double delta = UpdatePaths(y_mean.cwiseQuotient(scale), y_mean);
  double weight_sum = 0;
  Vector rank_mu = Vector::Zero(n);
  for (std::size_t k = 0; k < rates.parents; ++k) {
    weight_sum += rates.weights[k];
    rank_mu += rates.weights[k] * y.col(static_cast<Eigen::Index>(k)).cwiseAbs2();
  }
  covariance.col(0) =
      (1 + rates.c1 * delta - rates.c1 - rates.c_mu * weight_sum) * covariance.col(0) +
      rates.c1 * path_c.cwiseAbs2() + rates.c_mu * rank_mu;
}

void CmaEs::Tell(Solutions solutions) {
  State& s = *state_;
  TW_CHECK(solutions.size() == s.rates.population, "{} solutions for a population of {}",
           solutions.size(), s.rates.population);
  ++s.generation;
  std::stable_sort(solutions.begin(), solutions.end(),
                   [](const auto& a, const auto& b) { return a.second < b.second; });
  s.Decompose();
  s.decomposed = false;
  Matrix y(s.n, static_cast<Eigen::Index>(solutions.size()));
  for (std::size_t k = 0; k < solutions.size(); ++k) {
    y.col(static_cast<Eigen::Index>(k)) = (ToVector(solutions[k].first) - s.mean) / s.sigma;
  }
  Vector y_mean = Vector::Zero(s.n);
  for (std::size_t k = 0; k < s.rates.parents; ++k) {
    y_mean += s.rates.weights[k] * y.col(static_cast<Eigen::Index>(k));
  }
  const Vector old_mean = s.mean;
  const double old_sigma = s.sigma;
  s.mean += s.sigma * y_mean;
  if (s.options.separable) {
    s.UpdateSeparable(y, y_mean);
    return;
  }
  const Matrix old_covariance = s.covariance;
  const Matrix whitening = s.basis * s.scale.cwiseInverse().asDiagonal() * s.basis.transpose();
  const double delta = s.UpdatePaths(whitening * y_mean, y_mean);
  double weight_sum = 0;
  Matrix rank_mu = Matrix::Zero(s.n, s.n);
  for (std::size_t k = 0; k < solutions.size(); ++k) {
    const auto column = y.col(static_cast<Eigen::Index>(k));
    const double weight = s.rates.weights[k];
    weight_sum += weight;
    const double length = weight >= 0 ? 0 : (whitening * column).squaredNorm() + kEps;
    const double scaled = weight >= 0 ? weight : weight * static_cast<double>(s.n) / length;
    rank_mu.noalias() += scaled * column * column.transpose();
  }
  const CmaRates& r = s.rates;
  s.covariance = (1 + r.c1 * delta - r.c1 - r.c_mu * weight_sum) * s.covariance +
                 r.c1 * s.path_c * s.path_c.transpose() + r.c_mu * rank_mu;
  if (s.options.lr_adapt) {
    s.AdaptRates(old_mean, old_sigma, old_sigma * old_sigma * old_covariance, whitening);
  }
  if (s.has_margin()) s.CorrectMargin();
}

void CmaEs::State::AdaptRates(const Vector& old_mean, double old_sigma,
                              const Matrix& old_sigma_matrix, const Matrix& old_whitening) {
  constexpr double kAlpha = 1.4;
  constexpr double kBetaMean = 0.1;
  constexpr double kBetaCovariance = 0.03;
  constexpr double kGamma = 0.1;
  const Vector mean_change = mean - old_mean;
  const Matrix covariance_change = sigma * sigma * covariance - old_sigma_matrix;
  const Matrix whitening = old_whitening / old_sigma;
  const Vector local_mean = whitening * mean_change;
  const Matrix local = whitening * covariance_change * whitening / std::numbers::sqrt2;
  const Vector local_covariance = Eigen::Map<const Vector>(local.data(), local.size());

  const auto adapt = [&](Vector& signal, double& noise, double& rate, const Vector& change,
                         double beta) {
    signal = (1 - beta) * signal + beta * change;
    noise = (1 - beta) * noise + beta * change.squaredNorm();
    const double power = signal.squaredNorm();
    const double ratio = (power - beta / (2 - beta) * noise) / (noise - power);
    const double relative = std::clamp(ratio / kAlpha / rate - 1, -1.0, 1.0);
    rate = std::min(rate * std::exp(std::min(kGamma * rate, beta) * relative), 1.0);
  };
  const double rate_before = mean_rate;
  adapt(mean_signal, mean_noise, mean_rate, local_mean, kBetaMean);
  adapt(covariance_signal, covariance_noise, covariance_rate, local_covariance, kBetaCovariance);

  mean = old_mean + mean_rate * mean_change;
  const Matrix updated = old_sigma_matrix + covariance_rate * covariance_change;
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(updated, Eigen::EigenvaluesOnly);
  const double log_determinant = solver.eigenvalues().array().log().sum();
  sigma = std::min(std::exp(log_determinant / 2 / static_cast<double>(n)), kSigmaMax);
  covariance = updated / (sigma * sigma);
  sigma *= rate_before / mean_rate;
}

/// Keeps at least `margin` probability on the neighbouring values of each discrete dimension.
void CmaEs::State::CorrectMargin() {
  const double margin = 1 / (static_cast<double>(n) * static_cast<double>(rates.population));
  for (Eigen::Index i = 0; i < n; ++i) {
    if (!is_discrete(i)) continue;
    const auto [low, high] = LimitsAround(i, mean[i]);
    const double spread = std::sqrt(covariance(i, i));
    const double scaled = sigma * stretch[i] * spread;
    double below = NormalAt(low, mean[i], scaled);
    double above = 1 - NormalAt(high, mean[i], scaled);
    const double middle = 1 - (below + above);
    if (std::max(below, above) > 0.5) {  // at an end of the range
      if (std::min(below, above) < margin) {
        const double sign = mean[i] > high ? 1 : mean[i] < high ? -1 : 0;
        mean[i] = high + sign * scaled * ChiQuantile(1 - 2 * margin);
      }
      continue;
    }
    below = std::max(below, margin / 2);
    above = std::max(above, margin / 2);
    const double excess = 1 - below - above - middle;
    const double total = below + middle + above - 3 * margin / 2;
    const auto share = [&](double p) {
      return std::clamp(p + excess * (p - margin / 2) / total, 1e-10, 0.5 - 1e-10);
    };
    const double chi_low = ChiQuantile(1 - 2 * share(below));
    const double chi_high = ChiQuantile(1 - 2 * share(above));
    stretch[i] = (high - low) / ((chi_low + chi_high) * sigma * spread);
    mean[i] = (low * chi_high + high * chi_low) / (chi_low + chi_high);
  }
}

std::size_t CmaEs::population() const { return state_->rates.population; }

std::int64_t CmaEs::generation() const { return state_->generation; }

std::vector<double> CmaEs::mean() const { return FromVector(state_->mean); }

double CmaEs::sigma() const { return state_->sigma; }

std::vector<double> CmaEs::covariance() const {
  const State& s = *state_;
  const Matrix full = s.options.separable ? Matrix(s.covariance.col(0).asDiagonal()) : s.covariance;
  return {full.data(), full.data() + full.size()};
}

}  // namespace tw::hpo::internal
