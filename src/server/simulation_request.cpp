#include "server/simulation_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "base/time.h"
#include "market/timeframe.h"
#include "server/internal/json.h"

namespace tw::server {
namespace {

using internal::Json;

constexpr std::size_t kDepthMax = 8;

struct Range {
  double min = 0;
  double max = 0;
};

// An object of the body, read key by key; what is wrong is collected with its pointer.
class Reader {
 public:
  Reader(const Json& json, std::string pointer, std::string& errors)
      : json_(json), pointer_(std::move(pointer)), errors_(errors) {}

  void Complain(const std::string& key, const std::string& message) {
    if (!errors_.empty()) errors_ += '\n';
    // A key may be anything: only what it is known by stands in front.
    errors_ += fmt::format("{}/{}: {}", pointer_, key, message);
  }

  const Json* Find(const std::string& key) {
    known_.insert(key);
    const auto found = json_.find(key);
    return found == json_.end() ? nullptr : &*found;
  }

  std::string Text(const std::string& key, std::size_t max_bytes) {
    const Json* value = Find(key);
    if (value == nullptr) return {};
    if (!value->is_string() || value->get_ref<const std::string&>().empty() ||
        value->get_ref<const std::string&>().size() > max_bytes) {
      Complain(key, fmt::format("wanted a text of 1 to {} bytes", max_bytes));
      return {};
    }
    return value->get<std::string>();
  }

  std::optional<double> Number(const std::string& key, Range range) {
    const Json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    const double number = value->is_number() ? value->get<double>() : std::nan("");
    if (!(number >= range.min && number <= range.max)) {
      Complain(key, fmt::format("wanted a number from {} to {}", range.min, range.max));
      return std::nullopt;
    }
    return number;
  }

  std::optional<std::int64_t> Integer(const std::string& key, Range range) {
    const Json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    // 1.0 is a whole number too.
    const double number = value->is_number() ? value->get<double>() : std::nan("");
    if (!(number >= range.min && number <= range.max) || number != std::floor(number)) {
      Complain(key, fmt::format("wanted a whole number from {} to {}", range.min, range.max));
      return std::nullopt;
    }
    return static_cast<std::int64_t>(number);
  }

  std::optional<std::string> Choice(const std::string& key,
                                    const std::vector<std::string>& choices) {
    const Json* value = Find(key);
    if (value == nullptr) return std::nullopt;
    if (value->is_string() &&
        std::ranges::find(choices, value->get_ref<const std::string&>()) != choices.end()) {
      return value->get<std::string>();
    }
    std::string all;
    for (const std::string& choice : choices) all += (all.empty() ? "" : ", ") + choice;
    Complain(key, "wanted one of " + all);
    return std::nullopt;
  }

  // A nested object, or nothing.
  const Json* Object(const std::string& key) {
    const Json* value = Find(key);
    if (value == nullptr) return nullptr;
    if (value->is_object()) return value;
    Complain(key, "wanted an object");
    return nullptr;
  }

  void Finish() {
    for (const auto& [key, value] : json_.items()) {
      if (known_.contains(key)) continue;
      if (!errors_.empty()) errors_ += '\n';
      errors_ += fmt::format("{}: an unknown key '{}'", pointer_.empty() ? "body" : pointer_,
                             key.substr(0, 60));
    }
  }

 private:
  const Json& json_;
  std::string pointer_;
  std::string& errors_;
  std::set<std::string> known_;
};

std::string Date(Reader& reader, const std::string& key) {
  std::string text = reader.Text(key, 10);
  if (!text.empty() && !ParseDate(text).ok()) {
    reader.Complain(key, "no date such as 2017-03-01");
    text.clear();
  }
  return text;
}

CostOverrides ReadCosts(const Json& json, std::string& errors) {
  Reader reader(json, "/costs", errors);
  CostOverrides costs;
  costs.spread_multiplier = reader.Number("spread_multiplier", {0, 100});
  costs.spread_pips = reader.Number("spread_pips", {0, 1000});
  costs.slippage_pips = reader.Number("slippage_pips", {0, 1000});
  costs.commission_per_100k = reader.Number("commission_per_100k", {0, 10'000});
  costs.financing = reader.Choice("financing", {"rates", "hold_last", "off"});
  reader.Finish();
  return costs;
}

constexpr std::string_view kPaths[] = {"history", "resampled", "shocked"};

WhatIf ReadWhatIf(const Json& json, std::string& errors) {
  Reader reader(json, "/what_if", errors);
  WhatIf what_if;
  what_if.spread = reader.Number("spread", {1, 3}).value_or(what_if.spread);
  what_if.latency_bars = static_cast<int>(reader.Integer("latency_bars", {0, 20}).value_or(0));
  what_if.missing = reader.Number("missing", {0, 0.5}).value_or(what_if.missing);
  const auto path = reader.Choice("path", {"history", "resampled", "shocked"});
  if (path) {
    const auto at = std::ranges::find(kPaths, *path) - std::begin(kPaths);
    what_if.path = static_cast<WhatIf::Path>(at);
  }
  what_if.block_bars =
      static_cast<int>(reader.Integer("block_bars", {1, 10'000}).value_or(what_if.block_bars));
  what_if.shock = reader.Number("shock", {-0.5, 0.5}).value_or(what_if.shock);
  what_if.seed = static_cast<std::uint64_t>(
      reader.Integer("seed", {0, 1e9}).value_or(static_cast<std::int64_t>(what_if.seed)));
  reader.Finish();
  return what_if;
}

// Deep nesting has no meaning here, and costs a stack somewhere.
bool TooDeep(std::string_view json) {
  std::size_t depth = 0;
  for (const char c : json) {
    if (c == '{' || c == '[') ++depth;
    if ((c == '}' || c == ']') && depth > 0) --depth;
    if (depth > kDepthMax) return true;
  }
  return false;
}

}  // namespace

Result<SimulationRequest> ParseSimulationRequest(std::string_view text) {
  if (TooDeep(text))
    return Error{ErrorCode::kUsage, fmt::format("body: nested deeper than {}", kDepthMax)};
  const Json json = Json::parse(text, nullptr, false);
  if (!json.is_object()) return Error{ErrorCode::kUsage, "body: wanted a JSON object"};
  std::string errors;
  Reader reader(json, "", errors);
  SimulationRequest request;
  request.model = reader.Text("model", 300);
  if (reader.Find("model") == nullptr) reader.Complain("model", "it is missing");
  request.instrument = reader.Text("instrument", 6);
  if (!request.instrument.empty() &&
      (request.instrument.size() != 6 ||
       !std::ranges::all_of(request.instrument, [](char c) { return c >= 'A' && c <= 'Z'; }))) {
    reader.Complain("instrument", "wanted six capital letters such as EURUSD");
  }
  request.freq = reader.Text("freq", 10);
  if (!request.freq.empty()) {
    const auto timeframe = Timeframe::Parse(request.freq);
    if (!timeframe.ok() || timeframe->name() != request.freq)
      reader.Complain("freq", "no bar length such as 60min, day or week");
  }
  request.from = Date(reader, "from");
  request.to = Date(reader, "to");
  if (!request.from.empty() && !request.to.empty() && request.from > request.to)
    reader.Complain("from", fmt::format("{} is after {}", request.from, request.to));
  if (const Json* costs = reader.Object("costs")) request.costs = ReadCosts(*costs, errors);
  if (const Json* what_if = reader.Object("what_if"))
    request.what_if = ReadWhatIf(*what_if, errors);
  reader.Finish();
  if (!errors.empty()) return Error{ErrorCode::kUsage, errors};
  return request;
}

namespace internal {

Json RequestJson(const SimulationRequest& request) {
  Json json = {{"model", request.model}};
  const auto text = [&json](const char* key, const std::string& value) {
    if (!value.empty()) json[key] = value;
  };
  text("instrument", request.instrument);
  text("freq", request.freq);
  text("from", request.from);
  text("to", request.to);
  Json costs = Json::object();
  const auto cost = [&costs](const char* key, const auto& value) {
    if (value) costs[key] = *value;
  };
  cost("spread_multiplier", request.costs.spread_multiplier);
  cost("spread_pips", request.costs.spread_pips);
  cost("slippage_pips", request.costs.slippage_pips);
  cost("commission_per_100k", request.costs.commission_per_100k);
  cost("financing", request.costs.financing);
  if (!costs.empty()) json["costs"] = std::move(costs);
  if (request.what_if) {
    const WhatIf& what_if = *request.what_if;
    json["what_if"] = {{"spread", what_if.spread},
                       {"latency_bars", what_if.latency_bars},
                       {"missing", what_if.missing},
                       {"path", kPaths[static_cast<std::size_t>(what_if.path)]},
                       {"block_bars", what_if.block_bars},
                       {"shock", what_if.shock},
                       {"seed", what_if.seed}};
  }
  return json;
}

}  // namespace internal

std::string ToJson(const SimulationRequest& request) {
  return internal::Dump(internal::RequestJson(request));
}

}  // namespace tw::server
