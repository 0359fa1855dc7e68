#include "features/feature_config.h"

#include <fmt/core.h>

#include "base/embedded_config.h"

namespace tw::features {

void Bind(ConfigSection section, FeatureConfig& config) {
  section.Choice("normalisation", config.normalisation,
                 {{"zscore", Normalisation::kZScore},
                  {"robust", Normalisation::kRobust},
                  {"none", Normalisation::kNone}});
  section.Number("clip", config.clip, {.min = 0.1, .max = 1e6});
  if (!section.Has("formulas")) return;
  config.formulas.clear();
  for (const ConfigSection& item : section.List("formulas")) {
    FeatureFormula formula;
    item.Text("name", formula.name);
    item.Text("expression", formula.expression);
    item.Text("meaning", formula.meaning);
    if (formula.name.empty()) item.Fail("name", "is missing");
    if (formula.expression.empty()) item.Fail("expression", "is missing");
    config.formulas.push_back(formula);
  }
}

Result<FeatureConfig> DefaultFeatureConfig() {
  const auto text = EmbeddedConfig("features/default.yaml");
  if (!text) return Error{ErrorCode::kNotFound, "features/default.yaml is not in this binary"};
  const Config document = TW_TRY(Config::Parse(*text, "features/default.yaml"));
  FeatureConfig config;
  Bind(document.root().Section("features"), config);
  TW_TRY(document.Finish());
  return config;
}

}  // namespace tw::features
