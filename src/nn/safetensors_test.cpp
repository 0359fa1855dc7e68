#include "nn/safetensors.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

namespace tw::nn {
namespace {

std::string WithHeader(const std::string& header, const std::string& data = {}) {
  const std::uint64_t length = header.size();
  std::string bytes(sizeof(length), '\0');
  std::memcpy(bytes.data(), &length, sizeof(length));
  return bytes + header + data;
}

TEST(SafetensorsTest, ReadsWhatTheLibraryWrote) {
  std::ifstream stream(std::string(TW_SOURCE_DIR) + "/tests/golden/rl/safetensors.json");
  const nlohmann::json golden = nlohmann::json::parse(stream);
  const auto hex = golden["bytes"].get<std::string>();
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  const Result<TensorFile> file = DecodeSafetensors(bytes);
  ASSERT_TRUE(file.ok()) << file.error().message;
  const auto metadata = golden["metadata"].get<std::map<std::string, std::string>>();
  EXPECT_EQ(file->metadata, metadata);
  ASSERT_EQ(file->tensors.size(), golden["tensors"].size());
  for (const auto& [name, expected] : golden["tensors"].items()) {
    const Tensor& tensor = file->tensors.at(name);
    EXPECT_EQ(tensor.shape, expected["shape"].get<std::vector<std::int64_t>>());
    EXPECT_EQ(tensor.values, expected["values"].get<std::vector<float>>());
  }
}

TensorFile GenFile() {
  TensorFile file;
  const auto count = *rc::gen::inRange(0, 5);
  for (int i = 0; i < count; ++i) {
    Tensor tensor;
    tensor.shape = *rc::gen::container<std::vector<std::int64_t>>(
        *rc::gen::inRange<std::size_t>(0, 4), rc::gen::inRange<std::int64_t>(0, 5));
    std::size_t size = 1;
    for (const std::int64_t dimension : tensor.shape) size *= static_cast<std::size_t>(dimension);
    tensor.values = *rc::gen::container<std::vector<float>>(size, rc::gen::arbitrary<float>());
    file.tensors["t" + std::to_string(i)] = tensor;
  }
  file.metadata["note"] = *rc::gen::container<std::string>(rc::gen::inRange(' ', '~'));
  return file;
}

RC_GTEST_PROP(SafetensorsTest, ReadingGivesBackWhatWasWritten, ()) {
  const TensorFile file = GenFile();
  const std::string bytes = EncodeSafetensors(file);
  const Result<TensorFile> read = DecodeSafetensors(bytes);
  RC_ASSERT(read.ok());
  RC_ASSERT(*read == file);
}

RC_GTEST_PROP(SafetensorsTest, AnyCutOrFlippedByteIsAnErrorOrAnotherValidFile, ()) {
  const std::string bytes = EncodeSafetensors(GenFile());
  const auto cut = *rc::gen::inRange<std::size_t>(0, bytes.size());
  const Result<TensorFile> shorter = DecodeSafetensors(std::string_view(bytes).substr(0, cut));
  RC_ASSERT(!shorter.ok());
  RC_ASSERT(shorter.error().code == ErrorCode::kBadData);
  std::string flipped = bytes;
  const auto at = *rc::gen::inRange<std::size_t>(0, bytes.size());
  flipped[at] = static_cast<char>(flipped[at] ^ (1 << *rc::gen::inRange(0, 8)));
  const Result<TensorFile> other = DecodeSafetensors(flipped);
  const bool understood = other.ok() || other.error().code == ErrorCode::kBadData;
  RC_ASSERT(understood);
}

TEST(SafetensorsTest, RefusesWhatDoesNotFit) {
  const std::string eight(8, '\0');
  const std::vector<std::pair<std::string, std::string>> cases = {
      {"", "too few"},
      {std::string("\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8), "header"},
      {WithHeader("[]"), "no JSON object"},
      {WithHeader("{"), "no JSON object"},
      {WithHeader(R"({"a":1})"), "'a' lacks"},
      {WithHeader(R"({"a":{"dtype":"F64","shape":[1],"data_offsets":[0,8]}})", eight), "F32"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})", eight),
       "8 bytes for 3"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}})", eight),
       "8 bytes for 1"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})", eight), "shape"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
       "shape"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}})", eight),
       "data_offsets"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}})", eight),
       "cover 4 of 8"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})", eight), "hole"},
      {WithHeader(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                  R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
                  eight),
       "overlap"},
      {WithHeader(R"({"__metadata__":{"a":1}})"), "no text"},
  };
  for (const auto& [bytes, expected] : cases) {
    const Result<TensorFile> file = DecodeSafetensors(bytes);
    ASSERT_FALSE(file.ok()) << expected;
    EXPECT_EQ(file.error().code, ErrorCode::kBadData);
    EXPECT_NE(file.error().message.find(expected), std::string::npos) << file.error().message;
  }
}

}  // namespace
}  // namespace tw::nn
