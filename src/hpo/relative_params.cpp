#include "hpo/relative_params.h"

#include <fmt/core.h>

namespace tw::hpo::internal {
namespace {

constexpr std::size_t kPiece = 2045;  // characters; what Optuna's columns once took

std::string Key(std::size_t piece) { return fmt::format("tpe:relative_params:{}", piece); }

}  // namespace

void WriteRelativeParams(const std::vector<std::pair<std::string, ParamValue>>& params,
                         TrialWrites& writes) {
  const std::string text = ToJson(params);
  for (std::size_t begin = 0; begin < text.size(); begin += kPiece) {
    // An attribute is JSON: the piece becomes a JSON string.
    writes.system_attrs.insert_or_assign(Key(begin / kPiece),
                                         JsonString(text.substr(begin, kPiece)));
  }
}

std::vector<std::pair<std::string, ParamValue>> ReadRelativeParams(const FrozenTrial& trial) {
  std::string text;
  for (std::size_t piece = 0;; ++piece) {
    const auto found = trial.system_attrs.find(Key(piece));
    if (found == trial.system_attrs.end()) break;
    const Result<ParamValue> part = ValueFromJson(found->second);
    if (!part.ok() || !std::holds_alternative<std::string>(*part)) return {};
    text += std::get<std::string>(*part);
  }
  if (text.empty()) return {};
  Result<std::vector<std::pair<std::string, ParamValue>>> params = ObjectFromJson(text);
  if (!params.ok()) return {};
  return std::move(params).value();
}

}  // namespace tw::hpo::internal
