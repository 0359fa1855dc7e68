#include "nn/kernels.h"

#include <immintrin.h>

#include <array>
#include <cstring>
#include <utility>

// Only two builds of the kernels: the baseline x86-64-v3 and AVX-512. v3 does not name AES, which
// Highway asks of AVX2.
#define HWY_DISABLE_PCLMUL_AES 1
#define HWY_DISABLED_TARGETS (~(HWY_AVX2 | HWY_AVX3))
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "nn/kernels.cpp"
#include <hwy/foreach_target.h>
// After foreach_target.
#include <hwy/contrib/math/math-inl.h>
#include <hwy/highway.h>

#ifndef TW_NN_KERNELS_SHARED  // this file is read once for each instruction set
#define TW_NN_KERNELS_SHARED

namespace tw::nn {
namespace {

/// What one product needs; `a` is [rows, k], or [k, rows] when transposed.
struct Product {
  ConstMatrixView a;
  ConstMatrixView b;
  const float* bias;  // [n], null for zero
  MatrixView c;
  std::size_t k;
  bool accumulate;  // start from c instead of the bias
};

}  // namespace
}  // namespace tw::nn
#endif

HWY_BEFORE_NAMESPACE();

namespace tw::nn {
namespace HWY_NAMESPACE {
namespace {

namespace hn = hwy::HWY_NAMESPACE;
using Tag = hn::CappedTag<float, kLanes>;
using Vec = hn::Vec<Tag>;

constexpr std::size_t kWidth = sizeof(Vec) / sizeof(float);
constexpr bool kWide = kWidth == 16;
// Tile sizes: enough independent chains to hide the latency of a multiply-add within the registers
// there are.
constexpr std::size_t kTileRows = 6;
constexpr std::size_t kTileVectors = kWide ? 4 : 2;

// tanh x = x P(x^2) / Q(x^2) on [-9, 9], fitted for least relative error by
// tools/golden/rl/fit_tanh.py.
HWY_INLINE Vec Tanh(Vec value) {
  const Tag d;
  // Min and Max give their second operand when one is NaN: a NaN must stay one.
  const Vec x = hn::Max(hn::Set(d, -9.0F), hn::Min(hn::Set(d, 9.0F), value));
  const Vec y = hn::Mul(x, x);
  Vec p = hn::Set(d, 1.3352837946456475e-08F);
  p = hn::MulAdd(p, y, hn::Set(d, 2.0607769329217263e-05F));
  p = hn::MulAdd(p, y, hn::Set(d, 0.003495508339256048F));
  p = hn::MulAdd(p, y, hn::Set(d, 0.13380958139896393F));
  p = hn::MulAdd(p, y, hn::Set(d, 1.0F));
  Vec q = hn::Set(d, 7.775813060106884e-07F);
  q = hn::MulAdd(q, y, hn::Set(d, 0.0003285504353698343F));
  q = hn::MulAdd(q, y, hn::Set(d, 0.02587667852640152F));
  q = hn::MulAdd(q, y, hn::Set(d, 0.4671427309513092F));
  q = hn::MulAdd(q, y, hn::Set(d, 1.0F));
  const Vec ratio = hn::Div(hn::Mul(x, p), q);
  return hn::Max(hn::Set(d, -1.0F), hn::Min(hn::Set(d, 1.0F), ratio));
}

struct StorePlain {
  HWY_INLINE Vec operator()(Vec value, std::size_t /*row*/, std::size_t /*column*/) const {
    return value;
  }
};

struct StoreTanh {
  HWY_INLINE Vec operator()(Vec value, std::size_t /*row*/, std::size_t /*column*/) const {
    return Tanh(value);
  }
};

struct StoreRelu {
  HWY_INLINE Vec operator()(Vec value, std::size_t /*row*/, std::size_t /*column*/) const {
    return hn::Max(hn::Zero(Tag()), value);
  }
};

struct StoreTanhGradient {
  ConstMatrixView h;

  HWY_INLINE Vec operator()(Vec value, std::size_t row, std::size_t column) const {
    const Tag d;
    const Vec activated = hn::LoadU(d, h.data + row * h.stride + column);
    return hn::Mul(value, hn::NegMulAdd(activated, activated, hn::Set(d, 1.0F)));
  }
};

struct StoreReluGradient {
  ConstMatrixView h;

  HWY_INLINE Vec operator()(Vec value, std::size_t row, std::size_t column) const {
    const Tag d;
    const Vec activated = hn::LoadU(d, h.data + row * h.stride + column);
    return hn::IfThenElseZero(hn::Gt(activated, hn::Zero(d)), value);
  }
};

// One broadcast is alive at a time: the accumulators need nearly all registers.
template <std::size_t... kColumn>
HWY_INLINE void MultiplyRow(Vec narrow, const Vec* wide, Vec* acc,
                            std::index_sequence<kColumn...> /*columns*/) {
  ((acc[kColumn] = hn::MulAdd(narrow, wide[kColumn], acc[kColumn])), ...);
}

// The accumulators are written out by index sequences, not loops: only so does every compiler keep
// them in registers.
template <std::size_t R, std::size_t C, bool kTransposed, std::size_t... kRow,
          std::size_t... kColumn, std::size_t... kCell, class Store>
HWY_INLINE void Tile(const Product& p, std::size_t row, std::size_t column, const Store& store,
                     std::index_sequence<kRow...> /*rows*/,
                     std::index_sequence<kColumn...> /*columns*/,
                     std::index_sequence<kCell...> /*cells*/) {
  const Tag d;
  float* const c = p.c.data + row * p.c.stride + column;
  Vec acc[R * C];
  if (p.accumulate) {
    ((acc[kCell] = hn::LoadU(d, c + kCell / C * p.c.stride + kCell % C * kWidth)), ...);
  } else if (p.bias != nullptr) {
    ((acc[kCell] = hn::LoadU(d, p.bias + column + kCell % C * kWidth)), ...);
  } else {
    ((acc[kCell] = hn::Zero(d)), ...);
  }
  const float* a = kTransposed ? p.a.data + row : p.a.data + row * p.a.stride;
  const float* b = p.b.data + column;
  for (std::size_t i = 0; i < p.k; ++i) {
    const Vec wide[C] = {hn::LoadU(d, b + kColumn * kWidth)...};
    (MultiplyRow(hn::Set(d, kTransposed ? a[kRow] : a[kRow * p.a.stride]), wide, acc + kRow * C,
                 std::index_sequence<kColumn...>()),
     ...);
    b += p.b.stride;
    a += kTransposed ? p.a.stride : 1;
  }
  (hn::StoreU(store(acc[kCell], row + kCell / C, column + kCell % C * kWidth), d,
              c + kCell / C * p.c.stride + kCell % C * kWidth),
   ...);
}

template <std::size_t R, std::size_t C, bool kTransposed, class Store>
HWY_INLINE void TileOf(const Product& p, std::size_t row, std::size_t column, const Store& store) {
  Tile<R, C, kTransposed>(p, row, column, store, std::make_index_sequence<R>(),
                          std::make_index_sequence<C>(), std::make_index_sequence<R * C>());
}

template <std::size_t C, bool kTransposed, class Store>
HWY_INLINE void Panel(const Product& p, std::size_t rows, std::size_t column, const Store& store) {
  constexpr std::size_t kTall = kTileRows * kTileVectors / C;  // as many chains in a narrow panel
  std::size_t row = 0;
  if constexpr (kTall > kTileRows) {
    constexpr std::size_t kRows = kTall < 12 ? kTall : 12;
    for (; row + kRows <= rows; row += kRows) TileOf<kRows, C, kTransposed>(p, row, column, store);
  }
  for (; row + kTileRows <= rows; row += kTileRows) {
    TileOf<kTileRows, C, kTransposed>(p, row, column, store);
  }
  for (; row + 4 <= rows; row += 4) TileOf<4, C, kTransposed>(p, row, column, store);
  for (; row + 2 <= rows; row += 2) TileOf<2, C, kTransposed>(p, row, column, store);
  if (row < rows) TileOf<1, C, kTransposed>(p, row, column, store);
}

template <bool kTransposed, class Store>
HWY_INLINE void Multiply(const Product& p, std::size_t rows, std::size_t n, const Store& store) {
  std::size_t column = 0;
  for (; column + kTileVectors * kWidth <= n; column += kTileVectors * kWidth) {
    Panel<kTileVectors, kTransposed>(p, rows, column, store);
  }
  if constexpr (kTileVectors == 4) {
    if (column + 2 * kWidth <= n) {
      Panel<2, kTransposed>(p, rows, column, store);
      column += 2 * kWidth;
    }
    if (column < n) Panel<1, kTransposed>(p, rows, column, store);
  }
}

void ForwardImpl(const Product& p, std::size_t rows, std::size_t n, Activation activation) {
  switch (activation) {
    case Activation::kIdentity:
      Multiply<false>(p, rows, n, StorePlain());
      break;
    case Activation::kTanh:
      Multiply<false>(p, rows, n, StoreTanh());
      break;
    case Activation::kRelu:
      Multiply<false>(p, rows, n, StoreRelu());
      break;
  }
}

void BackwardImpl(const Product& p, std::size_t rows, std::size_t n, Activation activation,
                  ConstMatrixView h) {
  switch (activation) {
    case Activation::kIdentity:
      Multiply<false>(p, rows, n, StorePlain());
      break;
    case Activation::kTanh:
      Multiply<false>(p, rows, n, StoreTanhGradient{h});
      break;
    case Activation::kRelu:
      Multiply<false>(p, rows, n, StoreReluGradient{h});
      break;
  }
}

void OuterImpl(const Product& p, std::size_t rows, std::size_t n) {
  Multiply<true>(p, rows, n, StorePlain());
}

void ColumnSumsImpl(ConstMatrixView a, std::size_t rows, std::size_t n, bool accumulate,
                    float* sum) {
  const Tag d;
  for (std::size_t column = 0; column < n; column += kWidth) {
    Vec total = accumulate ? hn::LoadU(d, sum + column) : hn::Zero(d);
    for (std::size_t row = 0; row < rows; ++row) {
      total = hn::Add(total, hn::LoadU(d, a.data + row * a.stride + column));
    }
    hn::StoreU(total, d, sum + column);
  }
}

void TanhImpl(float* values, std::size_t n) {
  const Tag d;
  for (std::size_t i = 0; i < n; i += kWidth)
    hn::StoreU(Tanh(hn::LoadU(d, values + i)), d, values + i);
}

void ExpImpl(const float* in, float* out, std::size_t n) {
  const Tag d;
  for (std::size_t i = 0; i < n; i += kWidth)
    hn::StoreU(hn::Exp(d, hn::LoadU(d, in + i)), d, out + i);
}

float SumOfSquaresImpl(const float* values, std::size_t n) {
  const Tag d;
  // Four chains of kLanes partial sums on either instruction set.
  constexpr std::size_t kChains = 4;
  constexpr std::size_t kVectors = kLanes / kWidth;
  alignas(64) std::array<float, kChains * kLanes> partial{};
  Vec acc[kChains * kVectors];
  for (Vec& chain : acc) chain = hn::Zero(d);
  std::size_t i = 0;
  for (; i + kChains * kLanes <= n; i += kChains * kLanes) {
    for (std::size_t v = 0; v < kChains * kVectors; ++v) {
      const Vec x = hn::LoadU(d, values + i + v * kWidth);
      acc[v] = hn::MulAdd(x, x, acc[v]);
    }
  }
  for (; i < n; i += kLanes) {
    for (std::size_t v = 0; v < kVectors; ++v) {
      const Vec x = hn::LoadU(d, values + i + v * kWidth);
      acc[v] = hn::MulAdd(x, x, acc[v]);
    }
  }
  for (std::size_t v = 0; v < kChains * kVectors; ++v)
    hn::StoreU(acc[v], d, partial.data() + v * kWidth);
  for (std::size_t half = partial.size() / 2; half > 0; half /= 2) {
    for (std::size_t j = 0; j < half; ++j) partial[j] += partial[j + half];
  }
  return partial[0];
}

void AddImpl(float* sum, const float* other, std::size_t n) {
  const Tag d;
  for (std::size_t i = 0; i < n; i += kWidth) {
    hn::StoreU(hn::Add(hn::LoadU(d, sum + i), hn::LoadU(d, other + i)), d, sum + i);
  }
}

void AdamImpl(const AdamStep& step, const float* gradient, float* first, float* second,
              float* parameters, std::size_t n) {
  const Tag d;
  const Vec scale = hn::Set(d, step.gradient_scale);
  const Vec keep1 = hn::Set(d, step.keep1);
  const Vec beta2 = hn::Set(d, step.beta2);
  const Vec keep2 = hn::Set(d, step.keep2);
  const Vec step_size = hn::Set(d, step.step_size);
  const Vec bias2 = hn::Set(d, step.inverse_sqrt_bias2);
  const Vec epsilon = hn::Set(d, step.epsilon);
  for (std::size_t i = 0; i < n; i += kWidth) {
    const Vec g = hn::Mul(hn::LoadU(d, gradient + i), scale);
    const Vec m0 = hn::LoadU(d, first + i);
    const Vec m = hn::MulAdd(hn::Sub(g, m0), keep1, m0);
    const Vec v = hn::MulAdd(hn::LoadU(d, second + i), beta2, hn::Mul(hn::Mul(g, g), keep2));
    hn::StoreU(m, d, first + i);
    hn::StoreU(v, d, second + i);
    const Vec denominator = hn::MulAdd(hn::Sqrt(v), bias2, epsilon);
    const Vec change = hn::Div(hn::Mul(step_size, m), denominator);
    hn::StoreU(hn::Sub(hn::LoadU(d, parameters + i), change), d, parameters + i);
  }
}

/// Per row: log-softmax, entropy, ratio, clipped surrogate, and the gradient of the mean loss by
/// the logits.
void CategoricalImpl(const CategoricalLossArgs& args) {
  const Tag d;
  const Vec low = hn::Set(d, 1.0F - args.clip_range);
  const Vec high = hn::Set(d, 1.0F + args.clip_range);
  const Vec scale = hn::Set(d, args.loss_scale);
  const Vec entropy_scale = hn::Set(d, args.loss_scale * args.entropy_coefficient);
  for (std::size_t i = 0; i < args.stride; i += kWidth) {
    float* const logits = args.logits + i;
    Vec largest = hn::LoadU(d, logits);
    for (std::size_t j = 1; j < args.n; ++j) {
      largest = hn::Max(largest, hn::LoadU(d, logits + j * args.stride));
    }
    Vec sum = hn::Zero(d);
    for (std::size_t j = 0; j < args.n; ++j) {
      sum = hn::Add(sum, hn::Exp(d, hn::Sub(hn::LoadU(d, logits + j * args.stride), largest)));
    }
    const Vec log_sum = hn::Add(largest, hn::Log(d, sum));
    const Vec action = hn::LoadU(d, args.actions + i);
    Vec log_prob = hn::Zero(d);
    Vec entropy = hn::Zero(d);
    for (std::size_t j = 0; j < args.n; ++j) {
      const Vec log_p = hn::Sub(hn::LoadU(d, logits + j * args.stride), log_sum);
      hn::StoreU(log_p, d, logits + j * args.stride);
      entropy = hn::NegMulAdd(hn::Exp(d, log_p), log_p, entropy);
      const auto chosen = hn::Eq(action, hn::Set(d, static_cast<float>(j)));
      log_prob = hn::IfThenElse(chosen, log_p, log_prob);
    }
    const Vec log_ratio = hn::Sub(log_prob, hn::LoadU(d, args.old_log_probs + i));
    const Vec ratio = hn::Exp(d, log_ratio);
    hn::StoreU(log_prob, d, args.log_probs + i);
    hn::StoreU(entropy, d, args.entropies + i);
    hn::StoreU(log_ratio, d, args.log_ratios + i);
    hn::StoreU(ratio, d, args.ratios + i);
    // The clipped branch of the minimum has no gradient: up beyond the range for A > 0, down beyond
    // it for A < 0.
    const Vec advantage = hn::LoadU(d, args.advantages + i);
    const auto positive = hn::Gt(advantage, hn::Zero(d));
    const auto cut =
        hn::Or(hn::And(positive, hn::Gt(ratio, high)), hn::AndNot(positive, hn::Lt(ratio, low)));
    const Vec weight = hn::IfThenZeroElse(cut, hn::Neg(hn::Mul(hn::Mul(advantage, ratio), scale)));
    for (std::size_t j = 0; j < args.n; ++j) {
      const Vec log_p = hn::LoadU(d, logits + j * args.stride);
      const Vec p = hn::Exp(d, log_p);
      const auto chosen = hn::Eq(action, hn::Set(d, static_cast<float>(j)));
      const Vec indicator = hn::IfThenElseZero(chosen, hn::Set(d, 1.0F));
      const Vec policy = hn::Mul(weight, hn::Sub(indicator, p));
      const Vec gradient = hn::MulAdd(hn::Mul(entropy_scale, p), hn::Add(log_p, entropy), policy);
      hn::StoreU(gradient, d, logits + j * args.stride);
    }
  }
}

}  // namespace
}  // namespace HWY_NAMESPACE
}  // namespace tw::nn

HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace tw::nn {

HWY_EXPORT(ForwardImpl);
HWY_EXPORT(BackwardImpl);
HWY_EXPORT(OuterImpl);
HWY_EXPORT(ColumnSumsImpl);
HWY_EXPORT(TanhImpl);
HWY_EXPORT(ExpImpl);
HWY_EXPORT(SumOfSquaresImpl);
HWY_EXPORT(AddImpl);
HWY_EXPORT(AdamImpl);
HWY_EXPORT(CategoricalImpl);

void GemmForward(ConstMatrixView x, std::size_t rows, std::size_t k, ConstMatrixView b,
                 const float* bias, std::size_t n, Activation activation, MatrixView y) {
  HWY_DYNAMIC_DISPATCH(ForwardImpl)({x, b, bias, y, k, false}, rows, n, activation);
}

void GemmBackward(ConstMatrixView dy, std::size_t rows, std::size_t k, ConstMatrixView b,
                  std::size_t n, Activation activation, ConstMatrixView h, MatrixView dx) {
  HWY_DYNAMIC_DISPATCH(BackwardImpl)({dy, b, nullptr, dx, k, false}, rows, n, activation, h);
}

void GemmOuter(ConstMatrixView a, ConstMatrixView c, std::size_t rows, std::size_t m, std::size_t n,
               bool accumulate, MatrixView g) {
  HWY_DYNAMIC_DISPATCH(OuterImpl)({a, c, nullptr, g, rows, accumulate}, m, n);
}

void ColumnSums(ConstMatrixView a, std::size_t rows, std::size_t n, bool accumulate, float* sum) {
  HWY_DYNAMIC_DISPATCH(ColumnSumsImpl)(a, rows, n, accumulate, sum);
}

namespace {

/// An 8x8 block; the baseline has AVX, so this needs no choice at run time.
void TransposeBlock(const float* from, std::size_t from_stride, float* to, std::size_t to_stride) {
  __m256 row[8];
  __m256 half[8];
  for (std::size_t i = 0; i < 8; ++i) row[i] = _mm256_loadu_ps(from + i * from_stride);
  for (std::size_t i = 0; i < 8; i += 2) {
    half[i] = _mm256_unpacklo_ps(row[i], row[i + 1]);
    half[i + 1] = _mm256_unpackhi_ps(row[i], row[i + 1]);
  }
  for (std::size_t i = 0; i < 8; i += 4) {
    row[i] = _mm256_shuffle_ps(half[i], half[i + 2], 0x44);
    row[i + 1] = _mm256_shuffle_ps(half[i], half[i + 2], 0xEE);
    row[i + 2] = _mm256_shuffle_ps(half[i + 1], half[i + 3], 0x44);
    row[i + 3] = _mm256_shuffle_ps(half[i + 1], half[i + 3], 0xEE);
  }
  for (std::size_t i = 0; i < 4; ++i) {
    _mm256_storeu_ps(to + i * to_stride, _mm256_permute2f128_ps(row[i], row[i + 4], 0x20));
    _mm256_storeu_ps(to + (i + 4) * to_stride, _mm256_permute2f128_ps(row[i], row[i + 4], 0x31));
  }
}

}  // namespace

void Transpose(ConstMatrixView from, std::size_t rows, std::size_t cols, MatrixView to) {
  constexpr std::size_t kBlock = 8;
  const std::size_t whole_rows = rows / kBlock * kBlock;
  const std::size_t whole_cols = cols / kBlock * kBlock;
  for (std::size_t row = 0; row < whole_rows; row += kBlock) {
    for (std::size_t col = 0; col < whole_cols; col += kBlock) {
      TransposeBlock(from.data + row * from.stride + col, from.stride,
                     to.data + col * to.stride + row, to.stride);
    }
  }
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t first = row < whole_rows ? whole_cols : 0;
    for (std::size_t col = first; col < cols; ++col) {
      to.data[col * to.stride + row] = from.data[row * from.stride + col];
    }
  }
}

void TanhInPlace(float* values, std::size_t n) { HWY_DYNAMIC_DISPATCH(TanhImpl)(values, n); }

void ExpArray(const float* in, float* out, std::size_t n) {
  HWY_DYNAMIC_DISPATCH(ExpImpl)(in, out, n);
}

float SumOfSquares(const float* values, std::size_t n) {
  return HWY_DYNAMIC_DISPATCH(SumOfSquaresImpl)(values, n);
}

void AddInPlace(float* sum, const float* other, std::size_t n) {
  HWY_DYNAMIC_DISPATCH(AddImpl)(sum, other, n);
}

void AdamUpdate(const AdamStep& step, const float* gradient, float* first_moment,
                float* second_moment, float* parameters, std::size_t n) {
  HWY_DYNAMIC_DISPATCH(AdamImpl)(step, gradient, first_moment, second_moment, parameters, n);
}

void CategoricalLoss(const CategoricalLossArgs& args) {
  HWY_DYNAMIC_DISPATCH(CategoricalImpl)(args);
}

std::string KernelName() {
  const std::int64_t usable = hwy::SupportedTargets() & HWY_TARGETS;
  return std::string("highway ") + ((usable & HWY_AVX3) != 0 ? "AVX3" : "AVX2");
}

void ForceAvx2ForTest(bool force) { hwy::SetSupportedTargetsForTest(force ? HWY_AVX2 : 0); }

}  // namespace tw::nn

#endif
