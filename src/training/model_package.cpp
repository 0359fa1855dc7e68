#include "training/model_package.h"

#include <fmt/format.h>

#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/files.h"
#include "nn/onnx_export.h"
#include "rl/mlp_policy.h"
#include "sim/observation.h"
#include "training/committee.h"
#include "training/mlflow_files.h"

namespace tw::training {
namespace {

constexpr int kSchema = 2;
constexpr int kOldestSchema = 1;  // without MLflow's files
using Json = nlohmann::ordered_json;

std::string MemberName(std::size_t index) {
  return fmt::format("member-{}.safetensors", index + 1);
}

Json ToJson(const ModelManifest& manifest) {
  return {{"schema", kSchema},
          {"name", manifest.name},
          {"created", manifest.created},
          {"program", manifest.program},
          {"program_sha256", manifest.program_sha256},
          {"kernel", manifest.kernel},
          {"run_id", manifest.run_id},
          {"instrument", manifest.instrument},
          {"freq", manifest.freq},
          {"algo", manifest.algo},
          {"train_from", manifest.train_from},
          {"train_to", manifest.train_to},
          {"train_bars", manifest.train_bars},
          {"holdout_from", manifest.holdout_from},
          {"bars_sha256", manifest.bars_sha256},
          {"config_sha256", manifest.config_sha256},
          {"features_sha256", manifest.features_sha256},
          {"seeds", manifest.seeds}};
}

// Throws nlohmann's exceptions on missing or mistyped members.
ModelManifest FromJson(const Json& json) {
  ModelManifest manifest;
  manifest.name = json.at("name");
  manifest.created = json.at("created");
  manifest.program = json.at("program");
  manifest.program_sha256 = json.value("program_sha256", "");
  manifest.kernel = json.value("kernel", "");
  manifest.run_id = json.at("run_id");
  manifest.instrument = json.at("instrument");
  manifest.freq = json.at("freq");
  manifest.algo = json.at("algo");
  manifest.train_from = json.at("train_from");
  manifest.train_to = json.at("train_to");
  manifest.train_bars = json.at("train_bars");
  manifest.holdout_from = json.at("holdout_from");
  manifest.bars_sha256 = json.at("bars_sha256");
  manifest.config_sha256 = json.at("config_sha256");
  manifest.features_sha256 = json.at("features_sha256");
  manifest.seeds = json.at("seeds").get<std::vector<std::int64_t>>();
  return manifest;
}

using Reader = std::function<Result<std::string>(const std::string&)>;

Result<std::string> ReadChecked(const Reader& read, const std::string& name, const Json& files) {
  std::string bytes = TW_TRY(read(name));
  if (!files.contains(name) || files.at(name) != Sha256Hex(bytes)) {
    return Error{
        ErrorCode::kBadData,
        fmt::format("{}: changed since the model was made (its hash is not the manifest's)", name)};
  }
  return bytes;
}

Result<std::vector<std::unique_ptr<rl::MlpPolicy>>> LoadMembers(
    const std::vector<std::string>& members) {
  std::vector<std::unique_ptr<rl::MlpPolicy>> policies;
  for (std::size_t i = 0; i < members.size(); ++i) {
    std::unique_ptr<rl::MlpPolicy> policy =
        TW_TRY_CTX(rl::MlpPolicy::Load(members[i]), MemberName(i));
    if (policy->action_space().width() != 1 ||
        (!policies.empty() &&
         (policies.front()->observation_width() != policy->observation_width() ||
          policies.front()->action_space().kind != policy->action_space().kind))) {
      return Error{ErrorCode::kBadData,
                   MemberName(i) + ": its shapes are not those of the other members"};
    }
    policies.push_back(std::move(policy));
  }
  if (policies.empty()) return Error{ErrorCode::kBadData, "a model without members"};
  return policies;
}

bool IsDiscrete(const rl::Policy& policy) {
  return policy.action_space().kind == rl::ActionSpace::Kind::kDiscrete;
}

std::vector<tracking::KeyValue> Metadata(const ModelManifest& manifest) {
  return {{"name", manifest.name},
          {"instrument", manifest.instrument},
          {"freq", manifest.freq},
          {"algo", manifest.algo},
          {"program", manifest.program},
          {"train_from", manifest.train_from},
          {"train_to", manifest.train_to},
          {"holdout_from", manifest.holdout_from},
          {"bars_sha256", manifest.bars_sha256},
          {"config_sha256", manifest.config_sha256},
          {"features_sha256", manifest.features_sha256}};
}

}  // namespace

std::vector<std::string> ModelPackage::Columns() const {
  std::vector<std::string> columns = normaliser.names;
  for (const std::string_view name : sim::kAccountFeatureNames) columns.emplace_back(name);
  return columns;
}

Result<std::string> ModelPackage::Onnx() const {
  const auto policies = TW_TRY(LoadMembers(members));
  const std::size_t width = normaliser.center.size() + sim::kAccountFeatures;
  if (static_cast<std::size_t>(policies.front()->observation_width()) != width) {
    return Error{ErrorCode::kBadData,
                 fmt::format("the members see {} numbers, the normaliser and the account give {}",
                             policies.front()->observation_width(), width)};
  }
  constexpr double kNoLimit = std::numeric_limits<double>::max();
  const bool cut = normaliser.method != features::Normalisation::kNone;
  nn::OnnxCommittee committee;
  for (const auto& policy : policies) committee.members.push_back(policy->OnnxNetwork());
  committee.center = normaliser.center;
  committee.scale = normaliser.scale;
  committee.limit.assign(normaliser.center.size(), cut ? normaliser.clip : kNoLimit);
  committee.center.resize(width, 0.0);
  committee.scale.resize(width, 1.0);
  committee.limit.resize(width, kNoLimit);
  committee.index_offset = -1;  // sim::ExposureOf: 0 short, 1 flat, 2 long
  committee.mean_name = "exposure";
  committee.members_name = "member_exposures";
  for (const tracking::KeyValue& entry : Metadata(manifest))
    committee.metadata[entry.key] = entry.value;
  return nn::ExportOnnx(committee);
}

Result<std::vector<tracking::ArtifactFile>> ModelPackage::Files() const {
  std::vector<tracking::ArtifactFile> out;
  out.push_back({"model.onnx", TW_TRY(Onnx())});
  out.push_back({"style.yaml", style_yaml});
  out.push_back({"normaliser.json", normaliser.ToJson()});
  for (std::size_t i = 0; i < members.size(); ++i) out.push_back({MemberName(i), members[i]});
  const auto policies = TW_TRY(LoadMembers(members));
  MlflowModel mlflow;
  mlflow.run_id = manifest.run_id;
  mlflow.created = manifest.created;
  mlflow.columns = Columns();
  mlflow.members = static_cast<int>(members.size());
  mlflow.discrete = IsDiscrete(*policies.front());
  mlflow.metadata = Metadata(manifest);
  mlflow.example = example;
  for (const tracking::ArtifactFile& file : out)
    mlflow.bytes += static_cast<std::int64_t>(file.content.size());
  for (tracking::ArtifactFile& file : MlflowFiles(mlflow)) out.push_back(std::move(file));
  Json json = ToJson(manifest);
  json["action"] = mlflow.discrete ? "discrete" : "continuous";
  json["columns"] = mlflow.columns;
  for (const tracking::ArtifactFile& file : out) json["files"][file.path] = Sha256Hex(file.content);
  out.push_back({"manifest.json", json.dump(2) + "\n"});
  return out;
}

Result<ModelPackage> ModelPackage::FromFiles(const Reader& read) {
  const std::string text = TW_TRY(read("manifest.json"));
  ModelPackage package;
  Json files;
  try {
    const Json json = Json::parse(text);
    const int schema = json.at("schema");
    if (schema < kOldestSchema || schema > kSchema) {
      return Error{ErrorCode::kUnsupported,
                   fmt::format("manifest.json: schema {}, this program reads {} to {}", schema,
                               kOldestSchema, kSchema)};
    }
    package.manifest = FromJson(json);
    files = json.at("files");
  } catch (const nlohmann::json::exception& e) {
    return Error{ErrorCode::kBadData,
                 fmt::format("manifest.json: no model manifest: {}", e.what())};
  }
  if (!files.is_object()) return Error{ErrorCode::kBadData, "manifest.json: 'files' is no object"};
  package.style_yaml = TW_TRY(ReadChecked(read, "style.yaml", files));
  const std::string normaliser = TW_TRY(ReadChecked(read, "normaliser.json", files));
  package.normaliser = TW_TRY_CTX(features::Normaliser::FromJson(normaliser), "normaliser.json");
  for (std::size_t i = 0; i < package.manifest.seeds.size(); ++i) {
    package.members.push_back(TW_TRY(ReadChecked(read, MemberName(i), files)));
  }
  if (package.members.empty())
    return Error{ErrorCode::kBadData, "manifest.json: a model without members"};
  return package;
}

Result<std::unique_ptr<rl::Policy>> ModelPackage::MakePolicy() const {
  std::vector<std::unique_ptr<rl::Policy>> policies;
  for (std::unique_ptr<rl::MlpPolicy>& policy : TW_TRY(LoadMembers(members)))
    policies.push_back(std::move(policy));
  return std::unique_ptr<rl::Policy>(std::make_unique<CommitteePolicy>(std::move(policies)));
}

Result<StyleConfig> ModelPackage::Style() const {
  const Config config = TW_TRY(Config::Parse(style_yaml, "style.yaml"));
  StyleConfig style;
  Bind(config.root(), style);
  TW_TRY(config.Finish());
  return style;
}

}  // namespace tw::training
