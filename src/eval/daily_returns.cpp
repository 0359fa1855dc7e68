#include "eval/daily_returns.h"

#include <fmt/core.h>

#include "market/fx_calendar.h"

namespace tw::eval {
namespace {

Status CheckInputs(UnixNanos start, std::int64_t initial, std::span<const EquityPoint> points,
                   std::span<const CashFlow> flows) {
  const auto bad = [](std::string message) {
    return Error{ErrorCode::kBadData, std::move(message)};
  };
  if (initial <= 0)
    return bad(fmt::format("initial equity is {} micros, wanted more than 0", initial));
  for (std::size_t i = 0; i < points.size(); ++i) {
    const UnixNanos before = i == 0 ? start : points[i - 1].time;
    if (i == 0 ? points[i].time < before : points[i].time <= before) {
      return bad(fmt::format("equity point {} is at {}, wanted after {}", i,
                             FormatIso(points[i].time), FormatIso(before)));
    }
  }
  for (std::size_t i = 0; i < flows.size(); ++i) {
    const UnixNanos before = i == 0 ? start : flows[i - 1].time;
    if (flows[i].time < before) {
      return bad(fmt::format("cash flow {} is at {}, wanted no earlier than {}", i,
                             FormatIso(flows[i].time), FormatIso(before)));
    }
  }
  return {};
}

/// Walks points and flows in the order of time; one object for one call.
class DayWalker {
 public:
  DayWalker(DailySeries& out, std::span<const CashFlow> flows)
      : out_(out),
        flows_(flows),
        base_(out.initial_equity_micros),
        last_(out.initial_equity_micros) {}

  /// False after a ruin.
  bool Take(const EquityPoint& point) {
    const CivilDate date = FxCalendar::TradingDate(point.time.PlusNanos(-1));
    if (out_.dates.empty() || out_.dates.back() != date) StartDay(date);
    while (next_flow_ < flows_.size() && flows_[next_flow_].time < point.time) {
      if (!BookInside(flows_[next_flow_++].amount_micros)) return false;
    }
    last_ = point.equity_micros;
    out_.times.back() = point.time;
    out_.equity_micros.back() = last_;
    out_.flow_micros.back() = flow_of_day_;
    const double growth = GrowthSinceSplit();
    if (growth <= 0) return Ruin();
    out_.returns.back() = grown_ * growth - 1;
    return true;
  }

 private:
  void StartDay(CivilDate date) {
    base_ = last_;
    grown_ = 1;
    flow_of_day_ = 0;
    opening_flow_ = 0;
    const UnixNanos open = FxCalendar::DayOpen(date);
    // A flow at the time of yesterday's last point, or while the market was shut, is booked as this
    // day opens.
    while (next_flow_ < flows_.size() && flows_[next_flow_].time <= open) {
      opening_flow_ += flows_[next_flow_++].amount_micros;
    }
    flow_of_day_ = opening_flow_;
    last_ += opening_flow_;
    out_.dates.push_back(date);
    out_.returns.push_back(0);
    out_.times.emplace_back();
    out_.equity_micros.push_back(0);
    out_.flow_micros.push_back(0);
  }

  /// Closes the part of the day before the flow; the next part starts with the equity after it.
  bool BookInside(std::int64_t amount) {
    grown_ *= GrowthSinceSplit();
    opening_flow_ = 0;
    last_ += amount;
    base_ = last_;
    flow_of_day_ += amount;
    if (base_ > 0) return true;
    out_.equity_micros.back() = last_;
    out_.flow_micros.back() = flow_of_day_;
    out_.times.back() = flows_[next_flow_ - 1].time;
    return Ruin();
  }

  double GrowthSinceSplit() const {
    return static_cast<double>(last_ - opening_flow_) / static_cast<double>(base_);
  }

  bool Ruin() {
    out_.returns.back() = -1;
    out_.ruined = true;
    return false;
  }

  DailySeries& out_;
  std::span<const CashFlow> flows_;
  std::size_t next_flow_ = 0;
  std::int64_t base_;              // equity from which the running part of the day is measured
  std::int64_t last_;              // equity at the last point, flows inside
  std::int64_t opening_flow_ = 0;  // F_d, until the day's first split
  std::int64_t flow_of_day_ = 0;
  double grown_ = 1;  // growth of the day's closed parts
};

}  // namespace

std::vector<double> DailySeries::TradingEquity() const {
  std::vector<double> out;
  out.reserve(returns.size() + 1);
  out.push_back(static_cast<double>(initial_equity_micros) * 1e-6);
  std::int64_t flows = 0;
  for (std::size_t i = 0; i < returns.size(); ++i) {
    flows += flow_micros[i];
    out.push_back(static_cast<double>(equity_micros[i] - flows) * 1e-6);
  }
  return out;
}

Result<DailySeries> BuildDailyReturns(UnixNanos start, std::int64_t initial_equity_micros,
                                      std::span<const EquityPoint> points,
                                      std::span<const CashFlow> flows) {
  TW_TRY(CheckInputs(start, initial_equity_micros, points, flows));
  DailySeries out;
  out.start = start;
  out.initial_equity_micros = initial_equity_micros;
  DayWalker walker(out, flows);
  for (const EquityPoint& point : points) {
    if (!walker.Take(point)) break;
  }
  return out;
}

}  // namespace tw::eval
