#pragma once

// Series and oracle numbers shared by the tests of this module.

#include <cstdint>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace tw::eval {

/// The generator of metrics.md section 9.1.
class NoiseSeries {
 public:
  explicit NoiseSeries(std::uint64_t seed) : x_(seed) {}

  /// mu + sd 2 ((u1 + u2 + u3) - 1.5).
  double Next(double mu, double sd) {
    double total = 0;
    for (int i = 0; i < 3; ++i) {
      x_ = (1103515245U * x_ + 12345U) % (1ULL << 31U);
      total += static_cast<double>(x_) / 2147483648.0;
    }
    return mu + sd * 2 * (total - 1.5);
  }

 private:
  std::uint64_t x_;
};

inline std::vector<double> SeriesG() {
  NoiseSeries noise(42);
  std::vector<double> out;
  for (int i = 0; i < 250; ++i) out.push_back(noise.Next(0.0004, 0.006));
  return out;
}

inline std::vector<double> Autoregressive(std::uint64_t seed, int count, double phi) {
  NoiseSeries noise(seed);
  std::vector<double> out;
  double last = 0;
  for (int i = 0; i < count; ++i) out.push_back(last = phi * last + noise.Next(0, 1));
  return out;
}

inline std::vector<double> Wealth(const std::vector<double>& returns) {
  std::vector<double> out = {1};
  for (const double r : returns) out.push_back(out.back() * (1 + r));
  return out;
}

/// Lines of tests/golden/eval/oracle.txt (tools/golden/eval_golden.py) with this name, their
/// numbers.
inline std::vector<std::vector<double>> Oracle(const std::string& name) {
  std::ifstream in(TW_SOURCE_DIR "/tests/golden/eval/oracle.txt");
  std::vector<std::vector<double>> out;
  std::string line;
  while (std::getline(in, line)) {
    std::istringstream words(line);
    std::string first;
    words >> first;
    if (first != name) continue;
    out.emplace_back();
    for (double x = 0; words >> x;) out.back().push_back(x);
  }
  return out;
}

}  // namespace tw::eval
