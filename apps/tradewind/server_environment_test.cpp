#include "tradewind/server_environment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <sstream>

#include "base/files.h"

namespace tw::app {
namespace {

using testing::HasSubstr;
using testing::Not;

class ServerEnvironmentTest : public testing::Test {
 protected:
  ServerEnvironmentTest() {
    std::string pattern = testing::TempDir() + "tw_environment_XXXXXX";
    home_ = ::mkdtemp(pattern.data());
    environment_["HOME"] = home_;
    environment_["MLFLOW_TRACKING_URI"] = "https://mlflow.example:5000/prefix";
  }

  ~ServerEnvironmentTest() override { std::filesystem::remove_all(home_); }

  Result<std::optional<tracking::MlflowConnection>> Read() {
    const AppContext context({out_, out_, clock_,
                              [this](const std::string& name) -> std::optional<std::string> {
                                const auto found = environment_.find(name);
                                if (found == environment_.end()) return std::nullopt;
                                return found->second;
                              },
                              std::stop_token()});
    return MlflowFromEnvironment(context);
  }

  void WriteCredentials(const std::string& text) {
    ASSERT_TRUE(CreateDirectories(home_ + "/.mlflow").ok());
    ASSERT_TRUE(WriteFileAtomically(home_ + "/.mlflow/credentials", text).ok());
  }

  std::string home_;
  std::map<std::string, std::string> environment_;
  std::ostringstream out_;
  ManualClock clock_{UnixNanos::FromSeconds(0)};
};

TEST_F(ServerEnvironmentTest, WithoutAnAddressThereIsNoServer) {
  environment_.erase("MLFLOW_TRACKING_URI");
  EXPECT_FALSE(Read().value().has_value());
}

TEST_F(ServerEnvironmentTest, EveryVariableOfMlflowIsRead) {
  environment_.insert({{"MLFLOW_TRACKING_USERNAME", "anna"},
                       {"MLFLOW_TRACKING_PASSWORD", "pw"},
                       {"MLFLOW_TRACKING_TOKEN", "not used beside a password"},
                       {"MLFLOW_TRACKING_SERVER_CERT_PATH", "ca.pem"},
                       {"MLFLOW_TRACKING_CLIENT_CERT_PATH", "me.pem"},
                       {"MLFLOW_HTTP_REQUEST_TIMEOUT", "7"},
                       {"MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2"},
                       {"MLFLOW_WORKSPACE", "desk"},
                       {"MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", "1000"},
                       {"TRADEWIND_MLFLOW_FILE_ARTIFACTS", "1"},
                       {"USER", "anna.b"}});
  const auto read = Read();
  ASSERT_TRUE(read.ok()) << read.error().message;
  const tracking::MlflowConnection& server = **read;
  EXPECT_EQ(server.mlflow.uri, "https://mlflow.example:5000/prefix");
  EXPECT_EQ(server.mlflow.auth.user, "anna");
  EXPECT_EQ(server.mlflow.auth.password.Reveal(), "pw");
  EXPECT_TRUE(server.mlflow.auth.token.empty());
  EXPECT_EQ(server.http.ca_file, "ca.pem");
  EXPECT_EQ(server.http.client_cert_file, "me.pem");
  EXPECT_FALSE(server.http.insecure_tls);
  EXPECT_EQ(server.mlflow.timeout_ms, 7'000);
  EXPECT_EQ(server.retry.tries_max, 3);
  EXPECT_EQ(server.mlflow.workspace, "desk");
  EXPECT_EQ(server.mlflow.proxy_multipart_bytes_min, 1'000);
  EXPECT_TRUE(server.mlflow.allow_file_artifacts);
  EXPECT_EQ(server.mlflow.user, "anna.b");
}

TEST_F(ServerEnvironmentTest, TheCredentialsFileIsTheFallbackAndATokenTheLast) {
  environment_["MLFLOW_TRACKING_TOKEN"] = "tok";
  EXPECT_EQ((*Read().value()).mlflow.auth.token.Reveal(), "tok");
  WriteCredentials(
      "; comment\n[other]\nmlflow_tracking_username = wrong\n[mlflow]\r\n"
      "MLFLOW_TRACKING_USERNAME = file user \r\nmlflow_tracking_password: p=w;1\r\n");
  const net::HttpAuth auth = (*Read().value()).mlflow.auth;
  EXPECT_EQ(auth.user, "file user");
  EXPECT_EQ(auth.password.Reveal(), "p=w;1");
  EXPECT_TRUE(auth.token.empty());
  environment_["MLFLOW_TRACKING_USERNAME"] = "anna";
  EXPECT_EQ((*Read().value()).mlflow.auth.user, "anna");
}

TEST_F(ServerEnvironmentTest, WrongValuesNameTheirVariable) {
  for (const auto& [name, value] :
       std::map<std::string, std::string>{{"MLFLOW_TRACKING_INSECURE_TLS", "maybe"},
                                          {"MLFLOW_HTTP_REQUEST_TIMEOUT", "0"},
                                          {"MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2.5"},
                                          {"MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", "100"}}) {
    auto before = environment_;
    environment_[name] = value;
    const auto read = Read();
    ASSERT_FALSE(read.ok()) << name;
    EXPECT_EQ(read.error().code, ErrorCode::kConfig);
    EXPECT_THAT(read.error().message, HasSubstr(name));
    environment_ = before;
  }
  for (const std::string& uri : std::vector<std::string>{
           "sqlite:///mlflow.db", "databricks", "file:///mlruns", "ftp://user:secret@h/"}) {
    environment_["MLFLOW_TRACKING_URI"] = uri;
    const auto read = Read();
    ASSERT_FALSE(read.ok()) << uri;
    EXPECT_THAT(read.error().message, HasSubstr("MLFLOW_TRACKING_URI"));
    EXPECT_THAT(read.error().message, Not(HasSubstr("secret")));
  }
}

TEST_F(ServerEnvironmentTest, KeysOfAnObjectStoreAreThoseOfItsPythonClient) {
  ASSERT_TRUE(CreateDirectories(home_ + "/.aws").ok());
  ASSERT_TRUE(WriteFileAtomically(home_ + "/.aws/credentials",
                                  "[default]\naws_access_key_id=D\n[desk]\naws_access_key_id = K\n"
                                  "aws_secret_access_key = s+/=\n")
                  .ok());
  ASSERT_TRUE(
      WriteFileAtomically(home_ + "/.aws/config", "[profile desk]\nregion = eu-west-3\n").ok());
  environment_["AWS_PROFILE"] = "desk";
  environment_["MLFLOW_S3_ENDPOINT_URL"] = "http://127.0.0.1:9000";
  environment_["MLFLOW_BOTO_CLIENT_ADDRESSING_STYLE"] = "path";
  tracking::MlflowConnection server = **Read();
  EXPECT_EQ(server.mlflow.s3.credentials.access_key, "K");
  EXPECT_EQ(server.mlflow.s3.credentials.secret_key.Reveal(), "s+/=");
  EXPECT_EQ(server.mlflow.s3.region, "eu-west-3");
  EXPECT_EQ(server.mlflow.s3.endpoint, "http://127.0.0.1:9000");
  EXPECT_EQ(server.mlflow.s3.addressing, net::S3Addressing::kPath);
  environment_.insert({{"AWS_ACCESS_KEY_ID", "E"},
                       {"AWS_SECRET_ACCESS_KEY", "es"},
                       {"AWS_SESSION_TOKEN", "et"},
                       {"AWS_REGION", "us-west-1"},
                       {"MLFLOW_S3_IGNORE_TLS", "true"}});
  server = **Read();
  EXPECT_EQ(server.mlflow.s3.credentials.access_key, "E");
  EXPECT_EQ(server.mlflow.s3.credentials.session_token.Reveal(), "et");
  EXPECT_EQ(server.mlflow.s3.region, "us-west-1");
  EXPECT_TRUE(server.s3_http.insecure_tls);
  EXPECT_FALSE(server.http.insecure_tls);
}

TEST_F(ServerEnvironmentTest, ProxiesNeverStandBeforeThisMachine) {
  environment_["https_proxy"] = "http://proxy:3128";
  environment_["HTTP_PROXY"] = "http://visitor";
  const net::CurlOptions http = (*Read().value()).http;
  EXPECT_EQ(http.https_proxy, "http://proxy:3128");
  EXPECT_EQ(http.http_proxy, "");
  EXPECT_THAT(http.no_proxy, HasSubstr("127.0.0.1"));
}

}  // namespace
}  // namespace tw::app
