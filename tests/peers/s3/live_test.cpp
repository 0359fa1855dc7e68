// S3Client against a server that checks signatures; tests/peers/s3/run.sh starts it and then this
// program. Not known to ctest.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "base/clock.h"
#include "base/files.h"
#include "net/curl_http.h"
#include "net/s3.h"

namespace tw::net {
namespace {

using testing::HasSubstr;

std::string Env(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? "" : value;
}

std::string Bytes(std::size_t size) {
  std::string bytes(size, 0);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>((i * 31 + i / 977) % 251);
  return bytes;
}

class S3LiveTest : public testing::Test {
 protected:
  void SetUp() override {
    if (Env("TW_S3_ENDPOINT").empty()) GTEST_SKIP() << "TW_S3_ENDPOINT names no server";
    options_.endpoint = Env("TW_S3_ENDPOINT");
    options_.credentials = {Env("TW_S3_ACCESS_KEY"), Secret(Env("TW_S3_SECRET_KEY")), {}};
  }

  S3Client Client() { return {options_, http_, clock_}; }

  SystemClock clock_;
  CurlHttp http_{CurlOptions{}};
  S3Options options_;
  std::string bucket_ = "tradewind-test";
};

TEST_F(S3LiveTest, ObjectsOfAnyNameComeBack) {
  S3Client client = Client();
  for (const std::string& key :
       std::vector<std::string>{"names/plain", "names/a b+c&d=e;f,g@h:i$j!k'l(m)n*o",
                                "names/größe 😀", "names/~tilde.-_", "names/100%", "names/%41"}) {
    const auto put = client.Put(bucket_, key, {.bytes = "content of " + key});
    ASSERT_TRUE(put.ok()) << key << ": " << put.error().message;
    const auto got = client.Get(bucket_, key);
    ASSERT_TRUE(got.ok()) << key << ": " << got.error().message;
    EXPECT_EQ(*got, "content of " + key);
    EXPECT_EQ(client.Head(bucket_, key).value()->size, static_cast<std::int64_t>(11 + key.size()));
  }
  const auto listed = client.List(bucket_, "names/");
  ASSERT_TRUE(listed.ok()) << listed.error().message;
  EXPECT_EQ(listed->size(), 6U);
  EXPECT_EQ(listed->back().key, "names/~tilde.-_");
}

TEST_F(S3LiveTest, AnObjectIsReplacedEmptiedAndDeleted) {
  S3Client client = Client();
  ASSERT_TRUE(client.Put(bucket_, "k", {.bytes = "one"}).ok());
  ASSERT_TRUE(client.Put(bucket_, "k", {.bytes = "two"}).ok());
  EXPECT_EQ(client.Get(bucket_, "k").value(), "two");
  ASSERT_TRUE(client.Put(bucket_, "k", {.bytes = ""}).ok());
  EXPECT_EQ(client.Get(bucket_, "k").value(), "");
  ASSERT_TRUE(client.Delete(bucket_, "k").ok());
  ASSERT_TRUE(client.Delete(bucket_, "k").ok());
  EXPECT_EQ(client.Get(bucket_, "k").error().code, ErrorCode::kNotFound);
  EXPECT_FALSE(client.Head(bucket_, "k").value().has_value());
}

TEST_F(S3LiveTest, LargeObjectsGoInPartsFromMemoryAndFromAFile) {
  S3Client client = Client();
  const std::string content = Bytes((20U << 20U) + 12'345);
  ASSERT_TRUE(client.Put(bucket_, "parts/memory", {.bytes = content}).ok());
  const std::string path = testing::TempDir() + "tw_s3_live";
  ASSERT_TRUE(WriteFileAtomically(path, content).ok());
  const auto put = client.Put(bucket_, "parts/file", {.file = path});
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_TRUE(client.Get(bucket_, "parts/memory").value() == content);
  ASSERT_TRUE(client.GetToFile(bucket_, "parts/file", path + ".back").ok());
  EXPECT_TRUE(ReadFile(path + ".back").value() == content);
  // "-3": three parts were joined.
  EXPECT_THAT(client.Head(bucket_, "parts/file").value()->etag, HasSubstr("-3"));
  std::remove(path.c_str());
  std::remove((path + ".back").c_str());
}

TEST_F(S3LiveTest, AListLongerThanAPageIsWhole) {
  S3Client client = Client();
  for (int i = 0; i < 1'003; ++i) {
    ASSERT_TRUE(client.Put(bucket_, "many/" + std::to_string(10'000 + i), {.bytes = "x"}).ok());
  }
  const auto objects = client.List(bucket_, "many/").value();
  ASSERT_EQ(objects.size(), 1'003U);
  EXPECT_EQ(objects.back().key, "many/11002");
}

TEST_F(S3LiveTest, BucketsAreHostNamesToo) {
  options_.addressing = S3Addressing::kVirtual;
  const std::size_t port = options_.endpoint.rfind(':');
  options_.endpoint = "http://localhost" + options_.endpoint.substr(port);
  S3Client client = Client();
  const auto put = client.Put(bucket_, "virtual/key", {.bytes = "v"});
  ASSERT_TRUE(put.ok()) << put.error().message;
  EXPECT_EQ(client.Get(bucket_, "virtual/key").value(), "v");
}

TEST_F(S3LiveTest, WrongKeysAreRefusedInTheStoresWords) {
  const AwsCredentials right = options_.credentials;
  options_.credentials.secret_key = Secret("another secret");
  const auto wrong = Client().Put(bucket_, "refused", {.bytes = "x"});
  ASSERT_FALSE(wrong.ok());
  EXPECT_EQ(wrong.error().code, ErrorCode::kExternal);
  EXPECT_THAT(wrong.error().message, HasSubstr("SignatureDoesNotMatch"));
  options_.credentials.access_key = "NOBODY";
  EXPECT_THAT(Client().Get(bucket_, "refused").error().message, HasSubstr("InvalidAccessKeyId"));
  options_.credentials = right;
  EXPECT_FALSE(Client().Head(bucket_, "refused").value().has_value());
  EXPECT_EQ(Client().Get("no-such-bucket", "k").error().code, ErrorCode::kNotFound);
}

TEST_F(S3LiveTest, WhatBoto3WroteIsRead) {
  S3Client client = Client();
  const auto read = client.Get(bucket_, "boto3/größe +&.bin");
  ASSERT_TRUE(read.ok()) << read.error().message;
  EXPECT_TRUE(*read == Bytes(300'000));
}

TEST_F(S3LiveTest, ForBoto3ToRead) {
  ASSERT_TRUE(Client().Put(bucket_, "tradewind/größe +&.bin", {.bytes = Bytes(9U << 20U)}).ok());
}

}  // namespace
}  // namespace tw::net
