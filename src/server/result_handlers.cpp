#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/time.h"
#include "market/price.h"
#include "server/comparison.h"
#include "server/internal/handlers.h"
#include "server/series.h"
#include "training/run_report.h"

namespace tw::server::internal {
namespace {

std::string Text(std::int64_t micros) { return FormatMicros(micros, 2); }

Json CostsJson(const sim::CostParts& costs, const std::string& currency) {
  return {{"currency", currency},
          {"net", Text(costs.net)},
          {"mid_to_mid", Text(costs.mid_to_mid)},
          {"spread", Text(costs.spread)},
          {"slippage", Text(costs.slippage)},
          {"commission", Text(costs.commission)},
          {"financing", Text(costs.financing)},
          {"conversion_effect", Text(costs.conversion_effect)}};
}

Json MonthJson(const MonthResult& month) {
  Json made = nullptr;
  if (month.begin_equity > 0)
    made = static_cast<double>(month.net) / static_cast<double>(month.begin_equity);
  return {{"month", fmt::format("{:04}-{:02}", month.year, month.month)},
          {"net", Text(month.net)},
          {"return", made},
          {"end_equity", Text(month.end_equity)},
          {"fills", month.fills},
          {"trades_closed", month.trades_closed},
          {"spread", Text(month.spread)},
          {"slippage", Text(month.slippage)},
          {"commission", Text(month.commission)},
          {"financing", Text(month.financing)}};
}

double PipOf(const Instrument& instrument) {
  return static_cast<double>(instrument.pip.micros()) * 1e-6;
}

std::int64_t CostsOf(const sim::Trade& trade) {
  return trade.parts.spread + trade.parts.slippage + trade.parts.commission;
}

std::string ReasonOf(const sim::Trade& trade) {
  return trade.open ? "open" : std::string(sim::NameOf(trade.exit_reason));
}

Json TradeJson(const sim::Trade& trade, std::size_t index, double pip) {
  return {{"index", index},
          {"entry_time", FormatIso(trade.entry_time)},
          {"exit_time", FormatIso(trade.exit_time)},
          {"direction", trade.direction > 0 ? "long" : "short"},
          {"units", trade.max_units},
          {"entry_price", trade.entry_price},
          {"exit_price", trade.exit_price},
          {"pips", sim::PipsOf(trade, pip)},
          {"bars_held", trade.exit_row - trade.entry_row},
          {"net", Text(trade.parts.net)},
          {"costs", Text(CostsOf(trade))},
          {"financing", Text(trade.parts.financing)},
          {"mae", Text(trade.mae)},
          {"mfe", Text(trade.mfe)},
          {"exit_reason", ReasonOf(trade)}};
}

double SortKey(const sim::Trade& trade, const std::string& sort, double pip) {
  if (sort == "exit_time") return static_cast<double>(trade.exit_time.nanos());
  if (sort == "net") return static_cast<double>(trade.parts.net);
  if (sort == "pips") return sim::PipsOf(trade, pip);
  if (sort == "units") return static_cast<double>(trade.max_units);
  if (sort == "bars_held") return static_cast<double>(trade.exit_row - trade.entry_row);
  if (sort == "costs") return static_cast<double>(CostsOf(trade));
  if (sort == "financing") return static_cast<double>(trade.parts.financing);
  if (sort == "mae") return static_cast<double>(trade.mae);
  if (sort == "mfe") return static_cast<double>(trade.mfe);
  return static_cast<double>(trade.entry_time.nanos());
}

// Puts the first `end` of `rows` in order; equal ones stay in that of their entries.
void SortTrades(const std::vector<sim::Trade>& trades, const std::string& sort, bool descending,
                double pip, std::size_t end, std::vector<std::size_t>& rows) {
  struct Keyed {
    double key;
    std::size_t row;
  };

  std::vector<Keyed> keyed;
  keyed.reserve(rows.size());
  for (const std::size_t row : rows) {
    const double key = SortKey(trades[row], sort, pip);
    keyed.push_back({descending ? -key : key, row});
  }
  std::ranges::partial_sort(keyed, keyed.begin() + static_cast<std::ptrdiff_t>(end),
                            [](const Keyed& a, const Keyed& b) {
                              return a.key < b.key || (a.key == b.key && a.row < b.row);
                            });
  for (std::size_t i = 0; i < end; ++i) rows[i] = keyed[i].row;
}

struct TradeFilter {
  std::string direction;
  std::string outcome;
  std::string exit_reason;
  std::optional<UnixNanos> from;
  std::optional<UnixNanos> to;

  bool Fits(const sim::Trade& trade) const {
    if (!direction.empty() && (direction == "long") != (trade.direction > 0)) return false;
    const std::string_view made = trade.parts.net > 0   ? "win"
                                  : trade.parts.net < 0 ? "loss"
                                                        : "flat";
    if (!outcome.empty() && outcome != made) return false;
    if (!exit_reason.empty() && exit_reason != ReasonOf(trade)) return false;
    return (!from || trade.exit_time >= *from) && (!to || trade.entry_time <= *to);
  }
};

Json MarkersJson(const std::vector<Marker>& markers) {
  Json json = {{"time", Json::array()},
               {"price", Json::array()},
               {"units", Json::array()},
               {"count", Json::array()},
               {"kind", Json::array()}};
  for (const Marker& marker : markers) {
    json["time"].push_back(marker.time_ms);
    json["price"].push_back(marker.price);
    json["units"].push_back(marker.units);
    json["count"].push_back(marker.count);
    json["kind"].push_back(NameOf(marker.kind));
  }
  return json;
}

// A file of rows that is never in memory as a whole.
class RowStream final : public net::ServerStream {
 public:
  using Rows = std::function<std::string(eval::IndexRange rows)>;

  RowStream(std::string_view head, std::int64_t size, Rows rows)
      : head_(head), size_(size), rows_(std::move(rows)) {}

  void Begin(std::function<void()> /*wake*/) override {}

  std::optional<std::string> Read(bool /*keep_alive*/) override {
    if (!head_.empty()) return std::exchange(head_, {});
    if (at_ == size_) return std::nullopt;
    // About 30 kB: a fraction of a millisecond of the thread that serves all sockets.
    constexpr std::int64_t kRows = 400;
    const std::int64_t begin = std::exchange(at_, std::min(size_, at_ + kRows));
    return rows_({begin, at_});
  }

  bool must_be_whole() const override { return true; }

 private:
  std::string head_;
  std::int64_t size_;
  Rows rows_;
  std::int64_t at_ = 0;
};

// Short files at once, with their length; long ones as they are made.
net::ServerResponse CsvFile(const std::string& name, std::string_view head, std::int64_t size,
                            RowStream::Rows rows) {
  constexpr std::int64_t kAtOnce = 2'000;
  if (size <= kAtOnce) return Attachment(std::string(head) + rows({0, size}), "text/csv", name);
  net::ServerResponse response = Attachment({}, "text/csv", name);
  response.stream = std::make_unique<RowStream>(head, size, std::move(rows));
  return response;
}

}  // namespace

Json MetricsJson(const std::vector<eval::Metric>& metrics) {
  return Json::parse(eval::ToJson(metrics));
}

net::ServerResponse Attachment(std::string content, const std::string& type,
                               const std::string& name) {
  std::string safe;
  for (const char c : name) {
    const bool plain = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                       c == '.' || c == '-' || c == '_';
    safe.push_back(plain ? c : '_');
  }
  return {.status = 200,
          .headers = {{"Content-Type", type},
                      {"Content-Disposition", "attachment; filename=\"" + safe + "\""}},
          .body = std::move(content)};
}

Answer Handlers::GetResult(Call& call) {
  TW_TRY(call.query.Finish());
  const auto result = TW_TRY(simulations_.ResultOf(call.at("id")));
  const training::BacktestOutcome& outcome = result->outcome;
  const sim::BacktestResult& run = outcome.stretch.result;
  Json months = Json::array();
  for (const MonthResult& month : result->months) months.push_back(MonthJson(month));
  Json bands = Json::array();
  for (const Band& band : result->bands) {
    bands.push_back(
        {{"kind", band.kind}, {"from", FormatIso(band.from)}, {"to", FormatIso(band.to)}});
  }
  return Reply({{"id", call.at("id")},
                {"decider", result->decider},
                {"what_if", result->what_if},
                {"instrument", result->instrument.symbol},
                {"freq", result->timeframe.name()},
                {"digits", result->instrument.digits},
                {"pip", PipOf(result->instrument)},
                {"currency", result->currency},
                {"capital", Text(run.capital)},
                {"from", FormatIso(result->marks.OpenTimeAt(
                             static_cast<std::size_t>(outcome.bars.begin - run.first_row)))},
                {"to", FormatIso(result->marks.CloseTimeAt(run.last_row - run.first_row))},
                {"bars", outcome.bars.size()},
                {"metrics", MetricsJson(outcome.metrics)},
                {"costs", CostsJson(run.totals, result->currency)},
                {"counts",
                 {{"lapsed_decisions", run.counts.lapsed_decisions},
                  {"ambiguous_bars", run.counts.ambiguous_bars},
                  {"stop_outs", run.counts.stop_outs},
                  {"stop_losses", run.counts.stop_losses},
                  {"take_profits", run.counts.take_profits},
                  {"margin_warnings", run.counts.margin_warnings}}},
                {"final_equity", FormatMicros(run.capital + run.totals.net, 6)},
                {"order_hash", fmt::format("{:016x}", run.OrderHash(result->first_bar))},
                {"ruined", run.ruined},
                {"notes", outcome.notes},
                {"trades", run.trades.size()},
                {"months", std::move(months)},
                {"bands", std::move(bands)},
                {"timings_ms",
                 {{"loading", result->loading_ms},
                  {"trading", result->trading_ms},
                  {"measuring", result->measuring_ms}}}});
}

Answer Handlers::GetSeries(Call& call) {
  const Window window = TW_TRY(WindowOf(call));
  const auto result = TW_TRY(simulations_.ResultOf(call.at("id")));
  const BacktestSeries series = SeriesOf(result->marks, result->outcome.stretch.result, window);
  return Reply({{"id", call.at("id")},
                {"digits", result->instrument.digits},
                {"bars", series.candles.bars},
                {"bars_per_point", series.candles.bars_per_point},
                {"time", series.candles.time_ms},
                {"open", series.candles.open},
                {"high", series.candles.high},
                {"low", series.candles.low},
                {"close", series.candles.close},
                {"equity", series.equity},
                {"equity_min", series.equity_min},
                {"equity_max", series.equity_max},
                {"drawdown", series.drawdown},
                {"position", series.position},
                {"position_min", series.position_min},
                {"position_max", series.position_max},
                {"markers", MarkersJson(series.markers)}});
}

Answer Handlers::ListTrades(Call& call) {
  const std::string sort = call.query.Choice("sort", "entry_time",
                                             {"entry_time", "exit_time", "net", "pips", "units",
                                              "bars_held", "costs", "financing", "mae", "mfe"});
  const bool descending = call.query.Choice("order", "asc", {"asc", "desc"}) == "desc";
  TradeFilter filter;
  filter.direction = call.query.Choice("direction", "", {"long", "short"});
  filter.outcome = call.query.Choice("outcome", "", {"win", "loss", "flat"});
  filter.exit_reason = call.query.Text("exit_reason", 40);
  filter.from = call.query.Instant("from");
  filter.to = call.query.Instant("to");
  const auto offset = static_cast<std::size_t>(call.query.Integer("offset", 0, {0, 1'000'000}));
  const auto limit = static_cast<std::size_t>(call.query.Integer("limit", 100, {1, 1000}));
  TW_TRY(call.query.Finish());
  const auto result = TW_TRY(simulations_.ResultOf(call.at("id")));
  const std::vector<sim::Trade>& trades = result->outcome.stretch.result.trades;
  const double pip = PipOf(result->instrument);
  std::vector<std::size_t> fitting;
  sim::CostParts sums;
  std::int64_t wins = 0;
  std::int64_t losses = 0;
  for (std::size_t i = 0; i < trades.size(); ++i) {
    if (!filter.Fits(trades[i])) continue;
    fitting.push_back(i);
    sums += trades[i].parts;
    wins += trades[i].parts.net > 0 ? 1 : 0;
    losses += trades[i].parts.net < 0 ? 1 : 0;
  }
  const std::size_t end = std::min(fitting.size(), offset + limit);
  SortTrades(trades, sort, descending, pip, end, fitting);
  Json page = Json::array();
  for (std::size_t i = offset; i < end; ++i)
    page.push_back(TradeJson(trades[fitting[i]], fitting[i], pip));
  return Reply({{"total", fitting.size()},
                {"offset", offset},
                {"trades", std::move(page)},
                {"sums",
                 {{"net", Text(sums.net)},
                  {"costs", Text(sums.spread + sums.slippage + sums.commission)},
                  {"financing", Text(sums.financing)},
                  {"wins", wins},
                  {"losses", losses}}}});
}

Answer Handlers::CompareSimulations(Call& call) {
  TW_TRY(call.query.Finish());
  const auto a = TW_TRY(simulations_.ResultOf(call.at("id")));
  const auto b = TW_TRY(simulations_.ResultOf(call.at("other")));
  const Comparison comparison =
      Compare(a->outcome.stretch.daily, b->outcome.stretch.daily, a->decider, b->decider);
  const auto date = [](const std::optional<CivilDate>& day) {
    return day ? Json(FormatDate(*day)) : Json(nullptr);
  };
  return Reply({{"a", call.at("id")},
                {"b", call.at("other")},
                {"days", comparison.days},
                {"from", date(comparison.from)},
                {"to", date(comparison.to)},
                {"difference_ann", OrNull(comparison.difference_ann)},
                {"ci95", OrNull(comparison.ci95)},
                {"p_value", OrNull(comparison.p_value)},
                {"sentence", comparison.sentence}});
}

Answer Handlers::DownloadSimulationFile(Call& call) {
  TW_TRY(call.query.Finish());
  const std::string& file = call.at("file");
  const auto result = TW_TRY(simulations_.ResultOf(call.at("id")));
  const std::string name = result->decider + "-" + file;
  const std::vector<sim::Trade>& trades = result->outcome.stretch.result.trades;
  if (file == "trades.csv") {
    return CsvFile(name, training::kTradesHead, static_cast<std::int64_t>(trades.size()),
                   [result](eval::IndexRange rows) {
                     return training::TradesRows(result->instrument,
                                                 result->outcome.stretch.result.trades, rows);
                   });
  }
  if (file == "equity.csv") {
    return CsvFile(
        name, training::kEquityHead, result->marks.marks(),
        [result](eval::IndexRange rows) { return training::EquityRows(result->marks, rows); });
  }
  if (file == "targets.csv") {
    return CsvFile(
        name, training::kTargetsHead, result->marks.targets(),
        [result](eval::IndexRange rows) { return training::TargetsRows(result->marks, rows); });
  }
  if (file == "report.html") {
    // Its series have a value a bar until they are thinned: one after the other.
    const std::scoped_lock lock(report_mutex_);
    return Attachment(TW_TRY(training::RenderBacktest(result->outcome, result->marks,
                                                      {.instrument = result->instrument,
                                                       .timeframe = result->timeframe,
                                                       .bars_sha256 = result->bars_sha256,
                                                       .currency = result->currency,
                                                       .title = result->decider,
                                                       .program = services().program})),
                      "text/html; charset=utf-8", name);
  }
  return Error{ErrorCode::kNotFound,
               "path.file: wanted trades.csv, equity.csv, targets.csv or report.html"};
}

}  // namespace tw::server::internal
