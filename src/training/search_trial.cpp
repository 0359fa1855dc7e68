#include "training/search_trial.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/files.h"
#include "base/time.h"

namespace tw::training {

std::string ReturnsCsv(const eval::DailySeries& daily) {
  std::string csv = "date,return\n";
  for (std::size_t i = 0; i < daily.dates.size(); ++i) {
    csv += fmt::format("{},{}\n", FormatDate(daily.dates[i]), daily.returns[i]);
  }
  return csv;
}

Result<eval::DailySeries> ReadReturnsCsv(std::string_view csv) {
  eval::DailySeries series;
  for (std::size_t line = 1; !csv.empty(); ++line) {
    const std::string_view row = csv.substr(0, csv.find('\n'));
    csv.remove_prefix(std::min(csv.size(), row.size() + 1));
    if (line == 1 && row == "date,return") continue;
    const std::size_t comma = row.find(',');
    const auto date = ParseDate(row.substr(0, comma));
    double value = NAN;
    if (comma != std::string_view::npos) {
      const std::string_view text = row.substr(comma + 1);
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc() || end != text.data() + text.size()) value = NAN;
    }
    if (!date.ok() || !std::isfinite(value)) {
      return Error{ErrorCode::kBadData,
                   fmt::format("line {}: '{}', wanted date,return", line, row)};
    }
    series.dates.push_back(*date);
    series.returns.push_back(value);
  }
  return series;
}

SearchValues ValuesOf(const hpo::FrozenTrial& trial) {
  SearchValues values;
  for (const hpo::Param& param : trial.params) values.emplace(param.name, param.value());
  return values;
}

std::string ParameterHash(const hpo::FrozenTrial& trial) {
  std::string text;
  for (const auto& [path, value] : ValuesOf(trial)) {
    text += path + "=" + hpo::ToJson(value) + "\n";
  }
  return Sha256Hex(text);
}

}  // namespace tw::training
