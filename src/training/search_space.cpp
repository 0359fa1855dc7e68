#include "training/search_space.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <utility>

namespace tw::training {
namespace {

using hpo::ParamValue;

template <class T>
std::optional<T> NumberIn(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

// Bounds of a numeric parameter as the document gives them.
struct Bounds {
  double low = 0;
  double high = 0;
  double step = 0;
  bool log = false;
};

// The limit up to which a double holds every whole number.
constexpr double kWholeMax = 9007199254740992.0;

Bounds ReadBounds(const ConfigSection& section, bool whole) {
  Bounds bounds;
  for (const char* key : {"low", "high"}) {
    if (!section.Has(key)) section.Fail(key, "is missing");
  }
  if (whole) {
    std::int64_t low = 0;
    std::int64_t high = 0;
    std::int64_t step = 1;
    section.Integer("low", low, {.min = -kWholeMax, .max = kWholeMax});
    section.Integer("high", high, {.min = -kWholeMax, .max = kWholeMax});
    section.Integer("step", step, {.min = 1, .max = kWholeMax});
    bounds = {static_cast<double>(low), static_cast<double>(high), static_cast<double>(step)};
  } else {
    section.Number("low", bounds.low);
    section.Number("high", bounds.high);
    section.Number("step", bounds.step, {.min = 0});
  }
  section.Flag("log", bounds.log);
  return bounds;
}

std::optional<hpo::Distribution> Checked(const ConfigSection& section,
                                         Result<hpo::Distribution> made) {
  if (made.ok()) return *made;
  section.Fail("", "is no range: " + made.error().message);
  return std::nullopt;
}

std::optional<SearchParameter> ReadParameter(const ConfigSection& section, std::string path) {
  enum class Type { kNone, kFloat, kInt, kCategorical };
  Type type = Type::kNone;
  if (section.Has("type")) {
    section.Choice(
        "type", type,
        {{"float", Type::kFloat}, {"int", Type::kInt}, {"categorical", Type::kCategorical}});
  }
  std::vector<std::string> choices;
  std::optional<hpo::Distribution> distribution;
  if (type == Type::kFloat) {
    const Bounds b = ReadBounds(section, false);
    distribution = Checked(
        section, hpo::Distribution::Float(b.low, b.high, b.log,
                                          b.step > 0 ? std::optional(b.step) : std::nullopt));
  } else if (type == Type::kInt) {
    const Bounds b = ReadBounds(section, true);
    distribution = Checked(section, hpo::Distribution::Int(static_cast<std::int64_t>(b.low),
                                                           static_cast<std::int64_t>(b.high), b.log,
                                                           static_cast<std::int64_t>(b.step)));
  } else if (type == Type::kCategorical) {
    section.Items("choices", choices);
    std::vector<ParamValue> values;
    values.reserve(choices.size());
    for (const std::string& choice : choices) values.push_back(ValueOfYaml(choice));
    distribution = Checked(section, hpo::Distribution::Categorical(std::move(values)));
  } else {
    section.Fail("type", "is missing; wanted one of float, int, categorical");
  }
  if (const std::string_view reason = WhyFixed(path); !reason.empty()) {
    section.Fail("", fmt::format("cannot be searched: {}", reason));
    return std::nullopt;
  }
  if (!distribution) return std::nullopt;
  return SearchParameter{std::move(path), *std::move(distribution), std::move(choices), {}};
}

// A condition's value stands where a parameter's description stands in the space: keys may be
// dotted or nested. Leaves are scalars and lists, and mappings with min or max.
void ReadConditions(const ConfigSection& section, const std::string& prefix,
                    std::vector<SearchCondition>& when) {
  for (const std::string& key : section.Keys()) {
    const std::string path = prefix.empty() ? key : prefix + "." + key;
    SearchCondition condition{.parameter = path, .any_of = {}, .min = {}, .max = {}};
    if (section.IsMapping(key)) {
      const ConfigSection bounds = section.Section(key);
      if (!bounds.Has("min") && !bounds.Has("max")) {
        ReadConditions(bounds, path, when);
        continue;
      }
      const auto read = [&bounds](const char* name, std::optional<double>& limit) {
        if (!bounds.Has(name)) return;
        double value = 0;
        bounds.Number(name, value);
        limit = value;
      };
      read("min", condition.min);
      read("max", condition.max);
    } else {
      std::vector<std::string> items;
      section.Items(key, items);
      for (const std::string& item : items) condition.any_of.push_back(ValueOfYaml(item));
    }
    when.push_back(std::move(condition));
  }
}

bool IsDescription(const ConfigSection& section) {
  return section.Has("type") || section.Has("low") || section.Has("high") || section.Has("choices");
}

struct Described {
  SearchParameter parameter;
  ConfigSection section;
};

void Collect(const ConfigSection& section, const std::string& prefix,
             std::vector<Described>& found) {
  for (const std::string& key : section.Keys()) {
    const std::string path = prefix.empty() ? key : prefix + "." + key;
    const ConfigSection below = section.Section(key);
    if (!IsDescription(below)) {
      if (below.Keys().empty()) {
        below.Fail("", "is no parameter: wanted a mapping with type, and low and high or choices");
      }
      Collect(below, path, found);
      continue;
    }
    auto parameter = ReadParameter(below, path);
    const ConfigSection when = below.Section("when");
    std::vector<SearchCondition> conditions;
    ReadConditions(when, "", conditions);
    if (!parameter) continue;
    parameter->when = std::move(conditions);
    // The same path dotted in the file and nested by --set is one parameter.
    const auto same = [&path](const Described& d) { return d.parameter.path == path; };
    if (std::ranges::none_of(found, same)) found.push_back({*std::move(parameter), below});
  }
}

// Whether the condition can hold at all for the parameter that it names.
bool CanHold(const SearchCondition& condition, const hpo::Distribution& distribution) {
  if (condition.any_of.empty()) return distribution.is_numeric();
  return std::ranges::all_of(condition.any_of, [&](const ParamValue& value) {
    const auto internal = distribution.ToInternal(value);
    return internal.ok() && distribution.Contains(*internal);
  });
}

void CheckConditions(const std::vector<Described>& found) {
  for (const Described& described : found) {
    for (const SearchCondition& condition : described.parameter.when) {
      const auto named = std::ranges::find_if(
          found, [&](const Described& d) { return d.parameter.path == condition.parameter; });
      if (named == found.end()) {
        std::vector<std::string> paths;
        paths.reserve(found.size());
        for (const Described& d : found) paths.push_back(d.parameter.path);
        const auto near = NearestWord(condition.parameter, paths);
        described.section.Fail(
            "when",
            fmt::format("names '{}', which is no parameter of the space{}", condition.parameter,
                        near ? fmt::format(" (did you mean '{}'?)", *near) : ""));
      } else if (!CanHold(condition, named->parameter.distribution)) {
        described.section.Fail(
            "when", fmt::format("wants a value of '{}' that it never has", condition.parameter));
      }
    }
  }
}

}  // namespace

hpo::ParamValue ValueOfYaml(std::string_view yaml) {
  if (yaml.starts_with('"')) {
    const auto text = hpo::ValueFromJson(yaml);
    return text.ok() ? *text : ParamValue(std::string(yaml));
  }
  if (yaml == "null" || yaml == "~") return std::monostate{};
  if (yaml == "true" || yaml == "false") return yaml == "true";
  if (const auto whole = NumberIn<std::int64_t>(yaml)) return *whole;
  const bool digits =
      !yaml.empty() && (yaml[0] == '-' || yaml[0] == '.' || (yaml[0] >= '0' && yaml[0] <= '9'));
  if (const auto number = NumberIn<double>(yaml); number && digits && std::isfinite(*number)) {
    return *number;
  }
  return std::string(yaml);
}

std::string_view WhyFixed(std::string_view path) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 12> kFixed = {{
      {"name", "it is a name"},
      {"data", "trials on other data do not compare"},
      {"validation", "trials with other folds or another holdout do not compare"},
      {"baselines", "it does not change the agent"},
      {"verdict", "it does not change the agent"},
      {"search", "a search does not change itself"},
      {"agent.seed", "the luckiest seed is no better agent"},
      {"agent.seeds", "it is the effort of each trial, not a property of the agent"},
      {"world.costs", "costs are the market's, not the agent's"},
      {"world.financing", "costs are the market's, not the agent's"},
      {"world.capital", "the account is given"},
      {"world.currency", "the account is given"},
  }};
  for (const auto& [prefix, reason] : kFixed) {
    if (path == prefix || (path.starts_with(prefix) && path[prefix.size()] == '.')) return reason;
  }
  return "";
}

const SearchParameter* SearchSpace::Find(std::string_view path) const {
  const auto found = std::ranges::find(parameters_, path, &SearchParameter::path);
  return found == parameters_.end() ? nullptr : &*found;
}

bool SearchSpace::IsActive(const SearchParameter& parameter, const SearchValues& chosen) {
  return std::ranges::all_of(parameter.when, [&chosen](const SearchCondition& condition) {
    const auto found = chosen.find(condition.parameter);
    if (found == chosen.end()) return false;
    if (!condition.any_of.empty()) {
      return std::ranges::any_of(condition.any_of, [&](const ParamValue& value) {
        return hpo::SameValue(value, found->second);
      });
    }
    const auto number = hpo::NumberOf(found->second);
    return number.ok() && *number >= condition.min.value_or(*number) &&
           *number <= condition.max.value_or(*number);
  });
}

Result<std::vector<std::string>> SearchSpace::Overrides(const SearchValues& values) const {
  std::vector<std::string> overrides;
  for (const SearchParameter& parameter : parameters_) {
    const auto found = values.find(parameter.path);
    if (found == values.end()) continue;
    std::string text;
    if (parameter.distribution.is_numeric()) {
      const double number = TW_TRY_CTX(hpo::NumberOf(found->second), parameter.path);
      text = parameter.distribution.kind() == hpo::DistributionKind::kInt
                 ? fmt::format("{}", static_cast<std::int64_t>(std::llround(number)))
                 : fmt::format("{}", number);
    } else {
      const double index =
          TW_TRY_CTX(parameter.distribution.ToInternal(found->second), parameter.path);
      text = parameter.choice_texts[static_cast<std::size_t>(index)];
    }
    overrides.push_back(parameter.path + "=" + text);
  }
  return overrides;
}

void BindSpace(const ConfigSection& section, SearchSpace& space) {
  std::vector<Described> found;
  Collect(section, "", found);
  CheckConditions(found);
  // Those whose controlling parameters stand already come next, in the order of the file.
  space.parameters_.clear();
  std::vector<bool> placed(found.size(), false);
  for (bool moved = true; moved;) {
    moved = false;
    for (std::size_t i = 0; i < found.size(); ++i) {
      if (placed[i]) continue;
      const bool ready =
          std::ranges::all_of(found[i].parameter.when, [&](const SearchCondition& condition) {
            return space.Find(condition.parameter) != nullptr;
          });
      if (!ready) continue;
      space.parameters_.push_back(found[i].parameter);
      placed[i] = moved = true;
    }
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    const bool known = std::ranges::all_of(found[i].parameter.when, [&](const auto& condition) {
      return std::ranges::any_of(
          found, [&](const Described& d) { return d.parameter.path == condition.parameter; });
    });
    if (!placed[i] && known) found[i].section.Fail("when", "goes round in a circle");
  }
}

}  // namespace tw::training
