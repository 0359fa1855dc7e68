#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tw {

struct ConfigTree;  // internal: the YAML tree, what was read of it, and the errors met

/// Inclusive limits of a number in a config document.
struct ConfigRange {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

/// One mapping of a config document. A module has one typed struct per section and one function
/// that binds it:
///
///   void Bind(ConfigSection section, PpoConfig& config) {
///     section.Number("gamma", config.gamma, {.min = 0.0, .max = 1.0});
///     section.Choice("device", config.device, {{"cpu", Device::kCpu}});
///   }
///
/// The member's value before the call is the default. A wrong type, a value out of range and, at
/// Config::Finish, a key that nobody bound are errors that name file, line and path; they are
/// collected, so that one run shows them all. Every bound key is remembered with its value, which
/// makes the effective config.
class ConfigSection {
 public:
  ConfigSection(std::shared_ptr<ConfigTree> tree, std::string path)
      : tree_(std::move(tree)), path_(std::move(path)) {}

  /// A nested mapping; an absent one behaves as empty.
  ConfigSection Section(std::string_view key) const;
  /// The keys of this mapping in file order; for tables keyed by name (instruments, features).
  std::vector<std::string> Keys() const;
  /// Number of items if `key` is a list of mappings, and a section for each.
  std::vector<ConfigSection> List(std::string_view key) const;
  bool Has(std::string_view key) const;
  bool IsMapping(std::string_view key) const;

  void Flag(std::string_view key, bool& value) const;
  void Integer(std::string_view key, std::int64_t& value, ConfigRange range = {}) const;
  void Integer(std::string_view key, int& value, ConfigRange range = {}) const;
  void Number(std::string_view key, double& value, ConfigRange range = {}) const;
  void Text(std::string_view key, std::string& value) const;
  void Texts(std::string_view key, std::vector<std::string>& value) const;
  /// The items of a list of any kind, each as YAML text in one line ("64", "[64, 64]", "\"0.5\""
  /// for a quoted one); a single scalar is a list of one.
  void Items(std::string_view key, std::vector<std::string>& value) const;
  void Integers(std::string_view key, std::vector<std::int64_t>& value,
                ConfigRange range = {}) const;
  void Numbers(std::string_view key, std::vector<double>& value, ConfigRange range = {}) const;

  template <class E>
  void Choice(std::string_view key, E& value,
              std::span<const std::pair<std::string_view, E>> names) const {
    std::vector<std::string_view> allowed;
    std::size_t current = 0;
    for (const auto& [name, item] : names) {
      if (item == value) current = allowed.size();
      allowed.push_back(name);
    }
    value = names[ChoiceIndex(key, current, allowed)].second;
  }

  template <class E>
  void Choice(std::string_view key, E& value,
              std::initializer_list<std::pair<std::string_view, E>> names) const {
    Choice(key, value,
           std::span<const std::pair<std::string_view, E>>(names.begin(), names.size()));
  }

  /// An error of the caller's own about `key` (or about the whole section when empty), with file,
  /// line and path.
  void Fail(std::string_view key, std::string_view message) const;

  /// Dotted path of this section, "" for the root.
  const std::string& path() const { return path_; }

 private:
  std::size_t ChoiceIndex(std::string_view key, std::size_t current,
                          std::span<const std::string_view> allowed) const;

  std::shared_ptr<ConfigTree> tree_;
  std::string path_;
};

/// A config document: YAML text, then overrides on top.
class Config {
 public:
  /// `name` stands in messages (a file name). Errors: kConfig with line and column of a YAML fault.
  static Result<Config> Parse(std::string_view yaml, std::string_view name);
  static Result<Config> Load(const std::string& path);
  static Config Empty();

  /// "ppo.gamma=0.98": the right side is YAML. The path need not exist yet; unknown ones are found
  /// by Finish. `option` is what a person typed to get it, for messages.
  Result<void> Override(std::string_view assignment, std::string_view option = "--set");
  /// Puts another document on top: mappings merge key by key, everything else is replaced.
  Result<void> Merge(const Config& other);

  /// Takes a section of the root away, so that who binds a part of the document only need not know
  /// of it. What was bound of it stays in EffectiveYaml of this document.
  void Remove(std::string_view section);

  ConfigSection root() const;

  /// After all sections are bound: the first errors (up to ten, a line each) or success. Unknown
  /// keys come with the nearest known one as a suggestion.
  Result<void> Finish() const;

  /// The bound keys with their effective values, as YAML in binding order.
  std::string EffectiveYaml() const;

 private:
  explicit Config(std::shared_ptr<ConfigTree> tree) : tree_(std::move(tree)) {}

  std::shared_ptr<ConfigTree> tree_;
};

/// The candidate nearest to `word` by edit distance, if near enough to be a slip of the keyboard.
std::optional<std::string> NearestWord(std::string_view word,
                                       std::span<const std::string> candidates);

}  // namespace tw
