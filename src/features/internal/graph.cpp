#include "features/internal/graph.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <tuple>

#include "base/check.h"

namespace tw::features::internal {
namespace {

constexpr std::array<OpInfo, 35> kFunctions = {{
    {Op::kAdd, "Add", 2, false, "({0} + {1})"},
    {Op::kSub, "Sub", 2, false, "({0} - {1})"},
    {Op::kMul, "Mul", 2, false, "{0} x {1}"},
    {Op::kDiv, "Div", 2, false, "{0} / {1}"},
    {Op::kPower, "Power", 2, false, "{0} to the power {1}"},
    {Op::kGreater, "Greater", 2, false, "the larger of {0} and {1}"},
    {Op::kLess, "Less", 2, false, "the smaller of {0} and {1}"},
    {Op::kGt, "Gt", 2, false, "whether {0} > {1}"},
    {Op::kGe, "Ge", 2, false, "whether {0} >= {1}"},
    {Op::kLt, "Lt", 2, false, "whether {0} < {1}"},
    {Op::kLe, "Le", 2, false, "whether {0} <= {1}"},
    {Op::kEq, "Eq", 2, false, "whether {0} = {1}"},
    {Op::kNe, "Ne", 2, false, "whether {0} differs from {1}"},
    {Op::kAnd, "And", 2, false, "both {0} and {1}"},
    {Op::kOr, "Or", 2, false, "{0} or {1}"},
    {Op::kAbs, "Abs", 1, false, "size of {0}"},
    {Op::kLog, "Log", 1, false, "log of {0}"},
    {Op::kSign, "Sign", 1, false, "sign of {0}"},
    {Op::kNot, "Not", 1, false, "not {0}"},
    {Op::kIf, "If", 3, false, "({1} if {0}, else {2})"},
    {Op::kRef, "Ref", 1, true, "{0} {n} bars ago"},
    {Op::kDelta, "Delta", 1, true, "change of {0} over {n} bars"},
    {Op::kMean, "Mean", 1, true, "mean of {0} over {n} bars"},
    {Op::kSum, "Sum", 1, true, "sum of {0} over {n} bars"},
    {Op::kStd, "Std", 1, true, "standard deviation of {0} over {n} bars"},
    {Op::kVar, "Var", 1, true, "variance of {0} over {n} bars"},
    {Op::kMax, "Max", 1, true, "highest {0} of {n} bars"},
    {Op::kMin, "Min", 1, true, "lowest {0} of {n} bars"},
    {Op::kCount, "Count", 1, true, "number of known {0} in {n} bars"},
    {Op::kEma, "EMA", 1, true, "exponential mean of {0} over {n} bars"},
    {Op::kRank, "Rank", 1, true, "rank (0 to 1) of {0} among its last {n} bars"},
    {Op::kSlope, "Slope", 1, true, "slope a bar of the line through {0} over {n} bars"},
    {Op::kFFill, "FFill", 1, true, "newest known {0} of {n} bars"},
    {Op::kCorr, "Corr", 2, true, "correlation of {0} and {1} over {n} bars"},
    {Op::kCov, "Cov", 2, true, "covariance of {0} and {1} over {n} bars"},
}};
constexpr std::array<std::string_view, kFieldCount> kFields = {"open",  "high",   "low",
                                                               "close", "volume", "spread"};
constexpr std::array<std::string_view, kTimeCount> kTimes = {
    "WeekHour", "WeekHourSin", "WeekHourCos", "TradingHour", "TradingHourSin", "TradingHourCos"};
constexpr std::array<std::string_view, kTimeCount> kTimeMeanings = {
    "hours since the week opened",         "sine of the hour of the week",
    "cosine of the hour of the week",      "hours since 17:00 New York",
    "sine of the hour of the trading day", "cosine of the hour of the trading day"};

std::string_view InfixOf(Op op) {
  switch (op) {
    case Op::kAdd:
      return "+";
    case Op::kSub:
      return "-";
    case Op::kMul:
      return "*";
    case Op::kDiv:
      return "/";
    case Op::kPower:
      return "**";
    case Op::kGt:
      return ">";
    case Op::kGe:
      return ">=";
    case Op::kLt:
      return "<";
    case Op::kLe:
      return "<=";
    case Op::kEq:
      return "==";
    case Op::kNe:
      return "!=";
    case Op::kAnd:
      return "&";
    case Op::kOr:
      return "|";
    default:
      return "";
  }
}

/// Restarting accumulators see up to a block more than their window.
std::int64_t OwnLookback(const Node& node) {
  switch (node.op) {
    case Op::kRef:
    case Op::kDelta:
      return node.window;
    case Op::kMax:
    case Op::kMin:
    case Op::kCount:
    case Op::kRank:
    case Op::kFFill:
      return node.window - 1;
    case Op::kEma:
      return EmaRows(node.number) - 1 + kBlockRows - 1;
    case Op::kMean:
    case Op::kSum:
    case Op::kStd:
    case Op::kVar:
    case Op::kSlope:
    case Op::kCorr:
    case Op::kCov:
      return node.window - 1 + kBlockRows - 1;
    default:
      return 0;
  }
}

std::int64_t OwnWarmup(const Node& node) {
  switch (node.op) {
    case Op::kRef:
    case Op::kDelta:
      return node.window;
    case Op::kEma:
      return static_cast<std::int64_t>(std::ceil(std::log(kEmaWarm) / std::log1p(-node.number)));
    default:
      return node.window > 0 ? node.window - 1 : 0;
  }
}

std::string NumberText(double value) { return fmt::format("{}", value); }

}  // namespace

std::span<const OpInfo> Functions() { return kFunctions; }

std::span<const std::string_view> FieldNames() { return kFields; }

std::span<const std::string_view> TimeNames() { return kTimes; }

const OpInfo& InfoOf(Op op) {
  const auto* found = std::ranges::find(kFunctions, op, &OpInfo::op);
  TW_CHECK(found != kFunctions.end(), "operator {} has no entry", static_cast<int>(op));
  return *found;
}

std::int64_t EmaRows(double alpha) {
  // alpha = 1 keeps the newest value only.
  if (alpha >= 1.0) return 1;
  return std::max<std::int64_t>(
      1, static_cast<std::int64_t>(std::ceil(std::log(kEmaTail) / std::log1p(-alpha))));
}

std::int32_t Graph::Intern(Node node) {
  const auto key = [](const Node& n) {
    return std::make_tuple(n.op, n.which, n.a, n.b, n.c, std::bit_cast<std::uint64_t>(n.number),
                           n.window);
  };
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    if (key(nodes_[i]) == key(node)) return static_cast<std::int32_t>(i);
  }
  node.lookback = 0;
  node.warmup = 0;
  node.depth = 1;
  for (const std::int32_t operand : {node.a, node.b, node.c}) {
    if (operand < 0) continue;
    node.lookback = std::max(node.lookback, at(operand).lookback);
    node.warmup = std::max(node.warmup, at(operand).warmup);
    node.depth = std::max(node.depth, at(operand).depth + 1);
  }
  node.lookback += OwnLookback(node);
  node.warmup += node.op == Op::kEma && node.number >= 1.0 ? 0 : OwnWarmup(node);
  nodes_.push_back(node);
  return static_cast<std::int32_t>(nodes_.size()) - 1;
}

std::string Graph::Canonical(std::int32_t index) const {
  const Node& node = at(index);
  if (node.op == Op::kConstant) return NumberText(node.number);
  if (node.op == Op::kField) return fmt::format("${}", kFields[node.which]);
  if (node.op == Op::kTime) return fmt::format("{}()", kTimes[node.which]);
  const std::string_view infix = InfixOf(node.op);
  if (!infix.empty()) return fmt::format("({}{}{})", Canonical(node.a), infix, Canonical(node.b));
  std::string text = fmt::format("{}({}", InfoOf(node.op).name, Canonical(node.a));
  for (const std::int32_t operand : {node.b, node.c}) {
    if (operand >= 0) text += "," + Canonical(operand);
  }
  // An EMA of a fractional alpha has no window of its own.
  if (node.op == Op::kEma && node.window == 0) {
    text += "," + NumberText(node.number);
  } else if (InfoOf(node.op).window) {
    text += fmt::format(",{}", node.window);
  }
  return text + ")";
}

std::string Graph::Meaning(std::int32_t index) const {
  const Node& node = at(index);
  if (node.op == Op::kConstant) return NumberText(node.number);
  if (node.op == Op::kField) return std::string(kFields[node.which]);
  if (node.op == Op::kTime) return std::string(kTimeMeanings[node.which]);
  std::string text(InfoOf(node.op).meaning);
  const auto replace = [&text](std::string_view mark, const std::string& with) {
    const std::size_t at = text.find(mark);
    if (at != std::string::npos) text.replace(at, mark.size(), with);
  };
  // From the last mark to the first, so that a replaced text is not searched again.
  const std::string window = node.op == Op::kEma && node.window == 0
                                 ? fmt::format("alpha {}", node.number)
                                 : fmt::format("{}", node.window);
  std::string a = Meaning(node.a);
  const std::string b = node.b >= 0 ? Meaning(node.b) : "";
  const std::string c = node.c >= 0 ? Meaning(node.c) : "";
  replace("{n}", window);
  if (window == "1") replace(" 1 bars", " 1 bar");
  replace("{0}", "\x01");
  replace("{1}", "\x02");
  replace("{2}", "\x03");
  replace("\x01", a);
  replace("\x02", b);
  replace("\x03", c);
  return text;
}

void Graph::MarkFields(std::int32_t index, std::span<bool> used) const {
  const Node& node = at(index);
  if (node.op == Op::kField) used[node.which] = true;
  for (const std::int32_t operand : {node.a, node.b, node.c}) {
    if (operand >= 0) MarkFields(operand, used);
  }
}

}  // namespace tw::features::internal
