#include "market/instrument.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/embedded_config.h"

namespace tw {
namespace {

// "eur/usd" and "EUR_USD" are EURUSD.
std::string Canonical(std::string_view symbol) {
  std::string out;
  for (const char c : symbol) {
    if (c == '/' || c == '-' || c == '_' || c == '.' || c == ' ') continue;
    out += c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  }
  return out;
}

void BindOne(const ConfigSection& section, Instrument& item) {
  std::string pip = FormatMicros(item.pip.micros());
  section.Text("pip", pip);
  section.Integer("digits", item.digits, {.min = 0, .max = 6});
  section.Integer("contract_size", item.contract_size, {.min = 1, .max = 1e9});
  section.Integer("unit_step", item.unit_step, {.min = 1, .max = 1e9});
  section.Integer("spot_lag_days", item.spot_lag_days, {.min = 0, .max = 5});
  const auto micros = ParseMicros(pip);
  if (!micros.ok() || *micros < item.tick_micros()) {
    section.Fail("pip", fmt::format("is '{}', wanted a price step of at least one tick ({})", pip,
                                    FormatMicros(item.tick_micros())));
    return;
  }
  item.pip = PriceDelta(*micros);
}

}  // namespace

std::int64_t Instrument::tick_micros() const {
  TW_CHECK(digits >= 0 && digits <= 6, "{} has {} digits, wanted 0 to 6", symbol, digits);
  std::int64_t tick = kMicros;
  for (int i = 0; i < digits; ++i) tick /= 10;
  return tick;
}

std::int64_t Instrument::half_tick_micros() const {
  return std::max<std::int64_t>(1, tick_micros() / 2);
}

void InstrumentTable::Bind(const ConfigSection& section) {
  for (const std::string& key : section.Keys()) {
    const std::string symbol = Canonical(key);
    const auto base = Currency::Parse(std::string_view(symbol).substr(0, 3));
    const auto quote =
        Currency::Parse(symbol.size() == 6 ? std::string_view(symbol).substr(3) : "");
    if (!base.ok() || !quote.ok() || *base == *quote) {
      section.Fail(key, "is no instrument; wanted two different currencies such as EURUSD");
      continue;
    }
    const auto known = by_symbol_.find(symbol);
    Instrument item = known != by_symbol_.end() ? known->second : Instrument{};
    if (known == by_symbol_.end()) item.pip = PriceDelta(100);
    item.symbol = symbol;
    item.base = *base;
    item.quote = *quote;
    BindOne(section.Section(key), item);
    by_symbol_[symbol] = item;
  }
}

Result<InstrumentTable> InstrumentTable::FromConfig(const Config& config) {
  InstrumentTable table;
  table.Bind(config.root().Section("instruments"));
  TW_TRY(config.Finish());
  return table;
}

const InstrumentTable& InstrumentTable::BuiltIn() {
  static const InstrumentTable table = [] {
    const auto text = EmbeddedConfig("instruments.yaml");
    TW_CHECK(text.has_value(), "instruments.yaml is not embedded in this binary");
    const auto config = Config::Parse(*text, "config/instruments.yaml");
    TW_CHECK(config.ok(), "{}", config.error().message);
    auto read = FromConfig(*config);
    TW_CHECK(read.ok(), "{}", read.error().message);
    return std::move(read).value();
  }();
  return table;
}

Result<Instrument> InstrumentTable::Find(std::string_view symbol) const {
  const auto found = by_symbol_.find(Canonical(symbol));
  if (found != by_symbol_.end()) return found->second;
  const std::vector<std::string> known = symbols();
  const auto near = NearestWord(Canonical(symbol), known);
  return Error{
      ErrorCode::kNotFound,
      fmt::format(
          "'{}' is no known instrument{}; others are added under `instruments:` in the config file",
          symbol, near ? fmt::format(" (did you mean {}?)", *near) : std::string())};
}

std::vector<std::string> InstrumentTable::symbols() const {
  std::vector<std::string> out;
  for (const auto& [symbol, item] : by_symbol_) out.push_back(symbol);
  return out;
}

}  // namespace tw
