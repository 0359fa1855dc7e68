#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <string>

#include "base/config.h"
#include "features/internal/graph.h"

namespace tw::features::internal {
namespace {

/// Names of Qlib that are known but not offered, so that none of them is taken for a slip of the
/// keyboard.
constexpr std::array<std::string_view, 20> kElsewhere = {"Mask",     "ChangeInstrument",
                                                         "P",        "PRef",
                                                         "Rolling",  "TResample",
                                                         "Skew",     "Kurt",
                                                         "Med",      "Mad",
                                                         "Quantile", "WMA",
                                                         "IdxMax",   "IdxMin",
                                                         "Rsquare",  "Resi",
                                                         "Feature",  "DayLast",
                                                         "Cut",      "Select"};

constexpr std::size_t kMaxLength = 4'000;
constexpr int kMaxDepth = 100;
constexpr std::size_t kMaxNodes = 5'000;

bool IsNameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool IsDigit(char c) { return c >= '0' && c <= '9'; }

/// A value while parsing: a plain number (folded as it goes) or a node.
struct Value {
  bool is_number = false;
  double number = 0;
  std::int32_t node = -1;
  std::size_t at = 0;  // where it began in the text
};

double Fold(Op op, double a, double b) {
  switch (op) {
    case Op::kAdd:
      return a + b;
    case Op::kSub:
      return a - b;
    case Op::kMul:
      return a * b;
    case Op::kDiv:
      return a / b;
    default:
      return std::pow(a, b);
  }
}

/// Recursive descent with Python's precedence, as Qlib's formulas have it: comparisons bind
/// loosest, then |, &, + and
/// -, * and /, a sign, and ** (to the right).
class Parser {
 public:
  Parser(std::string_view text, Graph& graph) : text_(text), graph_(graph) {}

  Result<std::int32_t> Parse() {
    if (text_.size() > kMaxLength) {
      return Error{ErrorCode::kConfig,
                   fmt::format("a formula of {} characters, at most {} are allowed", text_.size(),
                               kMaxLength)};
    }
    Value value = TW_TRY(Comparison(0));
    SkipBlanks();
    if (pos_ < text_.size()) return Unexpected("an operator or the end");
    if (value.is_number)
      return Fail(value.at, "a formula must use the bar or the time, this is only a number");
    return value.node;
  }

 private:
  using Rule = Result<Value> (Parser::*)(int depth);

  Error Fail(std::size_t at, std::string_view message) const {
    return {ErrorCode::kConfig, fmt::format("column {}: {}", at + 1, message)};
  }

  Error Unexpected(std::string_view wanted) const {
    if (pos_ >= text_.size())
      return Fail(text_.size(), fmt::format("the formula ends where {} should stand", wanted));
    const char c = text_[pos_];
    std::string token;
    if (IsNameStart(c) || IsDigit(c)) {
      std::size_t end = pos_;
      while (end < text_.size() && (IsNameStart(text_[end]) || IsDigit(text_[end]))) ++end;
      token = text_.substr(pos_, end - pos_);
    } else if (c >= ' ' && c < 127) {
      token = std::string(1, c);
    } else {
      token = fmt::format("byte {:#04x}", static_cast<unsigned char>(c));
    }
    std::string_view hint;
    if (c == '%' || c == '~' || c == '[' || c == '^') hint = "; Qlib has no such operator";
    if (c == '=') hint = "; equality is ==";
    if (c == '\'' || c == '"')
      hint = "; other instruments (Mask, ChangeInstrument) cannot be used here";
    return Fail(pos_, fmt::format("'{}' where {} should stand{}", token, wanted, hint));
  }

  void SkipBlanks() {
    while (pos_ < text_.size() &&
           (text_[pos_] == ' ' || text_[pos_] == '\t' || text_[pos_] == '\n'))
      ++pos_;
  }

  bool Take(std::string_view token) {
    SkipBlanks();
    if (text_.substr(pos_, token.size()) != token) return false;
    pos_ += token.size();
    return true;
  }

  /// `*` but not `**`, `>` but not `>=`, `=` never alone.
  bool TakeOperator(std::string_view token) {
    SkipBlanks();
    if (text_.substr(pos_, token.size()) != token) return false;
    if (token == "*" && text_.substr(pos_, 2) == "**") return false;
    if (token == "/" && text_.substr(pos_, 2) == "//") return false;
    pos_ += token.size();
    return true;
  }

  std::int32_t NodeOf(const Value& value) {
    if (!value.is_number) return value.node;
    Node node;
    node.op = Op::kConstant;
    node.number = value.number;
    return graph_.Intern(node);
  }

  Result<Value> Make(Node node, std::size_t at) {
    const std::int32_t index = graph_.Intern(node);
    if (graph_.at(index).depth > kMaxDepth)
      return Fail(at, fmt::format("nested deeper than {}", kMaxDepth));
    if (graph_.nodes().size() > kMaxNodes)
      return Fail(at, fmt::format("more than {} operations", kMaxNodes));
    return Value{false, 0, index, at};
  }

  Result<Value> Binary(Op op, const Value& a, const Value& b) {
    if (a.is_number && b.is_number && op >= Op::kAdd && op <= Op::kPower) {
      const double folded = Fold(op, a.number, b.number);
      if (!std::isfinite(folded)) return Fail(a.at, "the numbers here do not give a finite number");
      return Value{true, folded, -1, a.at};
    }
    if (a.is_number && b.is_number) return Fail(a.at, "only numbers are compared here");
    Node node;
    node.op = op;
    node.a = NodeOf(a);
    node.b = NodeOf(b);
    return Make(node, a.at);
  }

  struct Infix {
    std::string_view token;
    Op op;
  };

  template <std::size_t N>
  Result<Value> LeftAssociative(const std::array<Infix, N>& infixes, Rule operand, int depth) {
    Value left = TW_TRY((this->*operand)(depth));
    for (;;) {
      const Infix* found = nullptr;
      for (const Infix& infix : infixes) {
        if (TakeOperator(infix.token)) {
          found = &infix;
          break;
        }
      }
      if (found == nullptr) return left;
      const Value right = TW_TRY((this->*operand)(depth));
      left = TW_TRY(Binary(found->op, left, right));
    }
  }

  Result<Value> Comparison(int depth) {
    static constexpr std::array<Infix, 6> kComparisons = {{{">=", Op::kGe},
                                                           {"<=", Op::kLe},
                                                           {"==", Op::kEq},
                                                           {"!=", Op::kNe},
                                                           {">", Op::kGt},
                                                           {"<", Op::kLt}}};
    if (depth > kMaxDepth) return Fail(pos_, fmt::format("nested deeper than {}", kMaxDepth));
    Value left = TW_TRY(Or(depth));
    bool compared = false;
    for (;;) {
      const Infix* found = nullptr;
      const std::size_t at = pos_;
      for (const Infix& infix : kComparisons) {
        if (TakeOperator(infix.token)) {
          found = &infix;
          break;
        }
      }
      if (found == nullptr) return left;
      if (compared) return Fail(at, "comparisons cannot be chained: write (a > b) & (b > c)");
      compared = true;
      const Value right = TW_TRY(Or(depth));
      left = TW_TRY(Binary(found->op, left, right));
    }
  }

  Result<Value> Or(int depth) {
    static constexpr std::array<Infix, 1> kInfix = {{{"|", Op::kOr}}};
    return LeftAssociative(kInfix, &Parser::And, depth);
  }

  Result<Value> And(int depth) {
    static constexpr std::array<Infix, 1> kInfix = {{{"&", Op::kAnd}}};
    return LeftAssociative(kInfix, &Parser::Sum, depth);
  }

  Result<Value> Sum(int depth) {
    static constexpr std::array<Infix, 2> kInfix = {{{"+", Op::kAdd}, {"-", Op::kSub}}};
    return LeftAssociative(kInfix, &Parser::Term, depth);
  }

  Result<Value> Term(int depth) {
    static constexpr std::array<Infix, 2> kInfix = {{{"*", Op::kMul}, {"/", Op::kDiv}}};
    return LeftAssociative(kInfix, &Parser::Signed, depth);
  }

  Result<Value> Signed(int depth) {
    SkipBlanks();
    const std::size_t at = pos_;
    if (depth > kMaxDepth) return Fail(pos_, fmt::format("nested deeper than {}", kMaxDepth));
    const bool minus = Take("-");
    if (!minus && !Take("+")) return Power(depth);
    const Value value = TW_TRY(Signed(depth + 1));
    if (!value.is_number) {
      return Fail(at, fmt::format("Qlib has no unary {}: write {}", minus ? "minus" : "plus",
                                  minus ? "0-x" : "x"));
    }
    return Value{true, minus ? -value.number : value.number, -1, at};
  }

  Result<Value> Power(int depth) {
    const Value base = TW_TRY(Primary(depth));
    if (!Take("**")) return base;
    const Value exponent = TW_TRY(Signed(depth + 1));
    return Binary(Op::kPower, base, exponent);
  }

  Result<Value> Primary(int depth) {
    SkipBlanks();
    if (pos_ >= text_.size()) return Unexpected("a value");
    const char c = text_[pos_];
    if (c == '(') {
      const std::size_t at = pos_++;
      const Value value = TW_TRY(Comparison(depth + 1));
      if (!Take(")"))
        return pos_ >= text_.size() ? Fail(at, "this parenthesis is never closed")
                                    : Unexpected("')'");
      return value;
    }
    if (IsDigit(c) || c == '.') return Number();
    if (c == '$') return FieldName();
    if (IsNameStart(c)) return Call(depth);
    return Unexpected("a value");
  }

  Result<Value> Number() {
    const std::size_t at = pos_;
    std::size_t end = pos_;
    const auto digits = [&] {
      const std::size_t from = end;
      while (end < text_.size() && IsDigit(text_[end])) ++end;
      return end > from;
    };
    bool any = digits();
    if (end < text_.size() && text_[end] == '.') {
      ++end;
      any = digits() || any;
    }
    if (any && end < text_.size() && (text_[end] == 'e' || text_[end] == 'E')) {
      ++end;
      if (end < text_.size() && (text_[end] == '+' || text_[end] == '-')) ++end;
      any = digits();
    }
    const std::string token(text_.substr(at, end - at));
    const double number = any ? std::strtod(token.c_str(), nullptr) : 0.0;
    if (!any || !std::isfinite(number) || (end < text_.size() && IsNameStart(text_[end]))) {
      return Fail(at, fmt::format("'{}' is no number",
                                  text_.substr(at, end - at + (end < text_.size() ? 1 : 0))));
    }
    pos_ = end;
    return Value{true, number, -1, at};
  }

  std::string Name() {
    const std::size_t from = pos_;
    while (pos_ < text_.size() && (IsNameStart(text_[pos_]) || IsDigit(text_[pos_]))) ++pos_;
    return std::string(text_.substr(from, pos_ - from));
  }

  Result<Value> FieldName() {
    const std::size_t at = pos_++;
    if (pos_ < text_.size() && text_[pos_] == '$') {
      return Fail(at, "point-in-time data ($$name) are for fundamentals, there are none here");
    }
    const std::string name = Name();
    std::string lower = name;
    for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    std::vector<std::string> known;
    for (std::size_t i = 0; i < FieldNames().size(); ++i) {
      if (FieldNames()[i] == lower) {
        Node node;
        node.op = Op::kField;
        node.which = static_cast<std::uint8_t>(i);
        return Make(node, at);
      }
      known.emplace_back(FieldNames()[i]);
    }
    const auto near = NearestWord(lower, known);
    return Fail(
        at,
        near ? fmt::format("'${}' is no field (did you mean '${}'?)", name, *near)
             : fmt::format("'${}' is no field; there are $open $high $low $close $volume $spread",
                           name));
  }

  Result<Value> Call(int depth) {
    const std::size_t at = pos_;
    const std::string name = Name();
    if (!Take("(")) {
      return Fail(
          at, fmt::format("'{}' is neither a number, a $field nor a function with its parenthesis",
                          name));
    }
    for (std::size_t i = 0; i < TimeNames().size(); ++i) {
      if (TimeNames()[i] != name) continue;
      if (!Take(")")) return Unexpected(fmt::format("')' ({} takes nothing)", name));
      Node node;
      node.op = Op::kTime;
      node.which = static_cast<std::uint8_t>(i);
      return Make(node, at);
    }
    for (const OpInfo& info : Functions()) {
      if (info.name == name) return Arguments(info, at, depth);
    }
    if (std::ranges::find(kElsewhere, name) != kElsewhere.end()) {
      return Fail(at, fmt::format("Qlib's {} is not available here", name));
    }
    std::vector<std::string> known;
    for (const OpInfo& info : Functions()) known.emplace_back(info.name);
    for (const std::string_view time : TimeNames()) known.emplace_back(time);
    const auto near = NearestWord(name, known);
    return Fail(at, near ? fmt::format("'{}' is no function (did you mean '{}'?)", name, *near)
                         : fmt::format("'{}' is no function here", name));
  }

  Result<Value> Arguments(const OpInfo& info, std::size_t at, int depth) {
    std::vector<Value> arguments;
    if (!Take(")")) {
      do {
        arguments.push_back(TW_TRY(Comparison(depth + 1)));
      } while (Take(","));
      if (!Take(")")) {
        return pos_ >= text_.size()
                   ? Fail(at, fmt::format("the parenthesis of {} is never closed", info.name))
                   : Unexpected("',' or ')'");
      }
    }
    const std::size_t wanted = static_cast<std::size_t>(info.operands) + (info.window ? 1U : 0U);
    if (arguments.size() != wanted) {
      return Fail(at, fmt::format("{} takes {} argument{}, not {}", info.name, wanted,
                                  wanted == 1 ? "" : "s", arguments.size()));
    }
    if (!info.window && arguments.size() == 2) return Binary(info.op, arguments[0], arguments[1]);
    Node node;
    node.op = info.op;
    bool varies = false;
    for (std::size_t i = 0; i < static_cast<std::size_t>(info.operands); ++i) {
      if (info.window && arguments[i].is_number) {
        return Fail(arguments[i].at,
                    fmt::format("{} needs an expression here, not a number", info.name));
      }
      varies = varies || !arguments[i].is_number;
      (i == 0 ? node.a : i == 1 ? node.b : node.c) = NodeOf(arguments[i]);
    }
    if (!varies) return Fail(at, fmt::format("{} of numbers only", info.name));
    if (info.window) TW_TRY(BindWindow(info, arguments.back(), node));
    return Make(node, at);
  }

  Status BindWindow(const OpInfo& info, const Value& value, Node& node) const {
    if (!value.is_number)
      return Fail(value.at, fmt::format("the window of {} must be a number", info.name));
    const double n = value.number;
    if (n < 0) {
      return Fail(
          value.at,
          fmt::format(
              "{} with {} would read bars that are not there yet: a feature at the close of "
              "a bar is a function of that bar and earlier ones only (no look-ahead)",
              info.name, n));
    }
    if (n == 0 && (info.op != Op::kRef && info.op != Op::kDelta)) {
      return Fail(value.at,
                  fmt::format("{} with window 0 (expanding) would depend on where the data begin",
                              info.name));
    }
    if (n == 0) return Fail(value.at, fmt::format("{} needs at least 1 bar", info.name));
    if (info.op == Op::kEma) {
      // Qlib: a number below 1 is alpha itself, others are a span. Limits first: what is beyond
      // them does not fit into an integer.
      const double alpha = n < 1 ? n : 2.0 / (n + 1.0);
      if (alpha < 2.0 / (static_cast<double>(kMaxWindow) + 1.0)) {
        return Fail(value.at, fmt::format("EMA with {}: longer than {} bars", n, kMaxWindow));
      }
      if (n >= 1 && n != std::floor(n)) {
        return Fail(value.at, fmt::format("EMA with {}: a span is a whole number", n));
      }
      node.number = alpha;
      node.window = n < 1 ? 0 : static_cast<std::int64_t>(n);
      return {};
    }
    if (n != std::floor(n)) {
      return Fail(
          value.at,
          fmt::format("{} with {}: a window is a whole number of bars (for exponential weights use "
                      "EMA)",
                      info.name, n));
    }
    if (n > static_cast<double>(kMaxWindow)) {
      return Fail(value.at,
                  fmt::format("{} with {}: longer than {} bars", info.name, n, kMaxWindow));
    }
    node.window = static_cast<std::int64_t>(n);
    return {};
  }

  std::string_view text_;
  Graph& graph_;
  std::size_t pos_ = 0;
};

}  // namespace

Result<std::int32_t> ParseFormula(std::string_view text, Graph& graph) {
  return Parser(text, graph).Parse();
}

}  // namespace tw::features::internal
