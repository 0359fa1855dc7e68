#pragma once

// The command line's options for the files that declare commands. CLI11 stays behind it: its header
// costs as much to compile as all else in such a file.

#include <cstdint>
#include <string>
#include <vector>

namespace CLI {  // NOLINT(readability-identifier-naming): not ours
class App;
class Option;
}  // namespace CLI

namespace tw::app {

/// What was added to a command, to say more about it. A light handle.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option Required(bool required = true);
  /// The word of the value in the help.
  Option ValueName(const std::string& name);
  /// Not in the help.
  Option Hidden();
  /// Each value needs the option's name before it, so that a list does not swallow the positional
  /// arguments behind it.
  Option OneValueEach();
  /// A list of so many values.
  Option Values(int min, int max);
  /// The default stands in the help.
  Option ShowsDefault();

  Option OneOf(const std::vector<std::string>& words);
  /// A whole number, both ends included.
  Option Between(std::int64_t min, std::int64_t max);
  Option Positive();
  Option NotNegative();

 private:
  CLI::Option* option_;
};

/// A command, or a group of commands. A light handle; CLI11 owns what is behind it.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  /// `names`: "--long", or "name" of a positional argument. `value` outlives the parsing. For
  /// strings, numbers, optional ones and lists of strings; see command_options.cpp.
  template <class T>
  Option Add(const std::string& names, T& value, const std::string& help);
  Option AddFlag(const std::string& name, bool& value, const std::string& help);

  CLI::App& app() const { return *app_; }

 private:
  CLI::App* app_;
};

}  // namespace tw::app
