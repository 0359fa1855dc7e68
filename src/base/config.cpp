#include "base/config.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "base/files.h"

namespace tw {

struct ConfigTree {
  YAML::Node root;
  std::string name;
  // Which override or merged file set a path, for messages.
  std::map<std::string, std::string> origin;
  std::vector<std::string> bound;                // full paths in binding order
  std::map<std::string, std::string> effective;  // path -> YAML scalar or flow list
  std::set<std::string> sections;
  std::vector<std::string> errors;
};

namespace {

std::string Join(const std::string& path, std::string_view key) {
  return path.empty() ? std::string(key) : path + "." + std::string(key);
}

std::vector<std::string> Split(std::string_view path) {
  std::vector<std::string> parts;
  while (true) {
    const std::size_t dot = path.find('.');
    parts.emplace_back(path.substr(0, dot));
    if (dot == std::string_view::npos) return parts;
    path.remove_prefix(dot + 1);
  }
}

// The child of a mapping that `part` names, "key" or "key[3]"; undefined when absent.
YAML::Node Child(const YAML::Node& map, std::string_view part) {
  const std::size_t bracket = part.ends_with(']') ? part.rfind('[') : std::string_view::npos;
  const YAML::Node child = map[std::string(part.substr(0, bracket))];
  if (!child || bracket == std::string_view::npos) return child;
  const auto index = static_cast<std::size_t>(std::stoul(std::string(part.substr(bracket + 1))));
  if (!child.IsSequence() || index >= child.size()) {
    return YAML::Node(YAML::NodeType::Undefined);
  }
  return child[index];
}

// Node at a dotted path, list items as "[3]"; an undefined node when absent. A key of the file may
// hold dots itself (`ppo.gamma: ...` in tables keyed by config paths); nested mappings win.
YAML::Node FindBelow(const YAML::Node& node, std::string_view path) {
  if (path.empty()) return node;
  if (!node.IsMap()) return YAML::Node(YAML::NodeType::Undefined);
  for (std::size_t dot = path.find('.');; dot = path.find('.', dot + 1)) {
    const YAML::Node child = Child(node, path.substr(0, dot));
    if (child.IsDefined()) {
      if (dot == std::string_view::npos) return child;
      const YAML::Node found = FindBelow(child, path.substr(dot + 1));
      if (found.IsDefined()) return found;
    }
    if (dot == std::string_view::npos) return YAML::Node(YAML::NodeType::Undefined);
  }
}

YAML::Node Find(const ConfigTree& tree, const std::string& path) {
  return FindBelow(tree.root, path);
}

// What set `path` or a mapping above it after the document was read; none for the document itself.
const std::string* KnownOrigin(const ConfigTree& tree, const std::string& path) {
  for (std::string at = path; !at.empty();) {
    const auto origin = tree.origin.find(at);
    if (origin != tree.origin.end()) return &origin->second;
    const std::size_t dot = at.rfind('.');
    at = dot == std::string::npos ? "" : at.substr(0, dot);
  }
  return nullptr;
}

std::string Where(const ConfigTree& tree, const std::string& path) {
  if (const std::string* origin = KnownOrigin(tree, path)) return *origin + ": " + path;
  const YAML::Node node = Find(tree, path);
  const int line = node.IsDefined() ? node.Mark().line + 1 : 0;
  return line > 0 ? fmt::format("{}:{}: {}", tree.name, line, path)
                  : fmt::format("{}: {}", tree.name, path);
}

std::string Shown(const YAML::Node& node) {
  if (node.IsScalar()) return "'" + node.Scalar() + "'";
  if (node.IsNull()) return "nothing";
  return node.IsMap() ? "a mapping" : "a list";
}

void Remember(ConfigTree& tree, const std::string& path, std::string text) {
  if (!tree.effective.contains(path)) tree.bound.push_back(path);
  tree.effective[path] = std::move(text);
}

std::string QuoteYaml(const std::string& text) {
  YAML::Emitter out;
  out << text;
  return out.c_str();
}

std::string NumberText(double value) {
  if (std::isnan(value)) return ".nan";
  if (std::isinf(value)) return value > 0 ? ".inf" : "-.inf";
  return fmt::format("{}", value);
}

template <class T>
std::optional<T> Convert(const YAML::Node& node) {
  if (!node.IsScalar()) return std::nullopt;
  T value{};
  if (!YAML::convert<T>::decode(node, value)) return std::nullopt;
  return value;
}

std::string RangeText(const ConfigRange& range) {
  const bool has_min = std::isfinite(range.min);
  const bool has_max = std::isfinite(range.max);
  if (has_min && has_max) return fmt::format("between {} and {}", range.min, range.max);
  return has_min ? fmt::format("at least {}", range.min) : fmt::format("at most {}", range.max);
}

// Reads one number of `kind` ("a whole number", "a number") and checks its range.
template <class T>
void ReadNumber(ConfigTree& tree, const std::string& path, T& value, ConfigRange range,
                const char* kind) {
  const YAML::Node node = Find(tree, path);
  if (node.IsDefined()) {
    const auto read = Convert<T>(node);
    if (!read) {
      tree.errors.push_back(
          fmt::format("{} is {}, wanted {}", Where(tree, path), Shown(node), kind));
    } else if (!(static_cast<double>(*read) >= range.min &&
                 static_cast<double>(*read) <= range.max)) {
      tree.errors.push_back(
          fmt::format("{} is {}, wanted {} {}", Where(tree, path), *read, kind, RangeText(range)));
    } else {
      value = *read;
    }
  }
  Remember(tree, path, NumberText(static_cast<double>(value)));
  if constexpr (std::is_integral_v<T>) tree.effective[path] = fmt::format("{}", value);
}

template <class T, class Format>
void ReadList(ConfigTree& tree, const std::string& path, std::vector<T>& value, ConfigRange range,
              const char* kind, Format format) {
  const YAML::Node node = Find(tree, path);
  if (node.IsDefined()) {
    std::vector<T> items;
    bool good = node.IsSequence();
    for (std::size_t i = 0; good && i < node.size(); ++i) {
      const auto item = Convert<T>(node[i]);
      good = item.has_value();
      if (!good) break;
      if constexpr (std::is_arithmetic_v<T>) {
        const auto number = static_cast<double>(*item);
        if (!(number >= range.min && number <= range.max)) {
          tree.errors.push_back(fmt::format("{}[{}] is {}, wanted {}", Where(tree, path), i, *item,
                                            RangeText(range)));
        }
      }
      items.push_back(*item);
    }
    if (good) {
      value = std::move(items);
    } else {
      tree.errors.push_back(
          fmt::format("{} is {}, wanted a list of {}", Where(tree, path), Shown(node), kind));
    }
  }
  std::string text;
  for (const T& item : value) text += (text.empty() ? "" : ", ") + format(item);
  Remember(tree, path, "[" + text + "]");
}

// Full paths of every scalar and list of scalars below `node`; items of lists of mappings get an
// index.
void CollectLeaves(const YAML::Node& node, const std::string& path, std::vector<std::string>& out) {
  if (node.IsMap()) {
    for (const auto& item : node) CollectLeaves(item.second, Join(path, item.first.Scalar()), out);
    return;
  }
  if (node.IsSequence() && node.size() > 0 && node[0].IsMap()) {
    for (std::size_t i = 0; i < node.size(); ++i)
      CollectLeaves(node[i], fmt::format("{}[{}]", path, i), out);
    return;
  }
  out.push_back(path);
}

void MergeNode(YAML::Node base, const YAML::Node& top) {
  for (const auto& item : top) {
    const std::string key = item.first.Scalar();
    YAML::Node child = base[key];
    if (child.IsMap() && item.second.IsMap()) {
      MergeNode(child, item.second);
    } else {
      base[key] = YAML::Clone(item.second);
    }
  }
}

// The effective config while it is written: keys in binding order, however often a section was
// opened. Items of lists have keys "[0]", "[1]", ...
struct EffectiveNode {
  std::string value;
  std::vector<std::pair<std::string, std::unique_ptr<EffectiveNode>>> children;

  EffectiveNode* Child(const std::string& key) {
    for (const auto& [name, child] : children) {
      if (name == key) return child.get();
    }
    return children.emplace_back(key, std::make_unique<EffectiveNode>()).second.get();
  }

  void Emit(std::string& out, std::size_t indent) const {
    for (const auto& [name, child] : children) {
      if (name.starts_with('[')) {
        std::string item;
        child->Emit(item, indent + 2);
        if (item.size() > indent) item[indent] = '-';
        out += item;
        continue;
      }
      out += std::string(indent, ' ') + name + ":" +
             (child->children.empty() ? " " + child->value : "") + "\n";
      child->Emit(out, indent + 2);
    }
  }
};

std::size_t EditDistance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::optional<std::string> NearestWord(std::string_view word,
                                       std::span<const std::string> candidates) {
  std::optional<std::string> best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = EditDistance(word, candidate);
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

ConfigSection ConfigSection::Section(std::string_view key) const {
  const std::string path = Join(path_, key);
  tree_->sections.insert(path);
  const YAML::Node node = Find(*tree_, path);
  if (node.IsDefined() && !node.IsMap() && !node.IsNull()) {
    tree_->errors.push_back(
        fmt::format("{} is {}, wanted a mapping", Where(*tree_, path), Shown(node)));
  }
  return {tree_, path};
}

std::vector<std::string> ConfigSection::Keys() const {
  std::vector<std::string> keys;
  const YAML::Node node = Find(*tree_, path_);
  if (node.IsDefined() && node.IsMap()) {
    for (const auto& item : node) keys.push_back(item.first.Scalar());
  }
  return keys;
}

std::vector<ConfigSection> ConfigSection::List(std::string_view key) const {
  std::vector<ConfigSection> sections;
  const std::string path = Join(path_, key);
  const YAML::Node node = Find(*tree_, path);
  if (!node.IsDefined()) return sections;
  if (!node.IsSequence()) {
    tree_->errors.push_back(
        fmt::format("{} is {}, wanted a list", Where(*tree_, path), Shown(node)));
    return sections;
  }
  for (std::size_t i = 0; i < node.size(); ++i)
    sections.emplace_back(tree_, fmt::format("{}[{}]", path, i));
  return sections;
}

bool ConfigSection::Has(std::string_view key) const {
  return Find(*tree_, Join(path_, key)).IsDefined();
}

bool ConfigSection::IsMapping(std::string_view key) const {
  const YAML::Node node = Find(*tree_, Join(path_, key));
  return node.IsDefined() && node.IsMap();
}

void ConfigSection::Flag(std::string_view key, bool& value) const {
  const std::string path = Join(path_, key);
  const YAML::Node node = Find(*tree_, path);
  if (node.IsDefined()) {
    const auto read = Convert<bool>(node);
    if (read) {
      value = *read;
    } else {
      tree_->errors.push_back(
          fmt::format("{} is {}, wanted true or false", Where(*tree_, path), Shown(node)));
    }
  }
  Remember(*tree_, path, value ? "true" : "false");
}

void ConfigSection::Integer(std::string_view key, std::int64_t& value, ConfigRange range) const {
  ReadNumber(*tree_, Join(path_, key), value, range, "a whole number");
}

void ConfigSection::Integer(std::string_view key, int& value, ConfigRange range) const {
  ReadNumber(*tree_, Join(path_, key), value, range, "a whole number");
}

void ConfigSection::Number(std::string_view key, double& value, ConfigRange range) const {
  ReadNumber(*tree_, Join(path_, key), value, range, "a number");
}

void ConfigSection::Text(std::string_view key, std::string& value) const {
  const std::string path = Join(path_, key);
  const YAML::Node node = Find(*tree_, path);
  if (node.IsDefined()) {
    if (node.IsScalar()) {
      value = node.Scalar();
    } else {
      tree_->errors.push_back(
          fmt::format("{} is {}, wanted text", Where(*tree_, path), Shown(node)));
    }
  }
  Remember(*tree_, path, QuoteYaml(value));
}

void ConfigSection::Texts(std::string_view key, std::vector<std::string>& value) const {
  ReadList(*tree_, Join(path_, key), value, {}, "texts", QuoteYaml);
}

void ConfigSection::Items(std::string_view key, std::vector<std::string>& value) const {
  const std::string path = Join(path_, key);
  const YAML::Node node = Find(*tree_, path);
  const auto text = [](const YAML::Node& item) {
    YAML::Emitter out;
    out.SetMapFormat(YAML::Flow);
    out.SetSeqFormat(YAML::Flow);
    if (item.IsScalar() &&
        item.Tag() == "!") {  // quoted in the file: a text, whatever it looks like
      out << YAML::DoubleQuoted << item.Scalar();
    } else {
      out << item;
    }
    return std::string(out.c_str());
  };
  if (node.IsDefined()) {
    value.clear();
    if (node.IsSequence()) {
      for (std::size_t i = 0; i < node.size(); ++i) value.push_back(text(node[i]));
    } else if (node.IsScalar()) {
      value.push_back(text(node));
    } else {
      tree_->errors.push_back(
          fmt::format("{} is {}, wanted a value or a list", Where(*tree_, path), Shown(node)));
    }
  }
  Remember(*tree_, path, fmt::format("[{}]", fmt::join(value, ", ")));
}

void ConfigSection::Integers(std::string_view key, std::vector<std::int64_t>& value,
                             ConfigRange range) const {
  ReadList(*tree_, Join(path_, key), value, range, "whole numbers",
           [](std::int64_t v) { return fmt::format("{}", v); });
}

void ConfigSection::Numbers(std::string_view key, std::vector<double>& value,
                            ConfigRange range) const {
  ReadList(*tree_, Join(path_, key), value, range, "numbers", NumberText);
}

std::size_t ConfigSection::ChoiceIndex(std::string_view key, std::size_t current,
                                       std::span<const std::string_view> allowed) const {
  std::string text(allowed[current]);
  Text(key, text);
  const auto found = std::ranges::find(allowed, text);
  if (found != allowed.end()) return static_cast<std::size_t>(found - allowed.begin());
  const std::vector<std::string> words(allowed.begin(), allowed.end());
  const auto near = NearestWord(text, words);
  Fail(key, fmt::format("is '{}', wanted one of {}{}", text, fmt::join(allowed, ", "),
                        near ? fmt::format(" (did you mean '{}'?)", *near) : ""));
  return current;
}

void ConfigSection::Fail(std::string_view key, std::string_view message) const {
  const std::string path = key.empty() ? path_ : Join(path_, key);
  tree_->errors.push_back(fmt::format("{} {}", Where(*tree_, path), message));
}

Result<Config> Config::Parse(std::string_view yaml, std::string_view name) {
  auto tree = std::make_shared<ConfigTree>();
  tree->name = std::string(name);
  try {
    tree->root = YAML::Load(std::string(yaml));
  } catch (const YAML::Exception& e) {
    return Error{ErrorCode::kConfig,
                 fmt::format("{}:{}: no valid YAML: {}", name, e.mark.line + 1, e.msg)};
  }
  if (tree->root.IsNull() || !tree->root.IsDefined()) tree->root = YAML::Node(YAML::NodeType::Map);
  if (!tree->root.IsMap()) {
    return Error{ErrorCode::kConfig, fmt::format("{}: wanted a mapping at the top", name)};
  }
  return Config(std::move(tree));
}

Result<Config> Config::Load(const std::string& path) {
  const std::string text = TW_TRY(ReadFile(path));
  return Parse(text, path);
}

Config Config::Empty() {
  auto tree = std::make_shared<ConfigTree>();
  tree->name = "config";
  tree->root = YAML::Node(YAML::NodeType::Map);
  return Config(std::move(tree));
}

Result<void> Config::Override(std::string_view assignment, std::string_view option) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    return Error{ErrorCode::kUsage,
                 fmt::format("{} '{}': wanted path.to.key=value", option, assignment)};
  }
  const std::string path(assignment.substr(0, equals));
  YAML::Node value;
  try {
    value = YAML::Load(std::string(assignment.substr(equals + 1)));
  } catch (const YAML::Exception& e) {
    return Error{ErrorCode::kConfig,
                 fmt::format("{} '{}': no valid YAML: {}", option, assignment, e.msg)};
  }
  YAML::Node node = tree_->root;
  const std::vector<std::string> parts = Split(path);
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].empty())
      return Error{ErrorCode::kUsage,
                   fmt::format("{} '{}': empty key in the path", option, assignment)};
    if (!node.IsMap()) {
      return Error{ErrorCode::kConfig, fmt::format("{} '{}': '{}' is under a value, not a mapping",
                                                   option, assignment, parts[i])};
    }
    if (i + 1 == parts.size()) {
      node[parts[i]] = value;
    } else {
      YAML::Node child = node[parts[i]];
      if (!child.IsDefined() || child.IsNull()) {
        node[parts[i]] = YAML::Node(YAML::NodeType::Map);
        child.reset(node[parts[i]]);
      }
      node.reset(child);
    }
  }
  tree_->origin[path] = std::string(option);
  return {};
}

Result<void> Config::Merge(const Config& other) {
  MergeNode(tree_->root, other.tree_->root);
  std::vector<std::string> leaves;
  CollectLeaves(other.tree_->root, "", leaves);
  for (const std::string& leaf : leaves) {
    if (const std::string* known = KnownOrigin(*other.tree_, leaf)) {
      tree_->origin[leaf] = *known;
      continue;
    }
    const YAML::Node node = Find(*other.tree_, leaf);
    const int line = node.IsDefined() ? node.Mark().line + 1 : 0;
    tree_->origin[leaf] =
        line > 0 ? fmt::format("{}:{}", other.tree_->name, line) : other.tree_->name;
  }
  return {};
}

void Config::Remove(std::string_view section) {
  if (tree_->root.IsMap()) tree_->root.remove(std::string(section));
}

ConfigSection Config::root() const { return {tree_, ""}; }

Result<void> Config::Finish() const {
  // A section that two modules bind is read twice, and found faulty twice.
  std::vector<std::string> errors;
  for (const std::string& error : tree_->errors) {
    if (std::ranges::find(errors, error) == errors.end()) errors.push_back(error);
  }
  std::vector<std::string> leaves;
  CollectLeaves(tree_->root, "", leaves);
  for (const std::string& leaf : leaves) {
    if (tree_->effective.contains(leaf) || (leaf.empty() && tree_->root.size() == 0)) continue;
    const YAML::Node node = Find(*tree_, leaf);
    if (tree_->sections.contains(leaf) &&
        (node.IsNull() || (node.IsSequence() && node.size() == 0)))
      continue;
    const auto near = NearestWord(leaf, tree_->bound);
    errors.push_back(fmt::format("{} is no known key{}", Where(*tree_, leaf),
                                 near ? fmt::format(" (did you mean '{}'?)", *near) : ""));
  }
  if (errors.empty()) return {};
  std::string message;
  const std::size_t shown = std::min<std::size_t>(errors.size(), 10);
  for (std::size_t i = 0; i < shown; ++i) message += (i == 0 ? "" : "\n") + errors[i];
  if (errors.size() > shown) message += fmt::format("\n({} more)", errors.size() - shown);
  return Error{ErrorCode::kConfig, message};
}

std::string Config::EffectiveYaml() const {
  EffectiveNode root;
  for (const std::string& path : tree_->bound) {
    EffectiveNode* node = &root;
    for (const std::string& part : Split(path)) {
      const std::size_t bracket = part.find('[');
      node = node->Child(part.substr(0, bracket));
      if (bracket != std::string::npos) node = node->Child(part.substr(bracket));
    }
    node->value = tree_->effective.at(path);
  }
  std::string out;
  root.Emit(out, 0);
  return out;
}

}  // namespace tw
