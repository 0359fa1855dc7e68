#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>

#include "store/import/quality.h"

namespace tw::store {

// Pieces that the import report and the quality report share. For the .cpp files of this folder
// only: heavy include.

std::string PipsText(std::int64_t micros, const Instrument& instrument);
std::string SpreadText(const SpreadStats& spread, const Instrument& instrument);
nlohmann::ordered_json SpreadJson(const SpreadStats& spread, const Instrument& instrument);
nlohmann::ordered_json QualityToJson(const QualityReport& report, const Instrument& instrument);

}  // namespace tw::store
