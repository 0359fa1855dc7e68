#include "training/formula.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cmath>
#include <map>

namespace tw::training {
namespace {

std::optional<double> Evaluate(const std::string& text) {
  const std::map<std::string, double, std::less<>> values = {{"sharpe", 1.5},
                                                             {"max_drawdown", 0.2}};
  const auto formula = Formula::Parse(text);
  EXPECT_TRUE(formula.ok()) << formula.error().message;
  return formula->Evaluate([&](std::string_view name) -> std::optional<double> {
    const auto found = values.find(name);
    return found == values.end() ? std::nullopt : std::optional(found->second);
  });
}

TEST(FormulaTest, PrecedenceAndAssociativityAreThoseOfArithmetic) {
  EXPECT_DOUBLE_EQ(*Evaluate("1 + 2 * 3"), 7);
  EXPECT_DOUBLE_EQ(*Evaluate("(1 + 2) * 3"), 9);
  EXPECT_DOUBLE_EQ(*Evaluate("10 - 4 - 3"), 3);
  EXPECT_DOUBLE_EQ(*Evaluate("2 ^ 3 ^ 2"), 512);
  EXPECT_DOUBLE_EQ(*Evaluate("-2 ^ 2"), -4);
  EXPECT_DOUBLE_EQ(*Evaluate("2 ^ -1"), 0.5);
  EXPECT_DOUBLE_EQ(*Evaluate("12 / 4 / 3"), 1);
  EXPECT_DOUBLE_EQ(*Evaluate("sharpe - 2 * max(0, max_drawdown - 0.1)"), 1.3);
  EXPECT_DOUBLE_EQ(*Evaluate("min(sharpe, 1) + abs(-1) + sqrt(4) + exp(log(3))"), 7);
}

TEST(FormulaTest, WhatIsNotDefinedHasNoValue) {
  EXPECT_FALSE(Evaluate("unknown + 1").has_value());
  EXPECT_FALSE(Evaluate("1 / 0").has_value());
  EXPECT_FALSE(Evaluate("max(0, sqrt(-1))").has_value());
  EXPECT_FALSE(Evaluate("min(sqrt(-1), 0)").has_value());
}

TEST(FormulaTest, FaultsNameThePlace) {
  const auto message = [](const std::string& text) {
    const auto formula = Formula::Parse(text);
    return formula.ok() ? std::string("accepted") : formula.error().message;
  };
  EXPECT_NE(message("").find("at character 1, found the end"), std::string::npos) << message("");
  EXPECT_NE(message("1 + ").find("at character 5"), std::string::npos) << message("1 + ");
  EXPECT_NE(message("1 2").find("wanted an operator at character 3"), std::string::npos);
  EXPECT_NE(message("foo(1)").find("min, max"), std::string::npos);
  EXPECT_NE(message("max(1)").find("','"), std::string::npos);
  EXPECT_NE(message("(1").find("')'"), std::string::npos);
  EXPECT_NE(message(std::string(100'000, '(')).find("nesting"), std::string::npos);
  EXPECT_NE(message(std::string(100'000, '-')).find("nesting"), std::string::npos);
}

RC_GTEST_PROP(FormulaTest, SumsAndProductsAgreeWithTheLanguage, (double a, double b, double c)) {
  RC_PRE(std::isfinite(a) && std::isfinite(b) && std::isfinite(c));
  const auto formula = Formula::Parse("a * b - c / (a + b)").value();
  RC_ASSERT(formula.names() == (std::vector<std::string>{"a", "b", "c"}));
  const auto value = formula.Evaluate([&](std::string_view name) -> std::optional<double> {
    return name == "a" ? a : name == "b" ? b : c;
  });
  const double wanted = a * b - c / (a + b);
  RC_ASSERT(value.has_value() == std::isfinite(wanted));
  if (value) RC_ASSERT(*value == wanted);
}

}  // namespace
}  // namespace tw::training
