#include <gtest/gtest.h>
#include <sys/stat.h>

#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>
#include <stop_token>

#include "base/clock.h"
#include "base/files.h"
#include "tradewind/app.h"
#include "training/test_market.h"

namespace tw::app {
namespace {

// A server that is asked to stop before it starts: it opens everything, says where it is, and ends.
class ServeCommandTest : public ::testing::Test {
 protected:
  int Run(std::vector<std::string> args) {
    const SystemClock clock;
    std::ostringstream out;
    std::ostringstream err;
    std::stop_source stop;
    stop.request_stop();
    args.insert(args.begin(), "serve");
    args.insert(args.end(), {"--store", home_.path(), "--json"});
    AppContext context({out, err, clock,
                        [this](const std::string& name) -> std::optional<std::string> {
                          const auto found = environment_.find(name);
                          if (found == environment_.end()) return std::nullopt;
                          return found->second;
                        },
                        stop.get_token()});
    const int code = RunCommandLine(std::move(args), context);
    answer_ = nlohmann::json::parse(out.str(), nullptr, false);
    error_ = err.str();
    return code;
  }

  std::string Token() const {
    const std::string url = answer_["url"];
    return url.substr(url.find("#token=") + 7);
  }

  training::TemporaryDirectory home_;
  std::map<std::string, std::string> environment_;
  nlohmann::json answer_;
  std::string error_;
};

TEST_F(ServeCommandTest, OpensAnEmptyHomeAndEndsAsAsked) {
  EXPECT_EQ(Run({"--port", "0"}), 0) << error_;
  EXPECT_GT(answer_["port"], 0);
  EXPECT_TRUE(answer_["base"].get<std::string>().starts_with("http://127.0.0.1:"));
  EXPECT_NE(error_.find("the web application is not built"), std::string::npos);
}

TEST_F(ServeCommandTest, TheTokenIsItsOwnersAndStays) {
  ASSERT_EQ(Run({"--port", "0"}), 0);
  const std::string token = Token();
  EXPECT_EQ(token.size(), 48U);

  struct stat status {};

  ASSERT_EQ(::stat((home_.path() + "/serve-token").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  ASSERT_EQ(Run({"--port", "0"}), 0);
  EXPECT_EQ(Token(), token);
  environment_["TRADEWIND_SERVE_TOKEN"] = "a token of my own choice";
  ASSERT_EQ(Run({"--port", "0"}), 0);
  EXPECT_EQ(Token(), "a token of my own choice");
  environment_["TRADEWIND_SERVE_TOKEN"] = "short";
  EXPECT_EQ(Run({"--port", "0"}), 2);
}

TEST_F(ServeCommandTest, SaysWhatIsWrongWithItsOptions) {
  EXPECT_EQ(Run({"--address", "nowhere", "--port", "0"}), 2);
  EXPECT_EQ(Run({"--port", "70000"}), 2);
  EXPECT_EQ(Run({"--jobs", "0"}), 2);
  EXPECT_EQ(Run({"--port", "0", "--web", home_.path() + "/none"}), 1);
  EXPECT_NE(error_.find("/none"), std::string::npos);
}

TEST_F(ServeCommandTest, ABundleIsFoundByItsFolder) {
  const std::string web = home_.path() + "/web";
  CreateDirectories(web).value();
  WriteFileAtomically(web + "/index.html", "<!doctype html>").value();
  environment_["TRADEWIND_WEB"] = web;
  EXPECT_EQ(Run({"--port", "0"}), 0);
  EXPECT_EQ(error_.find("not built"), std::string::npos) << error_;
}

}  // namespace
}  // namespace tw::app
