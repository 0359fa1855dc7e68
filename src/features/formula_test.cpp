#include <gtest/gtest.h>

#include <string>

#include "features/feature_set.h"
#include "features/internal/graph.h"

namespace tw::features {
namespace {

std::string Canonical(const std::string& formula) {
  internal::Graph graph;
  const auto node = internal::ParseFormula(formula, graph);
  return node.ok() ? graph.Canonical(*node) : node.error().message;
}

TEST(FormulaTest, PrecedenceIsPythons) {
  EXPECT_EQ(Canonical("$open+$high*$low**2"), "($open+($high*($low**2)))");
  EXPECT_EQ(Canonical("$open-$high-$low"), "(($open-$high)-$low)");
  EXPECT_EQ(Canonical("$open/$high*$low"), "(($open/$high)*$low)");
  EXPECT_EQ(Canonical("$open**$high**$low"), "($open**($high**$low))");
  EXPECT_EQ(Canonical("$open**-1"), "($open**-1)");
  EXPECT_EQ(Canonical("-2**2+$open"), "(-4+$open)");
  // & and | bind tighter than comparisons, as in Qlib.
  EXPECT_EQ(Canonical("$open>$high&$low"), "($open>($high&$low))");
  EXPECT_EQ(Canonical("($open>1)|($high>1)&($low>1)"), "(($open>1)|(($high>1)&($low>1)))");
}

TEST(FormulaTest, NumbersAreFoldedAndFieldsTakeAnyCase) {
  EXPECT_EQ(Canonical("$close*(1+2)/4"), "(($close*3)/4)");
  EXPECT_EQ(Canonical(" $Close + 1e-12 "), "($close+1e-12)");
  EXPECT_EQ(Canonical("Ref($close,2+3)"), "Ref($close,5)");
  EXPECT_EQ(Canonical("EMA($close,0.5)"), "EMA($close,0.5)");
  EXPECT_EQ(Canonical(".5*$close"), "(0.5*$close)");
}

struct BadFormula {
  const char* formula;
  const char* message;
};

TEST(FormulaTest, ErrorsNameColumnTokenAndTheNearestName) {
  const BadFormula bad[] = {
      {"Maen($close,5)", "column 1: 'Maen' is no function (did you mean 'Mean'?)"},
      {"1+$clsoe", "column 3: '$clsoe' is no field (did you mean '$close'?)"},
      {"$xyzzy",
       "column 1: '$xyzzy' is no field; there are $open $high $low $close $volume $spread"},
      {"$close+", "column 8: the formula ends where a value should stand"},
      {"", "column 1: the formula ends where a value should stand"},
      {"Mean($close,5", "column 1: the parenthesis of Mean is never closed"},
      {"($close+1", "column 1: this parenthesis is never closed"},
      {"$close+1)", "column 9: ')' where an operator or the end should stand"},
      {"$close%2",
       "column 7: '%' where an operator or the end should stand; Qlib has no such operator"},
      {"$close=1", "column 7: '=' where an operator or the end should stand; equality is =="},
      {"Mean($close)", "column 1: Mean takes 2 arguments, not 1"},
      {"Abs($close,1)", "column 1: Abs takes 1 argument, not 2"},
      {"Mean(5,5)", "column 6: Mean needs an expression here, not a number"},
      {"Mean($close,$open)", "column 13: the window of Mean must be a number"},
      {"Mean($close,2.5)",
       "column 13: Mean with 2.5: a window is a whole number of bars (for exponential weights use "
       "EMA)"},
      {"Mean($close,0.5)",
       "column 13: Mean with 0.5: a window is a whole number of bars (for exponential weights use "
       "EMA)"},
      {"Std($close,0)",
       "column 12: Std with window 0 (expanding) would depend on where the data begin"},
      {"Ref($close,0)", "column 12: Ref needs at least 1 bar"},
      {"Mean($close,20001)", "column 13: Mean with 20001: longer than 20000 bars"},
      {"EMA($close,1e25)", "column 12: EMA with 1e+25: longer than 20000 bars"},
      {"EMA($close,20001)", "column 12: EMA with 20001: longer than 20000 bars"},
      {"EMA($close,1e-300)", "column 12: EMA with 1e-300: longer than 20000 bars"},
      {"EMA($close,2.5)", "column 12: EMA with 2.5: a span is a whole number"},
      {"Mean($close,1e300)", "column 13: Mean with 1e+300: longer than 20000 bars"},
      {"-$close", "column 1: Qlib has no unary minus: write 0-x"},
      {"1<$close<2", "column 9: comparisons cannot be chained: write (a > b) & (b > c)"},
      {"3+4", "column 1: a formula must use the bar or the time, this is only a number"},
      {"1/0*$close", "column 1: the numbers here do not give a finite number"},
      {"close",
       "column 1: 'close' is neither a number, a $field nor a function with its parenthesis"},
      {"12abc+$close", "column 1: '12a' is no number"},
      {"$$roe_q",
       "column 1: point-in-time data ($$name) are for fundamentals, there are none here"},
      {"Mask($close,'EURUSD')", "column 1: Qlib's Mask is not available here"},
      {"Log(2)", "column 1: Log of numbers only"},
      {"\x01", "column 1: 'byte 0x01' where a value should stand"},
  };
  for (const BadFormula& b : bad) EXPECT_EQ(Canonical(b.formula), b.message) << b.formula;
}

TEST(FormulaTest, LookingAheadIsRefusedByName) {
  for (const char* formula :
       {"Ref($close,-1)", "Delta($close,-2)", "Mean($close,-5)", "Ref($close,1-2)"}) {
    EXPECT_NE(Canonical(formula).find("(no look-ahead)"), std::string::npos) << Canonical(formula);
  }
}

TEST(FormulaTest, DeepAndLongFormulasEndInAnErrorNotInAnOverflow) {
  const std::string open(3000, '(');
  EXPECT_NE(Canonical(open).find("nested deeper than"), std::string::npos);
  EXPECT_NE(Canonical(std::string(3000, '-')).find("nested deeper than"), std::string::npos);
  EXPECT_NE(Canonical(std::string(5000, '1')).find("at most 4000"), std::string::npos);
  std::string chain = "$close";
  for (int i = 0; i < 400; ++i) chain += "**2";
  EXPECT_NE(Canonical(chain).find("nested deeper than"), std::string::npos);
}

TEST(FormulaTest, MeaningsReadAsSentences) {
  internal::Graph graph;
  const auto meaning = [&](const char* text) {
    return graph.Meaning(internal::ParseFormula(text, graph).value());
  };
  EXPECT_EQ(meaning("Log($close/Ref($close,1))"), "log of close / close 1 bar ago");
  EXPECT_EQ(meaning("Max($high,24)-Min($low,24)"),
            "(highest high of 24 bars - lowest low of 24 bars)");
  EXPECT_EQ(meaning("If($close>$open,1,0)"), "(1 if whether close > open, else 0)");
}

TEST(FeatureConfigTest, NamesMustBePlainAndUnique) {
  const auto error = [](FeatureConfig config) {
    return FeatureSet::Compile(config, Timeframe::Minutes(60)).error().message;
  };
  EXPECT_EQ(error({.formulas = {{"a", "$close", ""}, {"a", "$open", ""}}}),
            "feature 'a' stands twice");
  EXPECT_EQ(error({.formulas = {{"a b", "$close", ""}}}),
            "feature name 'a b': letters, digits, _ and - only, 1 to 100 of them");
  EXPECT_EQ(error({.formulas = {{"a", "Ref($close,-1)", ""}}}).substr(0, 39),
            "feature 'a': Ref($close,-1): column 12:");
  EXPECT_EQ(error({}), "0 features; wanted 1 to 2000");
}

TEST(FeatureConfigTest, TheListReplacesTheDefault) {
  const Config document = Config::Parse(
                              "features:\n  normalisation: robust\n  clip: 3\n  formulas:\n"
                              "    - {name: a, expression: $close}\n    - {name: b, expression: "
                              "'Ref($close,1)', meaning: before}\n",
                              "x.yaml")
                              .value();
  FeatureConfig config = DefaultFeatureConfig().value();
  Bind(document.root().Section("features"), config);
  ASSERT_TRUE(document.Finish().ok()) << document.Finish().error().message;
  EXPECT_EQ(config, (FeatureConfig{{{"a", "$close", ""}, {"b", "Ref($close,1)", "before"}},
                                   Normalisation::kRobust,
                                   3}));
}

TEST(FeatureConfigTest, AnEntryWithoutAFormulaNamesItsLine) {
  const Config document =
      Config::Parse("features:\n  formulas:\n    - {name: a, expresion: $close}\n", "x.yaml")
          .value();
  FeatureConfig config;
  Bind(document.root().Section("features"), config);
  const Status status = document.Finish();
  ASSERT_FALSE(status.ok());
  EXPECT_NE(status.error().message.find("x.yaml:3"), std::string::npos) << status.error().message;
  EXPECT_NE(status.error().message.find("expression"), std::string::npos) << status.error().message;
}

}  // namespace
}  // namespace tw::features
