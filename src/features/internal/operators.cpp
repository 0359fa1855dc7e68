#include "features/internal/operators.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include "base/check.h"

namespace tw::features::internal {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// high + low, with what rounding took from high kept in low (Knuth's two-sum): about 100 bits for
/// running sums.
struct PairSum {
  double high = 0;
  double low = 0;

  void Add(double value) {
    const double sum = high + value;
    const double back = sum - high;
    low += (high - (sum - back)) + (value - back);
    high = sum;
  }

  /// Adds a * b without rounding the product.
  void AddProduct(double a, double b) {
    const double product = a * b;
    Add(product);
    low += std::fma(a, b, -product);
  }

  double value() const { return high + low; }
};

/// n * q - a * b to full accuracy, for the differences that cancel in variances and slopes.
double CrossDifference(double n, const PairSum& q, const PairSum& a, const PairSum& b) {
  const double left = n * q.high;
  const double left_error = std::fma(n, q.high, -left);
  const double right = a.high * b.high;
  const double right_error = std::fma(a.high, b.high, -right);
  return (left - right) +
         ((left_error - right_error) + (n * q.low - (a.high * b.low + a.low * b.high)));
}

/// The last `window` values; slots of before the start hold NaN.
class Ring {
 public:
  explicit Ring(std::int64_t window)
      : window_(static_cast<std::uint64_t>(window)),
        values_(std::bit_ceil(static_cast<std::size_t>(window)), kNaN),
        mask_(values_.size() - 1) {}

  /// Value `age` rows before the one that comes next; 1 <= age <= window.
  double Old(std::uint64_t age) const { return values_[(next_ - age) & mask_]; }

  double Oldest() const { return values_[(next_ - window_) & mask_]; }

  void ForgetOldest() { values_[(next_ - window_) & mask_] = kNaN; }

  void Push(double value) { values_[next_++ & mask_] = value; }

  std::uint64_t window() const { return window_; }

 private:
  std::uint64_t window_;
  std::vector<double> values_;
  std::uint64_t mask_;
  std::uint64_t next_ = 0;
};

/// Beyond this a square would overflow; such values, infinities with them, count as missing.
constexpr double kLargest = 1e150;

double Known(double value) { return std::abs(value) <= kLargest ? value : kNaN; }

/// Consecutive equal values at the new end: a window of one repeated value gives exactly that value
/// and no spread.
struct EqualRun {
  double last = kNaN;
  std::int64_t length = 0;

  void Add(double value) {
    length = value == last ? length + 1 : 1;
    last = value;
  }
};

struct Moments {
  std::int64_t n = 0;
  PairSum sum;
  EqualRun run;

  void Add(double value) {
    ++n;
    sum.Add(value);
    run.Add(value);
  }

  void Remove(double value) {
    --n;
    sum.Add(-value);
  }

  bool constant() const { return run.length >= n; }
};

struct SumStat : Moments {
  double Value() const {
    if (n == 0) return kNaN;
    return constant() ? run.last * static_cast<double>(n) : sum.value();
  }
};

struct MeanStat : Moments {
  double Value() const {
    if (n == 0) return kNaN;
    return constant() ? run.last : sum.value() / static_cast<double>(n);
  }
};

template <bool root>
struct SpreadStat : Moments {
  PairSum squares;

  void Add(double value) {
    Moments::Add(value);
    squares.AddProduct(value, value);
  }

  void Remove(double value) {
    Moments::Remove(value);
    squares.AddProduct(-value, value);
  }

  double Value() const {
    if (n < 2) return kNaN;
    if (constant()) return 0.0;
    const auto count = static_cast<double>(n);
    const double variance =
        std::max(0.0, CrossDifference(count, squares, sum, sum) / (count * (count - 1.0)));
    return root ? std::sqrt(variance) : variance;
  }
};

/// Sliding statistic of one operand, O(1) a row; at a block's start it is rebuilt from the window's
/// history.
template <class Stat>
class Sliding final : public WindowOperator {
 public:
  explicit Sliding(std::int64_t window) : ring_(window) {}

  void Process(std::int64_t first_row, int count, const double* a, const double* /*b*/,
               double* out) override {
    if (first_row % kBlockRows == 0) Rebuild();
    for (int i = 0; i < count; ++i) {
      const double oldest = ring_.Oldest();
      if (!std::isnan(oldest)) stat_.Remove(oldest);
      const double value = Known(a[i]);
      ring_.Push(value);
      if (!std::isnan(value)) stat_.Add(value);
      out[i] = stat_.Value();
    }
  }

 private:
  void Rebuild() {
    stat_ = Stat{};
    ring_.ForgetOldest();
    for (std::uint64_t age = ring_.window() - 1; age > 0; --age) {
      const double value = ring_.Old(age);
      if (!std::isnan(value)) stat_.Add(value);
    }
  }

  Ring ring_;
  Stat stat_;
};

class Count final : public WindowOperator {
 public:
  explicit Count(std::int64_t window) : ring_(window) {}

  // Qlib counts infinities as present here, unlike in its other windows; this does not.
  void Process(std::int64_t /*first_row*/, int count, const double* a, const double* /*b*/,
               double* out) override {
    for (int i = 0; i < count; ++i) {
      if (!std::isnan(ring_.Oldest())) --present_;
      const double value = Known(a[i]);
      ring_.Push(value);
      if (!std::isnan(value)) ++present_;
      out[i] = static_cast<double>(present_);
    }
  }

 private:
  Ring ring_;
  std::int64_t present_ = 0;
};

/// Least-squares slope on the row's position in the window; NaN rows keep their position (qlib.md
/// section 2.8).
class Slope final : public WindowOperator {
 public:
  explicit Slope(std::int64_t window) : ring_(window) {}

  void Process(std::int64_t first_row, int count, const double* a, const double* /*b*/,
               double* out) override {
    if (first_row % kBlockRows == 0) Rebuild();
    for (int i = 0; i < count; ++i) {
      const double oldest = ring_.Oldest();
      const double value = Known(a[i]);
      ring_.Push(value);
      Step(oldest, value);
      out[i] = Value();
    }
  }

 private:
  struct State {
    Moments y;
    PairSum xy;
    std::int64_t x = 0;   // sum of positions
    std::int64_t xx = 0;  // sum of their squares
  };

  void Step(double oldest, double value) {
    // Every position falls by one, and the oldest leaves from position 0.
    s_.xy.Add(-s_.y.sum.high);
    s_.xy.low -= s_.y.sum.low;
    s_.xx += s_.y.n - 2 * s_.x;
    s_.x -= s_.y.n;
    if (!std::isnan(oldest)) s_.y.Remove(oldest);
    if (std::isnan(value)) return;
    const auto position = static_cast<std::int64_t>(ring_.window());
    s_.y.Add(value);
    s_.xy.AddProduct(static_cast<double>(position), value);
    s_.x += position;
    s_.xx += position * position;
  }

  double Value() const {
    if (s_.y.n < 2) return kNaN;
    if (s_.y.constant()) return 0.0;
    const PairSum x{static_cast<double>(s_.x), 0};
    const double above = CrossDifference(static_cast<double>(s_.y.n), s_.xy, x, s_.y.sum);
    return above / static_cast<double>(s_.y.n * s_.xx - s_.x * s_.x);
  }

  void Rebuild() {
    s_ = State{};
    ring_.ForgetOldest();
    for (std::uint64_t age = ring_.window() - 1; age > 0; --age) Step(kNaN, ring_.Old(age));
  }

  Ring ring_;
  State s_;
};

/// Covariance and correlation over the rows where both operands are there; ddof 1.
template <bool correlation>
class Joint final : public WindowOperator {
 public:
  explicit Joint(std::int64_t window) : a_(window), b_(window) {}

  void Process(std::int64_t first_row, int count, const double* a, const double* b,
               double* out) override {
    if (first_row % kBlockRows == 0) Rebuild();
    for (int i = 0; i < count; ++i) {
      if (!std::isnan(a_.Oldest())) Remove(a_.Oldest(), b_.Oldest());
      const bool both = std::abs(a[i]) <= kLargest && std::abs(b[i]) <= kLargest;
      a_.Push(both ? a[i] : kNaN);
      b_.Push(both ? b[i] : kNaN);
      if (both) Add(a[i], b[i]);
      out[i] = Value();
    }
  }

 private:
  struct State {
    SpreadStat<false> a;
    SpreadStat<false> b;
    PairSum products;
  };

  void Add(double a, double b) {
    s_.a.Add(a);
    s_.b.Add(b);
    s_.products.AddProduct(a, b);
  }

  void Remove(double a, double b) {
    s_.a.Remove(a);
    s_.b.Remove(b);
    s_.products.AddProduct(-a, b);
  }

  double Value() const {
    if (s_.a.n < 2) return kNaN;
    const bool flat = s_.a.constant() || s_.b.constant();
    if (flat) return correlation ? kNaN : 0.0;
    const auto n = static_cast<double>(s_.a.n);
    const double cross = CrossDifference(n, s_.products, s_.a.sum, s_.b.sum);
    if (!correlation) return cross / (n * (n - 1.0));
    const double scale = std::sqrt(CrossDifference(n, s_.a.squares, s_.a.sum, s_.a.sum)) *
                         std::sqrt(CrossDifference(n, s_.b.squares, s_.b.sum, s_.b.sum));
    return scale > 0 ? std::clamp(cross / scale, -1.0, 1.0) : kNaN;
  }

  void Rebuild() {
    s_ = State{};
    a_.ForgetOldest();
    b_.ForgetOldest();
    for (std::uint64_t age = a_.window() - 1; age > 0; --age) {
      if (!std::isnan(a_.Old(age))) Add(a_.Old(age), b_.Old(age));
    }
  }

  Ring a_;
  Ring b_;
  State s_;
};

/// Highest (or lowest) of the window by a queue of candidates, each beaten by none after it. Exact:
/// nothing to rebuild.
template <bool highest>
class Extreme final : public WindowOperator {
 public:
  explicit Extreme(std::int64_t window)
      : window_(static_cast<std::uint64_t>(window)),
        queue_(std::bit_ceil(window_)),
        mask_(queue_.size() - 1) {}

  void Process(std::int64_t /*first_row*/, int count, const double* a, const double* /*b*/,
               double* out) override {
    for (int i = 0; i < count; ++i, ++row_) {
      if (head_ != tail_ && queue_[head_ & mask_].row + window_ <= row_) ++head_;
      const double value = a[i];
      if (std::isfinite(value)) {
        while (head_ != tail_ && Beats(value, queue_[(tail_ - 1) & mask_].value)) --tail_;
        queue_[tail_++ & mask_] = {value, row_};
      }
      out[i] = head_ != tail_ ? queue_[head_ & mask_].value : kNaN;
    }
  }

 private:
  struct Candidate {
    double value;
    std::uint64_t row;
  };

  static bool Beats(double a, double b) { return highest ? a >= b : a <= b; }

  std::uint64_t window_;
  std::vector<Candidate> queue_;
  std::uint64_t mask_;
  std::uint64_t row_ = 0;
  std::uint64_t head_ = 0;  // oldest candidate
  std::uint64_t tail_ = 0;
};

template <bool difference>
class Lag final : public WindowOperator {
 public:
  explicit Lag(std::int64_t window) : ring_(window) {}

  void Process(std::int64_t /*first_row*/, int count, const double* a, const double* /*b*/,
               double* out) override {
    for (int i = 0; i < count; ++i) {
      const double old = ring_.Oldest();
      ring_.Push(a[i]);
      out[i] = difference ? a[i] - old : old;
    }
  }

 private:
  Ring ring_;
};

/// (values below + (values equal + 1) / 2) / values, itself included. O(window) a row.
class Rank final : public WindowOperator {
 public:
  explicit Rank(std::int64_t window) : ring_(window) {}

  void Process(std::int64_t /*first_row*/, int count, const double* a, const double* /*b*/,
               double* out) override {
    for (int i = 0; i < count; ++i) {
      const double value = Known(a[i]);
      ring_.Push(value);
      out[i] = std::isnan(value) ? kNaN : RankOf(value);
    }
  }

 private:
  double RankOf(double value) const {
    std::int64_t below = 0;
    std::int64_t equal = 0;
    std::int64_t known = 0;
    for (std::uint64_t age = 1; age <= ring_.window(); ++age) {
      const double other = ring_.Old(age);
      below += other < value ? 1 : 0;
      equal += other == value ? 1 : 0;
      known += std::isnan(other) ? 0 : 1;
    }
    return (static_cast<double>(below) + (static_cast<double>(equal) + 1.0) / 2.0) /
           static_cast<double>(known);
  }

  Ring ring_;
};

/// The newest value that is there among the last `window` rows.
class FillForward final : public WindowOperator {
 public:
  explicit FillForward(std::int64_t window) : window_(window) {}

  void Process(std::int64_t /*first_row*/, int count, const double* a, const double* /*b*/,
               double* out) override {
    for (int i = 0; i < count; ++i) {
      if (!std::isnan(a[i])) {
        last_ = a[i];
        age_ = 0;
      } else if (++age_ >= window_) {
        last_ = kNaN;
      }
      out[i] = last_;
    }
  }

 private:
  std::int64_t window_;
  double last_ = kNaN;
  std::int64_t age_ = 0;
};

/// pandas' adjusted exponential mean: weights (1 - alpha)^age over the rows that have a value, NaN
/// rows ageing them. At a block's start it is rebuilt from the last EmaRows(alpha) rows; what is
/// older weighs less than kEmaTail.
class Ema final : public WindowOperator {
 public:
  explicit Ema(double alpha) : decay_(1.0 - alpha), ring_(EmaRows(alpha)) {}

  void Process(std::int64_t first_row, int count, const double* a, const double* /*b*/,
               double* out) override {
    if (first_row % kBlockRows == 0) {
      mean_ = kNaN;
      for (std::uint64_t age = ring_.window() - 1; age > 0; --age) Step(ring_.Old(age));
    }
    for (int i = 0; i < count; ++i) {
      const double value = Known(a[i]);
      ring_.Push(value);
      Step(value);
      out[i] = mean_;
    }
  }

 private:
  void Step(double value) {
    if (std::isnan(mean_)) {
      mean_ = value;
      weight_ = 1.0;
      return;
    }
    weight_ *= decay_;
    if (std::isnan(value)) return;
    if (value != mean_) mean_ = (weight_ * mean_ + value) / (weight_ + 1.0);
    weight_ += 1.0;
  }

  double decay_;
  Ring ring_;
  double mean_ = kNaN;
  double weight_ = 1.0;
};

}  // namespace

std::unique_ptr<WindowOperator> MakeWindowOperator(const Node& node) {
  switch (node.op) {
    case Op::kRef:
      return std::make_unique<Lag<false>>(node.window);
    case Op::kDelta:
      return std::make_unique<Lag<true>>(node.window);
    case Op::kMean:
      return std::make_unique<Sliding<MeanStat>>(node.window);
    case Op::kSum:
      return std::make_unique<Sliding<SumStat>>(node.window);
    case Op::kStd:
      return std::make_unique<Sliding<SpreadStat<true>>>(node.window);
    case Op::kVar:
      return std::make_unique<Sliding<SpreadStat<false>>>(node.window);
    case Op::kMax:
      return std::make_unique<Extreme<true>>(node.window);
    case Op::kMin:
      return std::make_unique<Extreme<false>>(node.window);
    case Op::kCount:
      return std::make_unique<Count>(node.window);
    case Op::kEma:
      return std::make_unique<Ema>(node.number);
    case Op::kRank:
      return std::make_unique<Rank>(node.window);
    case Op::kSlope:
      return std::make_unique<Slope>(node.window);
    case Op::kFFill:
      return std::make_unique<FillForward>(node.window);
    case Op::kCorr:
      return std::make_unique<Joint<true>>(node.window);
    case Op::kCov:
      return std::make_unique<Joint<false>>(node.window);
    default:
      return nullptr;
  }
}

}  // namespace tw::features::internal
