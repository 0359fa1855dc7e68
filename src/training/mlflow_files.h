#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "tracking/tracker.h"

namespace tw::training {

/// What MLflow's own files say of a model.
struct MlflowModel {
  std::string run_id;                // empty: not known
  std::string created;               // ISO time in UTC
  std::vector<std::string> columns;  // of an observation, in order
  int members = 0;
  bool discrete = false;  // members give probabilities of three actions besides
  /// Free key/values of the section `metadata`, beside the columns.
  std::vector<tracking::KeyValue> metadata;
  std::int64_t bytes = 0;          // of the model's other files
  std::span<const float> example;  // rows of columns.size() floats; may be empty
};

/// MLmodel, requirements.txt, python_env.yaml, conda.yaml and, with an example, input_example.json
/// and serving_input_example.json: what `mlflow.pyfunc` and `mlflow.onnx` need to load the file
/// model.onnx beside them, whose input and outputs are those of nn::OnnxCommittee as
/// ModelPackage::Files names them. The input is unnamed in the signature: so an array and a
/// data frame of the columns both are accepted.
std::vector<tracking::ArtifactFile> MlflowFiles(const MlflowModel& model);

}  // namespace tw::training
