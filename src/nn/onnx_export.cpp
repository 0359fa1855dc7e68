#include "nn/onnx_export.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <numbers>

#include "base/check.h"

namespace tw::nn {
namespace {

constexpr int kOpset = 17;
constexpr int kIrVersion = 8;  // the one that came with opset 17

/// Adds nodes and constants to a graph.
class GraphWriter {
 public:
  explicit GraphWriter(onnx::GraphProto& graph) : graph_(graph) {}

  onnx::NodeProto& Node(const char* type, std::initializer_list<std::string> inputs,
                        const std::string& output) {
    onnx::NodeProto& node = *graph_.add_node();
    node.set_op_type(type);
    node.set_name(output);
    for (const std::string& input : inputs) node.add_input(input);
    node.add_output(output);
    return node;
  }

  void Floats(const std::string& name, std::initializer_list<std::int64_t> shape,
              const std::vector<float>& values) {
    onnx::TensorProto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto_DataType_FLOAT);
    for (const std::int64_t size : shape) tensor.add_dims(size);
    tensor.set_raw_data(values.data(), values.size() * sizeof(float));
  }

  void Doubles(const std::string& name, const std::vector<double>& values) {
    onnx::TensorProto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto_DataType_DOUBLE);
    tensor.add_dims(static_cast<std::int64_t>(values.size()));
    tensor.set_raw_data(values.data(), values.size() * sizeof(double));
  }

  void Integers(const std::string& name, const std::vector<std::int64_t>& values) {
    onnx::TensorProto& tensor = *graph_.add_initializer();
    tensor.set_name(name);
    tensor.set_data_type(onnx::TensorProto_DataType_INT64);
    tensor.add_dims(static_cast<std::int64_t>(values.size()));
    tensor.set_raw_data(values.data(), values.size() * sizeof(std::int64_t));
  }

  /// Hidden layers and head; the head's output is called `output`.
  void Network(const std::string& name, const std::vector<LinearWeights>& layers,
               Activation activation, std::string input, const std::string& output) {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const LinearWeights& layer = layers[i];
      const std::string base = fmt::format("{}.{}", name, i);
      const bool head = i + 1 == layers.size();
      const std::string linear = head ? output : base + ".linear";
      Floats(base + ".weight", {layer.outputs, layer.inputs}, layer.weight);
      Floats(base + ".bias", {layer.outputs}, layer.bias);
      IntegerAttribute(Node("Gemm", {input, base + ".weight", base + ".bias"}, linear), "transB",
                       1);
      input = linear;
      if (!head && activation != Activation::kIdentity) {
        Node(activation == Activation::kTanh ? "Tanh" : "Relu", {linear}, base + ".activation");
        input = base + ".activation";
      }
    }
  }

  static void IntegerAttribute(onnx::NodeProto& node, const char* name, std::int64_t value) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto_AttributeType_INT);
    attribute.set_i(value);
  }

  static void IntegersAttribute(onnx::NodeProto& node, const char* name, std::int64_t value) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(name);
    attribute.set_type(onnx::AttributeProto_AttributeType_INTS);
    attribute.add_ints(value);
  }

 private:
  onnx::GraphProto& graph_;
};

/// `width` 0: one value a row.
void Describe(onnx::ValueInfoProto& info, const char* name, bool integers, std::int64_t width) {
  info.set_name(name);
  onnx::TypeProto_Tensor& type = *info.mutable_type()->mutable_tensor_type();
  type.set_elem_type(integers ? onnx::TensorProto_DataType_INT64
                              : onnx::TensorProto_DataType_FLOAT);
  type.mutable_shape()->add_dim()->set_dim_param("batch");
  if (width > 0) type.mutable_shape()->add_dim()->set_dim_value(width);
}

/// The network's own normaliser, if it has one; returns the name of what comes out. Every name it
/// makes begins with `prefix`.
std::string WriteNormalizer(GraphWriter& writer, const OnnxActorCritic& network,
                            const std::string& input, const std::string& prefix) {
  if (network.mean.empty()) return input;
  const auto width = static_cast<std::int64_t>(network.mean.size());
  const std::string constants = prefix + "normalizer.";
  writer.Floats(constants + "mean", {width}, network.mean);
  writer.Floats(constants + "deviation", {width}, network.deviation);
  writer.Node("Sub", {input, constants + "mean"}, prefix + "centred");
  writer.Node("Div", {prefix + "centred", constants + "deviation"}, prefix + "scaled");
  if (network.clip <= 0) return prefix + "scaled";
  writer.Floats(constants + "low", {}, {-network.clip});
  writer.Floats(constants + "high", {}, {network.clip});
  writer.Node("Clip", {prefix + "scaled", constants + "low", constants + "high"},
              prefix + "normalized");
  return prefix + "normalized";
}

void WriteDiscreteHead(GraphWriter& writer, const std::string& logits) {
  onnx::NodeProto& best = writer.Node("ArgMax", {logits}, "action");
  GraphWriter::IntegerAttribute(best, "axis", 1);
  GraphWriter::IntegerAttribute(best, "keepdims", 0);
  GraphWriter::IntegerAttribute(writer.Node("LogSoftmax", {logits}, "log_probs"), "axis", 1);
  onnx::NodeProto& largest = writer.Node("ReduceMax", {"log_probs"}, "log_prob");
  GraphWriter::IntegersAttribute(largest, "axes", 1);
  GraphWriter::IntegerAttribute(largest, "keepdims", 0);
}

/// The log-probability of the mean does not depend on the observation.
void WriteGaussianHead(GraphWriter& writer, const std::vector<float>& log_std) {
  double log_prob = 0;
  for (const float value : log_std)
    log_prob -= static_cast<double>(value) + 0.5 * std::log(2.0 * std::numbers::pi);
  writer.Floats("mode_log_prob", {1}, {static_cast<float>(log_prob)});
  writer.Integers("first", {0});
  writer.Node("Shape", {"input"}, "input_shape");
  writer.Node("Gather", {"input_shape", "first"}, "batch_shape");
  writer.Node("Expand", {"mode_log_prob", "batch_shape"}, "log_prob");
}

onnx::ModelProto EmptyModel(const char* graph_name,
                            const std::map<std::string, std::string>& metadata) {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("tradewind");
  onnx::OperatorSetIdProto& opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(kOpset);
  for (const auto& [key, value] : metadata) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  model.mutable_graph()->set_name(graph_name);
  return model;
}

/// Float32 in, float32 out; what lies between is float64.
std::string WriteScaling(GraphWriter& writer, const OnnxCommittee& committee) {
  std::vector<double> low(committee.limit.size());
  std::ranges::transform(committee.limit, low.begin(), [](double limit) { return -limit; });
  writer.Doubles("scaling.center", committee.center);
  writer.Doubles("scaling.scale", committee.scale);
  writer.Doubles("scaling.low", low);
  writer.Doubles("scaling.high", committee.limit);
  writer.Floats("scaling.largest", {}, {std::numeric_limits<float>::max()});
  writer.Floats("scaling.zero", {}, {0.0F});
  const auto cast = [&](const char* from, const char* to, std::int64_t type) {
    GraphWriter::IntegerAttribute(writer.Node("Cast", {from}, to), "to", type);
  };
  cast("observation", "scaling.wide", onnx::TensorProto_DataType_DOUBLE);
  writer.Node("Sub", {"scaling.wide", "scaling.center"}, "scaling.centred");
  writer.Node("Div", {"scaling.centred", "scaling.scale"}, "scaling.scaled");
  writer.Node("Max", {"scaling.scaled", "scaling.low"}, "scaling.above");
  writer.Node("Min", {"scaling.above", "scaling.high"}, "scaling.within");
  cast("scaling.within", "scaling.narrow", onnx::TensorProto_DataType_FLOAT);
  writer.Node("Abs", {"observation"}, "scaling.size");
  writer.Node("LessOrEqual", {"scaling.size", "scaling.largest"}, "scaling.finite");
  writer.Node("Where", {"scaling.finite", "scaling.narrow", "scaling.zero"}, "row");
  return "row";
}

/// Output `name` of the parts' sum, first to last, over their number.
void WriteMean(GraphWriter& writer, const std::vector<std::string>& parts,
               const std::string& name) {
  std::string sum = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const std::string next = fmt::format("{}.sum_{}", name, i + 1);
    writer.Node("Add", {sum, parts[i]}, next);
    sum = next;
  }
  writer.Floats(name + ".count", {}, {static_cast<float>(parts.size())});
  writer.Node("Div", {sum, name + ".count"}, name);
}

/// One member's network on "row": its action [batch, 1] under the name that is returned, its
/// probabilities under that of `probabilities`.
std::string WriteMember(GraphWriter& writer, const OnnxCommittee& committee, std::size_t index,
                        std::vector<std::string>& probabilities) {
  const OnnxActorCritic& member = committee.members[index];
  const std::string base = fmt::format("member_{}", index + 1);
  const std::string head = base + ".head";
  std::string action = base + ".action";
  const std::string input = WriteNormalizer(writer, member, "row", base + ".");
  writer.Network(base, member.actor, member.activation, input, head);
  if (!member.discrete) {
    writer.Node("Clip", {head, "lowest_action", "highest_action"}, action);
    return action;
  }
  onnx::NodeProto& best = writer.Node("ArgMax", {head}, base + ".index");
  GraphWriter::IntegerAttribute(best, "axis", 1);
  GraphWriter::IntegerAttribute(best, "keepdims", 1);
  GraphWriter::IntegerAttribute(writer.Node("Cast", {base + ".index"}, base + ".number"), "to",
                                onnx::TensorProto_DataType_FLOAT);
  writer.Node("Add", {base + ".number", "index_offset"}, action);
  probabilities.push_back(base + ".probabilities");
  GraphWriter::IntegerAttribute(writer.Node("Softmax", {head}, probabilities.back()), "axis", 1);
  return action;
}

}  // namespace

std::string ExportOnnx(const OnnxActorCritic& network) {
  onnx::ModelProto model = EmptyModel("actor_critic", network.metadata);
  onnx::GraphProto& graph = *model.mutable_graph();
  GraphWriter writer(graph);
  const std::int64_t width = network.actor.front().inputs;
  const std::int64_t actions = network.actor.back().outputs;
  Describe(*graph.add_input(), "input", false, width);
  const std::string input = WriteNormalizer(writer, network, "input", "");
  if (network.discrete) {
    writer.Network("actor", network.actor, network.activation, input, "logits");
    WriteDiscreteHead(writer, "logits");
  } else {
    writer.Network("actor", network.actor, network.activation, input, "action");
    WriteGaussianHead(writer, network.log_std);
  }
  writer.Network("critic", network.critic, network.activation, input, "value");
  Describe(*graph.add_output(), "action", network.discrete, network.discrete ? 0 : actions);
  Describe(*graph.add_output(), "value", false, 1);
  Describe(*graph.add_output(), "log_prob", false, 0);
  return model.SerializeAsString();
}

std::string ExportOnnx(const OnnxCommittee& committee) {
  TW_CHECK(!committee.members.empty(), "a committee without members");
  onnx::ModelProto model = EmptyModel("committee", committee.metadata);
  onnx::GraphProto& graph = *model.mutable_graph();
  GraphWriter writer(graph);
  const OnnxActorCritic& first = committee.members.front();
  Describe(*graph.add_input(), "observation", false, first.actor.front().inputs);
  WriteScaling(writer, committee);
  if (first.discrete) {
    writer.Floats("index_offset", {}, {committee.index_offset});
  } else {
    writer.Floats("lowest_action", {}, {-1.0F});
    writer.Floats("highest_action", {}, {1.0F});
  }
  std::vector<std::string> actions;
  std::vector<std::string> probabilities;
  for (std::size_t i = 0; i < committee.members.size(); ++i) {
    TW_CHECK(committee.members[i].discrete == first.discrete, "members of two kinds");
    actions.push_back(WriteMember(writer, committee, i, probabilities));
  }
  WriteMean(writer, actions, committee.mean_name);
  onnx::NodeProto& all = *graph.add_node();
  all.set_op_type("Concat");
  all.set_name(committee.members_name);
  for (const std::string& action : actions) all.add_input(action);
  all.add_output(committee.members_name);
  GraphWriter::IntegerAttribute(all, "axis", 1);
  Describe(*graph.add_output(), committee.mean_name.c_str(), false, 1);
  Describe(*graph.add_output(), committee.members_name.c_str(), false,
           static_cast<std::int64_t>(actions.size()));
  if (first.discrete) {
    WriteMean(writer, probabilities, committee.probabilities_name);
    Describe(*graph.add_output(), committee.probabilities_name.c_str(), false,
             first.actor.back().outputs);
  }
  return model.SerializeAsString();
}

}  // namespace tw::nn
