#include "training/formula.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace tw::training {
namespace {

// Deeper nesting is a slip, and would cost stack.
constexpr int kMaxDepth = 100;

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

// Recursive descent; writes postfix steps.
class FormulaParser {
 public:
  explicit FormulaParser(std::string_view text) : text_(text) {}

  Result<Formula> Parse() {
    TW_TRY(Sum());
    if (Peek() != '\0') return Fail("an operator");
    return std::move(formula_);
  }

 private:
  using Op = Formula::Op;

  Error Fail(std::string_view wanted) const {
    const std::string found =
        at_ < text_.size() ? fmt::format("'{}'", text_.substr(at_, 12)) : std::string("the end");
    return Error{ErrorCode::kConfig,
                 fmt::format("formula '{}': wanted {} at character {}, found {}", text_, wanted,
                             at_ + 1, found)};
  }

  char Peek() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t'))
      ++at_;
    return at_ < text_.size() ? text_[at_] : '\0';
  }

  bool Take(char c) {
    if (Peek() != c) return false;
    ++at_;
    return true;
  }

  void Emit(Op op) { formula_.steps_.push_back({.op = op}); }

  Result<void> Sum() {
    TW_TRY(Product());
    while (true) {
      if (Take('+')) {
        TW_TRY(Product());
        Emit(Op::kAdd);
      } else if (Take('-')) {
        TW_TRY(Product());
        Emit(Op::kSubtract);
      } else {
        return {};
      }
    }
  }

  Result<void> Product() {
    TW_TRY(Signed());
    while (true) {
      if (Take('*')) {
        TW_TRY(Signed());
        Emit(Op::kMultiply);
      } else if (Take('/')) {
        TW_TRY(Signed());
        Emit(Op::kDivide);
      } else {
        return {};
      }
    }
  }

  Result<void> Signed() {
    if (++depth_ > kMaxDepth) return Fail("less nesting");
    if (Take('-')) {
      TW_TRY(Signed());
      Emit(Op::kNegate);
    } else {
      TW_TRY(Primary());
      if (Take('^')) {
        TW_TRY(Signed());
        Emit(Op::kPower);
      }
    }
    --depth_;
    return {};
  }

  Result<void> Primary() {
    const char c = Peek();
    if (Take('(')) {
      TW_TRY(Sum());
      return Take(')') ? Result<void>() : Fail("')'");
    }
    if (IsDigit(c) || c == '.') return Number();
    if (IsNameStart(c)) return NameOrCall();
    return Fail("a number, a metric or '('");
  }

  Result<void> Number() {
    double value = 0;
    const char* begin = text_.data() + at_;
    const auto [end, error] = std::from_chars(begin, text_.data() + text_.size(), value);
    if (error != std::errc()) return Fail("a number");
    at_ += static_cast<std::size_t>(end - begin);
    formula_.steps_.push_back({.op = Op::kNumber, .number = value});
    return {};
  }

  Result<void> NameOrCall() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && (IsNameStart(text_[at_]) || IsDigit(text_[at_]))) ++at_;
    const std::string_view name = text_.substr(begin, at_ - begin);
    if (Peek() == '(') return Call(name, begin);
    auto found = std::ranges::find(formula_.names_, name);
    if (found == formula_.names_.end()) {
      formula_.names_.emplace_back(name);
      found = formula_.names_.end() - 1;
    }
    formula_.steps_.push_back(
        {.op = Op::kName, .name = static_cast<std::size_t>(found - formula_.names_.begin())});
    return {};
  }

  Result<void> Call(std::string_view name, std::size_t begin) {
    static constexpr std::array<std::pair<std::string_view, Op>, 6> kFunctions = {
        {{"min", Op::kMin},
         {"max", Op::kMax},
         {"abs", Op::kAbs},
         {"sqrt", Op::kSqrt},
         {"log", Op::kLog},
         {"exp", Op::kExp}}};
    const auto* const function =
        std::ranges::find(kFunctions, name, [](const auto& item) { return item.first; });
    if (function == kFunctions.end()) {
      at_ = begin;
      return Fail("one of min, max, abs, sqrt, log, exp before '('");
    }
    Take('(');
    for (int i = 0; i < Formula::ArgumentsOf(function->second); ++i) {
      if (i > 0 && !Take(',')) return Fail("','");
      TW_TRY(Sum());
    }
    if (!Take(')')) return Fail("')'");
    Emit(function->second);
    return {};
  }

  std::string_view text_;
  std::size_t at_ = 0;
  int depth_ = 0;
  Formula formula_;
};

int Formula::ArgumentsOf(Op op) {
  switch (op) {
    case Op::kNumber:
    case Op::kName:
      return 0;
    case Op::kNegate:
    case Op::kAbs:
    case Op::kSqrt:
    case Op::kLog:
    case Op::kExp:
      return 1;
    case Op::kAdd:
    case Op::kSubtract:
    case Op::kMultiply:
    case Op::kDivide:
    case Op::kPower:
    case Op::kMin:
    case Op::kMax:
      return 2;
  }
  return 0;
}

Result<Formula> Formula::Parse(std::string_view text) { return FormulaParser(text).Parse(); }

std::optional<double> Formula::Evaluate(
    const std::function<std::optional<double>(std::string_view name)>& value) const {
  std::vector<double> stack;
  const auto pop = [&stack] {
    const double top = stack.back();
    stack.pop_back();
    return top;
  };
  for (const Step& step : steps_) {
    const int arguments = ArgumentsOf(step.op);
    const double b = arguments > 1 ? pop() : 0;
    const double a = arguments > 0 ? pop() : 0;
    double result = 0;
    switch (step.op) {
      case Op::kNumber:
        result = step.number;
        break;
      case Op::kName: {
        const auto known = value(names_[step.name]);
        if (!known) return std::nullopt;
        result = *known;
        break;
      }
      case Op::kAdd:
        result = a + b;
        break;
      case Op::kSubtract:
        result = a - b;
        break;
      case Op::kMultiply:
        result = a * b;
        break;
      case Op::kDivide:
        result = a / b;
        break;
      case Op::kPower:
        result = std::pow(a, b);
        break;
      case Op::kNegate:
        result = -a;
        break;
      case Op::kMin:
        result = a < b || std::isnan(a) ? a : b;
        break;
      case Op::kMax:
        result = a > b || std::isnan(a) ? a : b;
        break;
      case Op::kAbs:
        result = std::abs(a);
        break;
      case Op::kSqrt:
        result = std::sqrt(a);
        break;
      case Op::kLog:
        result = std::log(a);
        break;
      case Op::kExp:
        result = std::exp(a);
        break;
    }
    stack.push_back(result);
  }
  const double result = pop();
  if (!std::isfinite(result)) return std::nullopt;
  return result;
}

}  // namespace tw::training
