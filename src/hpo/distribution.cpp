#include "hpo/distribution.h"

#include <fmt/core.h>

#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

#include "hpo/json_codec.h"

namespace tw::hpo {
namespace {

constexpr double kStepTolerance = 1e-8;
constexpr double kExactMax = 0x1p53;  // integers up to here are exact as doubles

Error BadBounds(std::string what) { return Error{ErrorCode::kUsage, std::move(what)}; }

/// digits * 10^exponent, of the shortest decimal text of a finite double.
struct Decimal {
  __extension__ using Wide = __int128;
  Wide digits = 0;
  int exponent = 0;

  /// Nothing when `to` is so far below that the digits do not fit.
  std::optional<Wide> Scaled(int to) const {
    Wide scaled = digits;
    for (int e = exponent; e > to; --e) {
      if (scaled > kWideMax / 10 || scaled < -kWideMax / 10) return std::nullopt;
      scaled *= 10;
    }
    return scaled;
  }

  static constexpr Wide kWideMax = static_cast<Wide>(std::numeric_limits<std::int64_t>::max())
                                   << 62;
};

Decimal DecimalOf(double value) {
  Decimal decimal;
  // The shortest text that reads back.
  const std::string shortest = fmt::format("{}", value);
  const std::size_t e = shortest.find('e');
  int exponent = e == shortest.npos ? 0 : std::atoi(shortest.c_str() + e + 1);
  bool fraction = false;
  for (const char c : shortest.substr(0, e)) {
    if (c == '.') fraction = true;
    if (c < '0' || c > '9') continue;
    decimal.digits = decimal.digits * 10 + (c - '0');
    if (fraction) --exponent;
  }
  if (value < 0) decimal.digits = -decimal.digits;
  decimal.exponent = exponent;
  return decimal;
}

std::string TextOf(Decimal::Wide digits, int exponent) {
  const bool negative = digits < 0;
  std::string text;
  Decimal::Wide rest = negative ? -digits : digits;
  do {
    text.insert(text.begin(), static_cast<char>('0' + static_cast<int>(rest % 10)));
    rest /= 10;
  } while (rest > 0);
  return fmt::format("{}{}e{}", negative ? "-" : "", text, exponent);
}

/// The largest low + k * step that is not above high, computed with decimal digits.
double AlignedHigh(double low, double high, double step) {
  const Decimal dl = DecimalOf(low);
  const Decimal dh = DecimalOf(high);
  const Decimal ds = DecimalOf(step);
  const int exponent = std::min({dl.exponent, dh.exponent, ds.exponent});
  const auto l = dl.Scaled(exponent);
  const auto h = dh.Scaled(exponent);
  const auto s = ds.Scaled(exponent);
  if (!l || !h || !s || *s == 0) return low + std::floor((high - low) / step + 1e-9) * step;
  const Decimal::Wide range = *h - *l;
  if (range % *s == 0) return high;
  const std::string text = TextOf(range / *s * *s + *l, exponent);
  return std::strtod(text.c_str(), nullptr);
}

std::string PythonText(double value) {
  if (std::isnan(value)) return "nan";
  if (std::isinf(value)) return value > 0 ? "inf" : "-inf";
  return ToJson(value);
}

bool IsPrintable(unsigned char c) { return c >= 0x20 && c != 0x7f; }

/// Python's repr of a text; printable characters beyond ASCII stay as they are.
std::string PythonText(const std::string& text) {
  const bool single = text.find('\'') == text.npos || text.find('"') != text.npos;
  const char quote = single ? '\'' : '"';
  std::string out(1, quote);
  for (const char c : text) {
    if (c == quote || c == '\\')
      out += fmt::format("\\{}", c);
    else if (c == '\n')
      out += "\\n";
    else if (c == '\r')
      out += "\\r";
    else if (c == '\t')
      out += "\\t";
    else if (!IsPrintable(static_cast<unsigned char>(c))) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    } else
      out += c;
  }
  return out + quote;
}

std::string PythonText(const ParamValue& value) {
  if (std::holds_alternative<std::monostate>(value)) return "None";
  if (const auto* flag = std::get_if<bool>(&value)) return *flag ? "True" : "False";
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return fmt::format("{}", *integer);
  if (const auto* number = std::get_if<double>(&value)) return PythonText(*number);
  return PythonText(std::get<std::string>(value));
}

}  // namespace

Distribution::Distribution(Data data) : data_(std::make_shared<const Data>(std::move(data))) {}

std::string Distribution::ToJson() const {
  const Data& data = *data_;
  const auto flag = [](bool value) { return value ? "true" : "false"; };
  switch (data.kind) {
    case DistributionKind::kFloat:
      return fmt::format(
          R"({{"name": "FloatDistribution", "attributes": {{"step": {}, "low": {}, "high": {}, "log": {}}}}})",
          data.step == 0 ? "null" : hpo::ToJson(data.step), hpo::ToJson(data.low),
          hpo::ToJson(data.high), flag(data.log));
    case DistributionKind::kInt:
      return fmt::format(
          R"({{"name": "IntDistribution", "attributes": {{"log": {}, "step": {:.0f}, "low": {:.0f}, "high": {:.0f}}}}})",
          flag(data.log), data.step, data.low, data.high);
    case DistributionKind::kCategorical:
      break;
  }
  std::string choices;
  for (const ParamValue& choice : data.choices) {
    if (!choices.empty()) choices += ", ";
    choices += hpo::ToJson(choice);
  }
  return fmt::format(R"({{"name": "CategoricalDistribution", "attributes": {{"choices": [{}]}}}})",
                     choices);
}

Result<Distribution> Distribution::Float(double low, double high, bool log,
                                         std::optional<double> step) {
  if (std::isnan(low) || std::isnan(high) || std::isinf(low) || std::isinf(high)) {
    return BadBounds(fmt::format("low {} and high {} must be finite", low, high));
  }
  if (low > high) return BadBounds(fmt::format("low {} is above high {}", low, high));
  if (log && step) return BadBounds("a log parameter takes no step");
  if (log && low <= 0) return BadBounds(fmt::format("low {} of a log parameter must be > 0", low));
  if (step && !(*step > 0 && std::isfinite(*step))) {
    return BadBounds(fmt::format("step {} must be > 0", *step));
  }
  Data data;
  data.kind = DistributionKind::kFloat;
  data.low = low;
  data.high = step ? AlignedHigh(low, high, *step) : high;
  data.step = step.value_or(0);
  data.log = log;
  return Distribution(std::move(data));
}

Result<Distribution> Distribution::Int(std::int64_t low, std::int64_t high, bool log,
                                       std::int64_t step) {
  // Internal values are doubles.
  constexpr std::int64_t kExact = std::int64_t{1} << 53;
  if (low > high) return BadBounds(fmt::format("low {} is above high {}", low, high));
  if (low < -kExact || high > kExact) {
    return BadBounds(fmt::format("bounds {} to {} leave +-2^53", low, high));
  }
  if (step <= 0) return BadBounds(fmt::format("step {} must be > 0", step));
  if (log && step != 1) return BadBounds("a log parameter takes no step but 1");
  if (log && low < 1) return BadBounds(fmt::format("low {} of a log parameter must be >= 1", low));
  const std::int64_t whole_steps = (high - low) / step;
  Data data;
  data.kind = DistributionKind::kInt;
  data.low = static_cast<double>(low);
  data.high = static_cast<double>(low + whole_steps * step);
  data.step = static_cast<double>(step);
  data.log = log;
  return Distribution(std::move(data));
}

Result<Distribution> Distribution::Categorical(std::vector<ParamValue> choices) {
  if (choices.empty()) return BadBounds("a categorical parameter needs at least one choice");
  Data data;
  data.kind = DistributionKind::kCategorical;
  data.high = static_cast<double>(choices.size() - 1);
  data.choices = std::move(choices);
  return Distribution(std::move(data));
}

bool Distribution::IsSingle() const {
  if (data_->kind == DistributionKind::kCategorical) return data_->choices.size() == 1;
  // High was lowered to a step in decimal: 0.95 - 0.9 is less than 0.05 only in binary.
  return data_->low == data_->high;
}

bool Distribution::Contains(double internal) const {
  if (std::isnan(internal) || internal < data_->low || internal > data_->high) return false;
  switch (data_->kind) {
    case DistributionKind::kCategorical:
      return internal == std::floor(internal);
    case DistributionKind::kInt:
      return std::fmod(internal - data_->low, data_->step) == 0;
    case DistributionKind::kFloat: {
      if (data_->step == 0) return true;
      const double k = (internal - data_->low) / data_->step;
      return std::abs(k - std::nearbyint(k)) < kStepTolerance;
    }
  }
  return false;
}

Result<double> Distribution::ToInternal(const ParamValue& value) const {
  if (data_->kind == DistributionKind::kCategorical) {
    for (std::size_t i = 0; i < data_->choices.size(); ++i) {
      if (SameValue(data_->choices[i], value)) return static_cast<double>(i);
    }
    return Error{ErrorCode::kUsage,
                 fmt::format("{} is none of the choices of {}", hpo::ToJson(value), PythonRepr())};
  }
  const Result<double> number = NumberOf(value);
  if (!number.ok() || std::isnan(*number)) {
    return Error{ErrorCode::kUsage,
                 fmt::format("{} is no value of {}", hpo::ToJson(value), PythonRepr())};
  }
  if (data_->kind == DistributionKind::kFloat) return *number;
  if (!(std::abs(*number) <= kExactMax)) {
    return Error{ErrorCode::kUsage, fmt::format("{} leaves +-2^53", hpo::ToJson(value))};
  }
  return std::trunc(*number);
}

ParamValue Distribution::ToExternal(double internal) const {
  switch (data_->kind) {
    case DistributionKind::kFloat:
      return internal;
    case DistributionKind::kInt:
      // A damaged row may hold anything.
      if (!(std::abs(internal) <= kExactMax)) return internal;
      return static_cast<std::int64_t>(internal);
    case DistributionKind::kCategorical:
      break;
  }
  const auto index = static_cast<std::size_t>(internal);
  TW_CHECK(internal >= 0 && index < data_->choices.size(), "choice {} of {}", internal,
           data_->choices.size());
  return data_->choices[index];
}

Status Distribution::CheckCompatible(const Distribution& later) const {
  if (data_ == later.data_) return {};
  const auto refuse = [&](std::string_view why) {
    return Error{ErrorCode::kUsage, fmt::format("{} cannot become {} within a study: {}",
                                                PythonRepr(), later.PythonRepr(), why)};
  };
  if (kind() != later.kind()) return refuse("another kind");
  if (is_numeric()) {
    if (is_log() != later.is_log()) return refuse("the log flag differs");
    return {};
  }
  if (choices().size() != later.choices().size()) return refuse("other choices");
  for (std::size_t i = 0; i < choices().size(); ++i) {
    if (!SameValue(choices()[i], later.choices()[i])) return refuse("other choices");
  }
  return {};
}

std::string Distribution::PythonRepr() const {
  const auto flag = [](bool value) { return value ? "True" : "False"; };
  switch (data_->kind) {
    case DistributionKind::kFloat:
      return fmt::format("FloatDistribution(high={}, log={}, low={}, step={})",
                         PythonText(data_->high), flag(data_->log), PythonText(data_->low),
                         data_->step == 0 ? "None" : PythonText(data_->step));
    case DistributionKind::kInt:
      return fmt::format("IntDistribution(high={:.0f}, log={}, low={:.0f}, step={:.0f})",
                         data_->high, flag(data_->log), data_->low, data_->step);
    case DistributionKind::kCategorical:
      break;
  }
  std::string choices;
  for (const ParamValue& choice : data_->choices) {
    if (!choices.empty()) choices += ", ";
    choices += PythonText(choice);
  }
  // Python writes a tuple of one with a comma.
  if (data_->choices.size() == 1) choices += ",";
  return fmt::format("CategoricalDistribution(choices=({}))", choices);
}

namespace {

using internal::Json;

struct JsonAttributes {
  const Json* json = nullptr;

  const Json* Find(const char* name) const {
    const auto it = json->find(name);
    return it == json->end() ? nullptr : &*it;
  }

  Result<double> Number(const char* name) const {
    const Json* found = Find(name);
    if (found == nullptr) return Error{ErrorCode::kBadData, fmt::format("'{}' is missing", name)};
    return TW_TRY_CTX(internal::AsNumber(*found), name);
  }

  Result<std::int64_t> Integer(const char* name, std::optional<std::int64_t> fallback) const {
    if (Find(name) == nullptr && fallback) return *fallback;
    const double number = TW_TRY(Number(name));
    if (!(std::abs(number) <= 0x1p53) || number != std::floor(number)) {
      return Error{ErrorCode::kBadData, fmt::format("'{}': {} is no integer", name, number)};
    }
    return static_cast<std::int64_t>(number);
  }

  bool Flag(const char* name) const {
    const Json* found = Find(name);
    return found != nullptr && found->is_boolean() && found->get<bool>();
  }
};

Result<Distribution> NumericFrom(std::string_view name, const JsonAttributes& attributes) {
  const auto floats = [&](bool log, const char* step_name) -> Result<Distribution> {
    std::optional<double> step;
    if (step_name != nullptr) {
      const Json* found = attributes.Find(step_name);
      if (found != nullptr && !found->is_null()) step = TW_TRY(attributes.Number(step_name));
    }
    return Distribution::Float(TW_TRY(attributes.Number("low")), TW_TRY(attributes.Number("high")),
                               log, step);
  };
  const auto ints = [&](bool log) -> Result<Distribution> {
    // The old log integers carried a step without meaning.
    const std::int64_t step = log ? 1 : TW_TRY(attributes.Integer("step", 1));
    return Distribution::Int(TW_TRY(attributes.Integer("low", std::nullopt)),
                             TW_TRY(attributes.Integer("high", std::nullopt)), log, step);
  };
  if (name == "FloatDistribution" || name == "float") return floats(attributes.Flag("log"), "step");
  if (name == "IntDistribution" || name == "int") return ints(attributes.Flag("log"));
  if (name == "UniformDistribution") return floats(false, nullptr);
  if (name == "LogUniformDistribution") return floats(true, nullptr);
  if (name == "DiscreteUniformDistribution") return floats(false, "q");
  if (name == "IntUniformDistribution") return ints(false);
  if (name == "IntLogUniformDistribution") return ints(true);
  return Error{ErrorCode::kBadData, fmt::format("unknown distribution '{}'", name)};
}

Result<Distribution> CategoricalFrom(const JsonAttributes& attributes) {
  const Json* found = attributes.Find("choices");
  if (found == nullptr || !found->is_array()) {
    return Error{ErrorCode::kBadData, "'choices' is missing or no list"};
  }
  std::vector<ParamValue> choices;
  choices.reserve(found->size());
  for (const Json& choice : *found) {
    // Other types only warn in Optuna: kept as their JSON text.
    if (choice.is_structured()) {
      choices.emplace_back(choice.dump(-1, ' ', true, Json::error_handler_t::replace));
    } else {
      choices.push_back(TW_TRY(internal::AsValue(choice)));
    }
  }
  return Distribution::Categorical(std::move(choices));
}

Result<Distribution> FromParsed(const Json& parsed) {
  if (!parsed.is_object()) return Error{ErrorCode::kBadData, "no object"};
  const auto short_form = parsed.find("type");
  const auto name = short_form == parsed.end() ? parsed.find("name") : short_form;
  const auto attributes = short_form == parsed.end() ? parsed.find("attributes") : parsed.end();
  if (name == parsed.end() || !name->is_string() ||
      (short_form == parsed.end() && (attributes == parsed.end() || !attributes->is_object()))) {
    return Error{ErrorCode::kBadData, "'name' and 'attributes', or 'type', are missing"};
  }
  const JsonAttributes read{short_form == parsed.end() ? &*attributes : &parsed};
  const auto& text = name->get_ref<const std::string&>();
  return text == "CategoricalDistribution" || text == "categorical" ? CategoricalFrom(read)
                                                                    : NumericFrom(text, read);
}

}  // namespace

Result<Distribution> Distribution::FromJson(std::string_view json) {
  const Json parsed = TW_TRY_CTX(internal::ParseJson(json), "distribution");
  Result<Distribution> distribution = FromParsed(parsed);
  if (distribution.ok()) return distribution;
  return Error{ErrorCode::kBadData, fmt::format("distribution '{}': {}", json.substr(0, 200),
                                                distribution.error().message)};
}

}  // namespace tw::hpo
