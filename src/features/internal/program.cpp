#include "features/internal/program.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "base/check.h"

namespace tw::features::internal {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

template <class F>
void Map(const double* a, double* out, int count, F f) {
  for (int i = 0; i < count; ++i) out[i] = f(a[i]);
}

template <class F>
void Map(const double* a, const double* b, double* out, int count, F f) {
  for (int i = 0; i < count; ++i) out[i] = f(a[i], b[i]);
}

/// As Map, for answers of yes (1) and no (0): not known when a side is not.
template <class F>
void Test(const double* a, const double* b, double* out, int count, F f) {
  for (int i = 0; i < count; ++i)
    out[i] = std::isunordered(a[i], b[i]) ? kNaN : f(a[i], b[i]) ? 1.0 : 0.0;
}

void RunBinary(Op op, const double* a, const double* b, double* out, int count) {
  switch (op) {
    case Op::kAdd:
      return Map(a, b, out, count, [](double x, double y) { return x + y; });
    case Op::kSub:
      return Map(a, b, out, count, [](double x, double y) { return x - y; });
    case Op::kMul:
      return Map(a, b, out, count, [](double x, double y) { return x * y; });
    case Op::kDiv:
      return Map(a, b, out, count, [](double x, double y) { return x / y; });
    case Op::kPower:
      return Map(a, b, out, count, [](double x, double y) { return std::pow(x, y); });
    case Op::kGreater:
      return Map(a, b, out, count,
                 [](double x, double y) { return std::isunordered(x, y) ? kNaN : std::max(x, y); });
    case Op::kLess:
      return Map(a, b, out, count,
                 [](double x, double y) { return std::isunordered(x, y) ? kNaN : std::min(x, y); });
    case Op::kGt:
      return Test(a, b, out, count, [](double x, double y) { return x > y; });
    case Op::kGe:
      return Test(a, b, out, count, [](double x, double y) { return x >= y; });
    case Op::kLt:
      return Test(a, b, out, count, [](double x, double y) { return x < y; });
    case Op::kLe:
      return Test(a, b, out, count, [](double x, double y) { return x <= y; });
    case Op::kEq:
      return Test(a, b, out, count, [](double x, double y) { return x == y; });
    case Op::kNe:
      return Test(a, b, out, count, [](double x, double y) { return x != y; });
    case Op::kAnd:
      return Test(a, b, out, count, [](double x, double y) { return x != 0 && y != 0; });
    case Op::kOr:
      return Test(a, b, out, count, [](double x, double y) { return x != 0 || y != 0; });
    default:
      TW_CHECK(false, "operator {} is not binary", static_cast<int>(op));
  }
}

void RunUnary(Op op, const double* a, double* out, int count) {
  switch (op) {
    case Op::kAbs:
      return Map(a, out, count, [](double x) { return std::abs(x); });
    case Op::kLog:
      return Map(a, out, count, [](double x) { return x < 0 ? kNaN : std::log(x); });
    case Op::kSign:
      return Map(a, out, count, [](double x) {
        return std::isnan(x) ? kNaN : x > 0 ? 1.0 : x < 0 ? -1.0 : 0.0;
      });
    case Op::kNot:
      return Map(a, out, count, [](double x) { return std::isnan(x) ? kNaN : x == 0 ? 1.0 : 0.0; });
    default:
      TW_CHECK(false, "operator {} is not unary", static_cast<int>(op));
  }
}

}  // namespace

Executor::Executor(std::shared_ptr<const Program> program) : program_(std::move(program)) {
  const auto nodes = program_->graph.nodes();
  for (auto& input : inputs_) input.assign(kRunRows, kNaN);
  storage_.assign(nodes.size() * kRunRows, kNaN);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    double* column = storage_.data() + i * kRunRows;
    if (nodes[i].op == Op::kField) column = inputs_[nodes[i].which].data();
    if (nodes[i].op == Op::kConstant) std::fill_n(column, kRunRows, nodes[i].number);
    columns_.push_back(column);
    operators_.push_back(MakeWindowOperator(nodes[i]));
  }
}

void Executor::FillTime(const Node& node, std::int64_t first_row, int count, double* out) const {
  const std::vector<double>& table = program_->time_tables[node.which];
  const std::int64_t week = program_->rows_per_week;
  auto slot = static_cast<std::size_t>(((first_row % week) + week) % week);
  for (int i = 0; i < count; ++i) {
    out[i] = table[slot];
    slot = slot + 1 == table.size() ? 0 : slot + 1;
  }
}

void Executor::Run(std::int64_t first_row, int count) {
  TW_DCHECK(count <= RowsToRunEnd(first_row), "a run of {} rows from {} crosses a block", count,
            first_row);
  const auto nodes = program_->graph.nodes();
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const Node& node = nodes[i];
    double* out = columns_[i];
    const double* a = node.a >= 0 ? columns_[static_cast<std::size_t>(node.a)] : nullptr;
    const double* b = node.b >= 0 ? columns_[static_cast<std::size_t>(node.b)] : nullptr;
    const double* c = node.c >= 0 ? columns_[static_cast<std::size_t>(node.c)] : nullptr;
    if (node.op == Op::kConstant || node.op == Op::kField) continue;
    if (node.op == Op::kTime) {
      FillTime(node, first_row, count, out);
    } else if (operators_[i]) {
      operators_[i]->Process(first_row, count, a, b, out);
    } else if (node.op == Op::kIf) {
      for (int r = 0; r < count; ++r) out[r] = std::isnan(a[r]) ? kNaN : a[r] != 0 ? b[r] : c[r];
    } else if (b != nullptr) {
      RunBinary(node.op, a, b, out, count);
    } else {
      RunUnary(node.op, a, out, count);
    }
  }
}

}  // namespace tw::features::internal
