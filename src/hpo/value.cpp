#include "hpo/value.h"

#include <fmt/core.h>

#include <array>
#include <cmath>
#include <limits>
#include <type_traits>

#include "hpo/json_codec.h"

namespace tw::hpo {
namespace internal {
namespace {

// No attribute of Optuna begins with this control character.
constexpr std::string_view kMark = "\\u0001";
constexpr char kMarkChar = '\x01';

/// Quotes the three tokens outside of strings.
std::string QuoteNonFinite(std::string_view text) {
  constexpr std::array<std::string_view, 3> kTokens = {"NaN", "-Infinity", "Infinity"};
  std::string out;
  out.reserve(text.size());
  bool in_string = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (in_string || text[i] == '"') {
      if (text[i] == '\\' && i + 1 < text.size())
        out += text[i++];
      else if (text[i] == '"')
        in_string = !in_string;
      out += text[i];
      continue;
    }
    bool found = false;
    for (const std::string_view token : kTokens) {
      if (text.substr(i, token.size()) != token) continue;
      out += fmt::format("\"{}{}\"", kMark, token);
      i += token.size() - 1;
      found = true;
      break;
    }
    if (!found) out += text[i];
  }
  return out;
}

std::optional<double> MarkedNumber(std::string_view text) {
  if (text.empty() || text.front() != kMarkChar) return std::nullopt;
  text.remove_prefix(1);
  if (text == "NaN") return std::numeric_limits<double>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<double>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<double>::infinity();
  return std::nullopt;
}

}  // namespace

Result<Json> ParseJson(std::string_view text) {
  // The tokens are rare: most texts go straight to the parser.
  const bool dialect = text.find("NaN") != text.npos || text.find("Infinity") != text.npos;
  Json json = dialect ? Json::parse(QuoteNonFinite(text), nullptr, false)
                      : Json::parse(text.begin(), text.end(), nullptr, false);
  if (json.is_discarded()) {
    return Error{ErrorCode::kBadData, fmt::format("'{}' is no JSON", text.substr(0, 200))};
  }
  return json;
}

Result<ParamValue> AsValue(const Json& json) {
  if (json.is_null()) return ParamValue{};
  if (json.is_boolean()) return ParamValue{json.get<bool>()};
  if (json.is_number_unsigned() &&
      json.get<std::uint64_t>() > std::uint64_t{std::numeric_limits<std::int64_t>::max()}) {
    return ParamValue{json.get<double>()};
  }
  if (json.is_number_integer()) return ParamValue{json.get<std::int64_t>()};
  if (json.is_number_float()) return ParamValue{json.get<double>()};
  if (json.is_string()) {
    const auto& text = json.get_ref<const std::string&>();
    if (const auto number = MarkedNumber(text)) return ParamValue{*number};
    return ParamValue{text};
  }
  return Error{
      ErrorCode::kBadData,
      fmt::format("'{}' is neither null, bool, number nor text",
                  json.dump(-1, ' ', true, Json::error_handler_t::replace).substr(0, 200))};
}

Result<double> AsNumber(const Json& json) { return NumberOf(TW_TRY(AsValue(json))); }

}  // namespace internal

namespace {

template <class... Parts>
struct Overloaded : Parts... {
  using Parts::operator()...;
};
template <class... Parts>
Overloaded(Parts...) -> Overloaded<Parts...>;

std::optional<double> TryNumber(const ParamValue& value) {
  return std::visit(
      Overloaded{[](std::monostate) { return std::optional<double>(); },
                 [](const std::string&) { return std::optional<double>(); },
                 [](auto number) { return std::optional<double>(static_cast<double>(number)); }},
      value);
}

void AppendEscaped(std::string& out, unsigned code) {
  if (code >= 0x10000) {
    const unsigned rest = code - 0x10000;
    AppendEscaped(out, 0xd800 + (rest >> 10U));
    AppendEscaped(out, 0xdc00 + (rest & 0x3ffU));
    return;
  }
  out += fmt::format("\\u{:04x}", code);
}

/// The code point at `i`, which moves to its last byte; damaged UTF-8 gives U+FFFD.
unsigned DecodeUtf8(std::string_view text, std::size_t& i) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const unsigned first = byte(i);
  const unsigned extra = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
  if (extra == 0 || i + extra >= text.size()) return 0xfffd;
  unsigned code = first & (0x3fU >> extra);
  for (unsigned k = 1; k <= extra; ++k) {
    if ((byte(i + k) & 0xc0U) != 0x80) return 0xfffd;
    code = code << 6U | (byte(i + k) & 0x3fU);
  }
  i += extra;
  return code;
}

template <class List, class Write>
std::string JsonList(const List& list, const Write& write) {
  std::string out = "[";
  for (const auto& item : list) {
    if (out.size() > 1) out += ", ";
    out += write(item);
  }
  return out + "]";
}

}  // namespace

bool SameValue(const ParamValue& a, const ParamValue& b) {
  if (const auto* x = std::get_if<std::int64_t>(&a), *y = std::get_if<std::int64_t>(&b); x && y) {
    return *x == *y;
  }
  const auto x = TryNumber(a);
  const auto y = TryNumber(b);
  if (x && y) return *x == *y || (std::isnan(*x) && std::isnan(*y));
  return a == b;
}

Result<double> NumberOf(const ParamValue& value) {
  if (const auto number = TryNumber(value)) return *number;
  return Error{ErrorCode::kBadData, fmt::format("{} is no number", ToJson(value))};
}

std::string TextOf(const ParamValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return ToJson(value);
}

std::string ToJson(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  std::string text = fmt::format("{}", number);
  if (text.find_first_of(".e") == text.npos) text += ".0";
  return text;
}

std::string JsonString(std::string_view text) {
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          AppendEscaped(out, static_cast<unsigned char>(c));
        else if (static_cast<unsigned char>(c) < 0x80)
          out += c;
        else
          AppendEscaped(out, DecodeUtf8(text, i));
    }
  }
  return out + "\"";
}

std::string ToJson(const ParamValue& value) {
  return std::visit(Overloaded{[](std::monostate) { return std::string("null"); },
                               [](bool flag) { return std::string(flag ? "true" : "false"); },
                               [](std::int64_t number) { return fmt::format("{}", number); },
                               [](double number) { return ToJson(number); },
                               [](const std::string& text) { return JsonString(text); }},
                    value);
}

std::string ToJson(const std::vector<double>& numbers) {
  return JsonList(numbers, [](double number) { return ToJson(number); });
}

std::string ToJson(const std::vector<std::int64_t>& numbers) {
  return JsonList(numbers, [](std::int64_t number) { return fmt::format("{}", number); });
}

std::string ToJson(const std::vector<std::pair<std::string, ParamValue>>& object) {
  std::string out = "{";
  for (const auto& [key, value] : object) {
    if (out.size() > 1) out += ", ";
    out += JsonString(key) + ": " + ToJson(value);
  }
  return out + "}";
}

Result<ParamValue> ValueFromJson(std::string_view json) {
  return internal::AsValue(TW_TRY(internal::ParseJson(json)));
}

Result<double> NumberFromJson(std::string_view json) {
  return internal::AsNumber(TW_TRY(internal::ParseJson(json)));
}

Result<std::int64_t> IntegerFromJson(std::string_view json) {
  const double number = TW_TRY(NumberFromJson(json));
  if (!(std::abs(number) <= 0x1p53) || number != std::floor(number)) {
    return Error{ErrorCode::kBadData, fmt::format("'{}' is no integer", json.substr(0, 200))};
  }
  return static_cast<std::int64_t>(number);
}

Result<std::vector<double>> NumbersFromJson(std::string_view json) {
  const internal::Json parsed = TW_TRY(internal::ParseJson(json));
  if (!parsed.is_array()) {
    return Error{ErrorCode::kBadData, fmt::format("'{}' is no list", json.substr(0, 200))};
  }
  std::vector<double> numbers;
  numbers.reserve(parsed.size());
  for (const auto& item : parsed) numbers.push_back(TW_TRY(internal::AsNumber(item)));
  return numbers;
}

Result<std::vector<std::pair<std::string, ParamValue>>> ObjectFromJson(std::string_view json) {
  const internal::Json parsed = TW_TRY(internal::ParseJson(json));
  if (!parsed.is_object()) {
    return Error{ErrorCode::kBadData, fmt::format("'{}' is no object", json.substr(0, 200))};
  }
  std::vector<std::pair<std::string, ParamValue>> object;
  object.reserve(parsed.size());
  for (const auto& [key, value] : parsed.items()) {
    object.emplace_back(key, TW_TRY_CTX(internal::AsValue(value), key));
  }
  return object;
}

std::string TextAttribute(const Attributes& attributes, std::string_view key) {
  const auto found = attributes.find(key);
  if (found == attributes.end()) return "";
  const auto value = ValueFromJson(found->second);
  return value.ok() ? TextOf(*value) : "";
}

}  // namespace tw::hpo
