#include "training/mlflow_files.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

namespace tw::training {
namespace {

using Json = nlohmann::ordered_json;

// The versions that tests/peers/mlflow loads models with; what the graph needs (opset 17) is older.
constexpr std::string_view kMlflow = "3.17.2";
constexpr std::string_view kOnnx = "1.23.2";
constexpr std::string_view kPython = "3.11.2";
constexpr std::string_view kRequirements[] = {"mlflow>=3.0,<4", "numpy>=1.26,<3", "onnx>=1.16,<2",
                                              "onnxruntime>=1.18,<2"};

/// A YAML scalar that means this text and nothing else: JSON's strings are YAML's.
std::string Quoted(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json Tensor(std::string_view name, std::int64_t width) {
  Json json;
  if (!name.empty()) json["name"] = name;
  json["type"] = "tensor";
  json["tensor-spec"] = {{"dtype", "float32"}, {"shape", {-1, width}}};
  return json;
}

// Single quotes: the text holds no such quote, only names that are ours and numbers.
std::string Signature(const MlflowModel& model) {
  const Json inputs = {Tensor("", static_cast<std::int64_t>(model.columns.size()))};
  Json outputs = {Tensor("exposure", 1), Tensor("member_exposures", model.members)};
  if (model.discrete) outputs.push_back(Tensor("probabilities", 3));
  return fmt::format("signature:\n  inputs: '{}'\n  outputs: '{}'\n  params: null\n", inputs.dump(),
                     outputs.dump());
}

/// "2026-11-23T12:00:00.5Z" as "2026-11-23 12:00:00.500000".
std::string MlflowTime(std::string text) {
  if (text.size() < 20) return text;
  text.pop_back();
  text[10] = ' ';
  if (text.size() == 19) text += '.';
  text.resize(26, '0');
  return text;
}

std::string MlModel(const MlflowModel& model) {
  std::string text = fmt::format(
      "flavors:\n"
      "  onnx:\n"
      "    code: null\n"
      "    data: model.onnx\n"
      "    onnx_session_options: null\n"
      "    onnx_version: {}\n"
      "    providers:\n"
      "    - CPUExecutionProvider\n"
      "  python_function:\n"
      "    data: model.onnx\n"
      "    env:\n"
      "      conda: conda.yaml\n"
      "      virtualenv: python_env.yaml\n"
      "    loader_module: mlflow.onnx\n"
      "    python_version: {}\n"
      "is_signature_from_type_hint: false\n"
      "metadata:\n"
      "  columns:\n",
      kOnnx, kPython);
  for (const std::string& column : model.columns) text += "  - " + Quoted(column) + "\n";
  for (const auto& [key, value] : model.metadata)
    text += fmt::format("  {}: {}\n", Quoted(key), Quoted(value));
  text += fmt::format("mlflow_version: {}\nmodel_size_bytes: {}\n", kMlflow, model.bytes);
  if (!model.run_id.empty()) text += fmt::format("run_id: {}\n", Quoted(model.run_id));
  if (!model.example.empty()) {
    text +=
        "saved_input_example_info:\n"
        "  artifact_path: input_example.json\n"
        "  serving_input_path: serving_input_example.json\n"
        "  type: ndarray\n";
  }
  text += Signature(model);
  text += fmt::format("type_hint_from_example: false\nutc_time_created: '{}'\n",
                      MlflowTime(model.created));
  return text;
}

Json ExampleRows(const MlflowModel& model) {
  auto rows = Json::array();
  const std::size_t width = model.columns.size();
  for (std::size_t at = 0; at + width <= model.example.size(); at += width) {
    rows.push_back(
        std::vector<float>(model.example.begin() + static_cast<std::ptrdiff_t>(at),
                           model.example.begin() + static_cast<std::ptrdiff_t>(at + width)));
  }
  return rows;
}

}  // namespace

std::vector<tracking::ArtifactFile> MlflowFiles(const MlflowModel& model) {
  std::vector<tracking::ArtifactFile> files;
  files.push_back({"MLmodel", MlModel(model)});
  std::string requirements;
  std::string conda = fmt::format(
      "name: mlflow-env\nchannels:\n- conda-forge\ndependencies:\n- python={}\n- pip\n- pip:\n",
      kPython);
  for (const std::string_view line : kRequirements) {
    requirements += fmt::format("{}\n", line);
    conda += fmt::format("  - {}\n", line);
  }
  files.push_back({"requirements.txt", requirements});
  files.push_back({"conda.yaml", conda});
  files.push_back({"python_env.yaml",
                   fmt::format("python: {}\nbuild_dependencies:\n- pip\n- setuptools\n- wheel\n"
                               "dependencies:\n- -r requirements.txt\n",
                               kPython)});
  if (!model.example.empty()) {
    const Json rows = ExampleRows(model);
    files.push_back({"input_example.json", rows.dump() + "\n"});
    files.push_back({"serving_input_example.json", Json{{"inputs", rows}}.dump() + "\n"});
  }
  return files;
}

}  // namespace tw::training
