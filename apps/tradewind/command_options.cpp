#include "tradewind/command_options.h"

#include <CLI/CLI.hpp>
#include <optional>

namespace tw::app {
namespace {

// CLI11's own checks name the largest double, all 309 digits of it, as the other end of the range.
CLI::Validator NumberFrom(bool zero_too) {
  return {[zero_too](const std::string& text) -> std::string {
            double value = 0;
            const bool is_number = CLI::detail::lexical_cast(text, value);
            if (is_number && (value > 0 || (zero_too && value == 0))) return "";
            return "'" + text + "' is no number " + (zero_too ? "from 0 on" : "above 0");
          },
          zero_too ? "NONNEGATIVE" : "POSITIVE"};
}

}  // namespace

Option Option::Required(bool required) {
  option_->required(required);
  return *this;
}

Option Option::ValueName(const std::string& name) {
  option_->type_name(name);
  return *this;
}

Option Option::Hidden() {
  option_->group("");
  return *this;
}

Option Option::OneValueEach() {
  option_->allow_extra_args(false);
  return *this;
}

Option Option::Values(int min, int max) {
  option_->expected(min, max);
  return *this;
}

Option Option::ShowsDefault() {
  option_->capture_default_str();
  return *this;
}

Option Option::OneOf(const std::vector<std::string>& words) {
  option_->check(CLI::IsMember(words));
  return *this;
}

Option Option::Between(std::int64_t min, std::int64_t max) {
  option_->check(CLI::Range(min, max));
  return *this;
}

Option Option::Positive() {
  option_->check(NumberFrom(false));
  return *this;
}

Option Option::NotNegative() {
  option_->check(NumberFrom(true));
  return *this;
}

template <class T>
Option Command::Add(const std::string& names, T& value, const std::string& help) {
  return Option(app_->add_option(names, value, help));
}

Option Command::AddFlag(const std::string& name, bool& value, const std::string& help) {
  return Option(app_->add_flag(name, value, help));
}

// The types of the options that commands have.
template Option Command::Add(const std::string&, std::string&, const std::string&);
template Option Command::Add(const std::string&, std::vector<std::string>&, const std::string&);
template Option Command::Add(const std::string&, std::optional<std::string>&, const std::string&);
template Option Command::Add(const std::string&, int&, const std::string&);
template Option Command::Add(const std::string&, std::int64_t&, const std::string&);
template Option Command::Add(const std::string&, std::uint64_t&, const std::string&);
template Option Command::Add(const std::string&, double&, const std::string&);
template Option Command::Add(const std::string&, std::optional<int>&, const std::string&);
template Option Command::Add(const std::string&, std::optional<std::int64_t>&, const std::string&);
template Option Command::Add(const std::string&, std::optional<std::uint64_t>&, const std::string&);
template Option Command::Add(const std::string&, std::optional<double>&, const std::string&);

}  // namespace tw::app
