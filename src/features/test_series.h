#pragma once

#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "base/rng.h"
#include "features/feature_set.h"

namespace tw::features {

/// Bars at calendar rows, some of them missing.
struct TestSeries {
  std::vector<std::int64_t> rows;
  std::vector<BarValues> bars;

  TestSeries From(std::size_t first) const {
    return {{rows.begin() + static_cast<std::ptrdiff_t>(first), rows.end()},
            {bars.begin() + static_cast<std::ptrdiff_t>(first), bars.end()}};
  }
};

/// A random walk with runs of equal prices, a few wild volumes, unknown spreads, and holes in the
/// calendar.
inline TestSeries RandomSeries(std::uint64_t seed, std::int64_t first_row, int count) {
  Rng rng(seed, "features.test");
  TestSeries series;
  double price = 1.1;
  for (int i = 0; i < count; ++i) {
    if (rng.Uniform() < 0.03) i += static_cast<int>(rng.Below(40));
    if (rng.Uniform() < 0.1) continue;
    const bool still = rng.Uniform() < 0.15;
    const double next = still ? price : price * std::exp(0.001 * rng.Normal());
    BarValues bar;
    bar.open = price;
    bar.close = next;
    bar.high = std::max(price, next) * (1.0 + (still ? 0.0 : 0.0005 * rng.Uniform()));
    bar.low = std::min(price, next) * (1.0 - (still ? 0.0 : 0.0005 * rng.Uniform()));
    bar.volume = rng.Uniform() < 0.01 ? 1e12 : static_cast<double>(rng.Below(1000));
    if (rng.Uniform() < 0.9) bar.spread = 1e-5 * static_cast<double>(1 + rng.Below(20));
    series.rows.push_back(first_row + i);
    series.bars.push_back(bar);
    price = next;
  }
  return series;
}

/// Every function of the language at least once, with windows shorter and longer than a block.
inline FeatureConfig EveryFunction() {
  FeatureConfig config;
  const char* const formulas[] = {
      "$close/$open-1",
      "Ref($close,3)",
      "Delta($close,5)/$close",
      "Mean($close,7)",
      "Mean($volume,300)",
      "Sum($volume,20)",
      "Std($close,12)",
      "Std(Log($close/Ref($close,1)),300)",
      "Var($volume,9)",
      "Max($high,24)",
      "Min($low,290)",
      "Count($spread,10)",
      "EMA($close,12)",
      "EMA($volume,0.3)",
      "EMA(Std($close,5),30)",
      "Rank($close,15)",
      "Slope($close,10)",
      "Slope($volume,270)",
      "FFill($spread,4)",
      "Corr($close,$volume,16)",
      "Cov($high,$low,280)",
      "Mean(Mean($close,20)-Ref(Mean($close,20),7),30)",
      "If(($close>$open)&(Not($volume<100)),Abs($close-$open),0-Sign($close-Ref($close,2)))",
      "Greater($high,Ref($high,1))-Less($low,Ref($low,1))",
      "Power($close,2)**0.5+($high>=$low)+($high<=$low)+($open==$close)+($open!=$close)|($low>1)",
      "WeekHour()+WeekHourSin()+WeekHourCos()",
      "TradingHour()+TradingHourSin()+TradingHourCos()",
      "Add(Sub($high,$low),Mul(Div($open,$close),2))+And($volume,$close)+Or(Gt($open,1),Ge($open,1)"
      ")",
      "Lt($open,1)+Le($open,1)+Eq($open,1)+Ne($open,1)",
  };
  for (const char* const formula : formulas) {
    config.formulas.push_back({"f" + std::to_string(config.formulas.size()), formula, ""});
  }
  return config;
}

}  // namespace tw::features
