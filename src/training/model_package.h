#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "features/normaliser.h"
#include "rl/policy.h"
#include "tracking/tracker.h"
#include "training/style.h"

namespace tw::training {

/// What a model was made of; `manifest.json` of its folder.
struct ModelManifest {
  std::string name;
  std::string created;         // ISO time
  std::string program;         // "tradewind 0.1.0"
  std::string program_sha256;  // of the executable that trained it; empty when not known
  std::string kernel;          // instruction set that it was trained on
  std::string run_id;
  std::string instrument;
  std::string freq;
  std::string algo;
  std::string train_from;  // open time of the first bar trained on
  std::string train_to;    // close time of the last
  std::int64_t train_bars = 0;
  std::string holdout_from;  // first bar kept away from training; empty without a holdout
  std::string bars_sha256;
  std::string config_sha256;  // of TrialText
  std::string features_sha256;
  std::vector<std::int64_t> seeds;
};

/// A model that can trade: agents, and everything that turns bars into their observations.
struct ModelPackage {
  ModelManifest manifest;
  std::string style_yaml;  // effective config
  features::Normaliser normaliser;
  std::vector<std::string> members;  // safetensors bytes, one an agent
  /// Some raw observations (rows of Columns().size()), for MLflow's input example. Not read back.
  std::vector<float> example;

  /// Names of an observation's numbers: the features, then the account's.
  std::vector<std::string> Columns() const;

  /// The committee as ONNX. In: "observation" float32 [batch, columns], raw as FeatureSet gives
  /// them. Out: "exposure" [batch, 1], the target in [-1, 1]; "member_exposures" [batch, members];
  /// of discrete agents also "probabilities" [batch, 3] of short, flat and long, mean of the
  /// members. Errors: kBadData.
  Result<std::string> Onnx() const;

  /// What this program reads: manifest.json, style.yaml, normaliser.json, member-K.safetensors; and
  /// what MLflow reads: MLmodel, model.onnx and the files beside them. The manifest holds the
  /// hashes of the others. docs/formats/model_package.md. Errors: kBadData.
  Result<std::vector<tracking::ArtifactFile>> Files() const;
  /// `read` gives the content of a file by its name. Of MLflow's files none is read, so that its
  /// tools may change them. Errors: those of `read`, kUnsupported for another schema, kBadData
  /// naming the file that is changed or off.
  static Result<ModelPackage> FromFiles(
      const std::function<Result<std::string>(const std::string&)>& read);

  /// The committee of its members. Errors: kBadData.
  Result<std::unique_ptr<rl::Policy>> MakePolicy() const;
  /// The style that it was trained with. Errors: kConfig.
  Result<StyleConfig> Style() const;
};

}  // namespace tw::training
