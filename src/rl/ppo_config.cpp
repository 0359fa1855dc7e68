#include "rl/ppo_config.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <limits>

namespace tw::rl {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::optional<double> ParseNumber(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value))
    return std::nullopt;
  return value;
}

void BindSchedule(const ConfigSection& section, std::string_view key, Schedule& schedule) {
  std::string text = Format(schedule);
  section.Text(key, text);
  const Result<Schedule> parsed = ParseSchedule(text);
  if (!parsed.ok()) {
    section.Fail(key, parsed.error().message);
  } else if (parsed->initial < 0) {
    section.Fail(key, fmt::format("{} is negative", text));
  } else {
    schedule = *parsed;
  }
}

void BindOptionalSchedule(const ConfigSection& section, std::string_view key,
                          std::optional<Schedule>& schedule) {
  std::string text = schedule ? Format(*schedule) : "none";
  section.Text(key, text);
  if (text == "none") {
    schedule.reset();
    return;
  }
  const Result<Schedule> parsed = ParseSchedule(text);
  if (parsed.ok() && parsed->initial > 0) {
    schedule = *parsed;
  } else {
    section.Fail(key, fmt::format("'{}' is neither none nor a positive number or lin_X", text));
  }
}

void BindOptionalNumber(const ConfigSection& section, std::string_view key,
                        std::optional<double>& number) {
  std::string text = number ? fmt::format("{}", *number) : "none";
  section.Text(key, text);
  if (text == "none") {
    number.reset();
    return;
  }
  const std::optional<double> parsed = ParseNumber(text);
  if (parsed && *parsed > 0) {
    number = parsed;
  } else {
    section.Fail(key, fmt::format("'{}' is neither none nor a positive number", text));
  }
}

void BindWidths(const ConfigSection& section, std::string_view key, std::vector<int>& widths) {
  std::vector<std::int64_t> values(widths.begin(), widths.end());
  section.Integers(key, values, {.min = 1, .max = 4096});
  widths.clear();
  for (const std::int64_t value : values) widths.push_back(static_cast<int>(value));
}

}  // namespace

Result<Schedule> ParseSchedule(std::string_view text) {
  const bool linear = text.starts_with("lin_");
  const std::optional<double> value = ParseNumber(linear ? text.substr(4) : text);
  if (!value)
    return Error{ErrorCode::kConfig, fmt::format("'{}' is neither a number nor lin_NUMBER", text)};
  return Schedule{*value, linear};
}

std::string Format(const Schedule& schedule) {
  return fmt::format("{}{}", schedule.linear ? "lin_" : "", schedule.initial);
}

void Bind(const ConfigSection& section, PpoConfig& config) {
  BindSchedule(section, "learning_rate", config.learning_rate);
  section.Integer("n_steps", config.n_steps, {.min = 1, .max = 1 << 20});
  section.Integer("batch_size", config.batch_size, {.min = 1, .max = 1 << 24});
  section.Integer("n_epochs", config.n_epochs, {.min = 1, .max = 1000});
  section.Number("gamma", config.gamma, {.min = 0, .max = 1});
  section.Number("gae_lambda", config.gae_lambda, {.min = 0, .max = 1});
  BindSchedule(section, "clip_range", config.clip_range);
  BindOptionalSchedule(section, "clip_range_vf", config.clip_range_vf);
  section.Flag("normalize_advantage", config.normalize_advantage);
  section.Number("ent_coef", config.ent_coef, {.min = 0, .max = kInfinity});
  section.Number("vf_coef", config.vf_coef, {.min = 0, .max = kInfinity});
  section.Number("max_grad_norm", config.max_grad_norm, {.min = 0, .max = kInfinity});
  BindOptionalNumber(section, "target_kl", config.target_kl);
  section.Integer("stats_window_size", config.stats_window_size, {.min = 1, .max = 1 << 20});
  const ConfigSection policy = section.Section("policy_kwargs");
  const ConfigSection arch = policy.Section("net_arch");
  BindWidths(arch, "pi", config.net_arch_pi);
  BindWidths(arch, "vf", config.net_arch_vf);
  policy.Choice("activation_fn", config.activation_fn,
                {{"tanh", nn::Activation::kTanh}, {"relu", nn::Activation::kRelu}});
  policy.Flag("ortho_init", config.ortho_init);
  policy.Number("log_std_init", config.log_std_init, {.min = -20, .max = 2});
}

void Bind(const ConfigSection& section, NormalizeConfig& config) {
  section.Flag("norm_obs", config.norm_obs);
  section.Flag("norm_reward", config.norm_reward);
  section.Number("clip_obs", config.clip_obs, {.min = 0, .max = kInfinity});
  section.Number("clip_reward", config.clip_reward, {.min = 0, .max = kInfinity});
  section.Number("gamma", config.gamma, {.min = 0, .max = 1});
  section.Number("epsilon", config.epsilon, {.min = 1e-12, .max = 1});
}

Result<void> Validate(const PpoConfig& config, int num_envs) {
  if (num_envs < 1)
    return Error{ErrorCode::kConfig,
                 fmt::format("{} environments; at least 1 is needed", num_envs)};
  if (config.normalize_advantage && config.batch_size < 2) {
    return Error{ErrorCode::kConfig, "batch_size must be above 1 when advantages are normalised"};
  }
  const std::int64_t rows = static_cast<std::int64_t>(config.n_steps) * num_envs;
  if (config.normalize_advantage && rows < 2) {
    return Error{ErrorCode::kConfig,
                 fmt::format("n_steps * environments is {}; advantages need at least 2", rows)};
  }
  if (rows > std::int64_t{1} << 31U) {
    return Error{ErrorCode::kConfig,
                 fmt::format("n_steps * environments is {}; the limit is 2^31", rows)};
  }
  return {};
}

}  // namespace tw::rl
