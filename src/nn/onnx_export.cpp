#include "nn/onnx_export.h"

#include <fmt/format.h>
#include <onnx/onnx_pb.h>

#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <numbers>

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

std::string WriteNormalizer(GraphWriter& writer, const OnnxActorCritic& network,
                            std::int64_t width) {
  if (network.mean.empty()) return "input";
  writer.Floats("normalizer.mean", {width}, network.mean);
  writer.Floats("normalizer.deviation", {width}, network.deviation);
  writer.Node("Sub", {"input", "normalizer.mean"}, "centred");
  writer.Node("Div", {"centred", "normalizer.deviation"}, "scaled");
  if (network.clip <= 0) return "scaled";
  writer.Floats("normalizer.low", {}, {-network.clip});
  writer.Floats("normalizer.high", {}, {network.clip});
  writer.Node("Clip", {"scaled", "normalizer.low", "normalizer.high"}, "normalized");
  return "normalized";
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

}  // namespace

std::string ExportOnnx(const OnnxActorCritic& network) {
  onnx::ModelProto model;
  model.set_ir_version(kIrVersion);
  model.set_producer_name("tradewind");
  onnx::OperatorSetIdProto& opset = *model.add_opset_import();
  opset.set_domain("");
  opset.set_version(kOpset);
  for (const auto& [key, value] : network.metadata) {
    onnx::StringStringEntryProto& entry = *model.add_metadata_props();
    entry.set_key(key);
    entry.set_value(value);
  }
  onnx::GraphProto& graph = *model.mutable_graph();
  graph.set_name("actor_critic");
  GraphWriter writer(graph);
  const std::int64_t width = network.actor.front().inputs;
  const std::int64_t actions = network.actor.back().outputs;
  Describe(*graph.add_input(), "input", false, width);
  const std::string input = WriteNormalizer(writer, network, width);
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

}  // namespace tw::nn
