#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "base/files.h"
#include "tradewind/app.h"

namespace tw::app {
namespace {

struct Answer {
  int code = 0;
  std::string out;
  std::string err;
};

class CommandLineTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = ::testing::TempDir() + "tradewind_cli_XXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    dir_ = pattern;
    environment_["TRADEWIND_HOME"] = dir_ + "/store";
  }

  void TearDown() override {
    std::error_code ignored;
    std::filesystem::remove_all(dir_, ignored);
  }

  Answer Run(std::vector<std::string> args) {
    const ManualClock clock(UnixNanos::FromSeconds(0));
    std::ostringstream out;
    std::ostringstream err;
    const auto env = [this](const std::string& name) -> std::optional<std::string> {
      const auto found = environment_.find(name);
      if (found == environment_.end()) return std::nullopt;
      return found->second;
    };
    AppContext context({out, err, clock, env, std::stop_token()});
    const int code = RunCommandLine(std::move(args), context);
    return {code, out.str(), err.str()};
  }

  std::string WriteConfig(const std::string& name, const std::string& text) {
    const std::string path = dir_ + "/" + name;
    EXPECT_TRUE(WriteFileAtomically(path, text).ok());
    return path;
  }

  std::string dir_;
  std::map<std::string, std::string> environment_;
};

bool Contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

TEST_F(CommandLineTest, HelpAndVersionGoToStandardOutput) {
  const Answer help = Run({"--help"});
  EXPECT_EQ(help.code, 0);
  EXPECT_TRUE(Contains(help.out, "Examples:")) << help.out;
  EXPECT_EQ(help.err, "");
  const Answer version = Run({"--version"});
  EXPECT_EQ(version.code, 0);
  EXPECT_TRUE(version.out.starts_with("tradewind ")) << version.out;
}

TEST_F(CommandLineTest, AnOffLineIsOneErrorLineWithASuggestionAndCode2) {
  const Answer command = Run({"dcotor"});
  EXPECT_EQ(command.code, 2);
  EXPECT_EQ(command.out, "");
  EXPECT_EQ(
      command.err,
      "error: tradewind: unknown command 'dcotor', did you mean doctor? (see tradewind --help)\n");
  const Answer option = Run({"config", "show", "--jsn"});
  EXPECT_EQ(option.code, 2);
  EXPECT_TRUE(Contains(option.err, "unknown option --jsn, did you mean --json?")) << option.err;
  const Answer nothing = Run({});
  EXPECT_EQ(nothing.code, 2);
  EXPECT_EQ(std::ranges::count(nothing.err, '\n'), 1) << nothing.err;
}

TEST_F(CommandLineTest, WithJsonAnErrorIsADocumentOnStandardOutputToo) {
  const Answer answer = Run({"config", "check", "--config", dir_ + "/none.yaml", "--json"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_TRUE(answer.err.starts_with("error: ")) << answer.err;
  EXPECT_TRUE(Contains(answer.out, "\"code\": \"config\"")) << answer.out;
  const Answer unparsed = Run({"bogus", "--json"});
  EXPECT_TRUE(Contains(unparsed.out, "\"code\": \"usage\"")) << unparsed.out;
  for (const char* word : {"--version", "--help", "data"}) {
    EXPECT_TRUE(Run({word, "--json"}).out.starts_with("{")) << word;
  }
  EXPECT_TRUE(Run({"completion", "bash", "--json"}).out.starts_with("{"));
}

TEST_F(CommandLineTest, AnUnknownKeyNamesFileAndLine) {
  const std::string path = WriteConfig("my.yaml", "\nno_such_key: 3\n");
  const Answer answer = Run({"config", "check", "--config", path});
  EXPECT_EQ(answer.code, 2);
  EXPECT_TRUE(Contains(answer.err, "my.yaml:2: no_such_key")) << answer.err;
}

TEST_F(CommandLineTest, OverridesAndFilesReachTheBoundSectionsInOrder) {
  const ManualClock clock(UnixNanos::FromSeconds(0));
  std::ostringstream out;
  AppContext context(
      {out, out, clock, [](const std::string&) { return std::nullopt; }, std::stop_token()});
  double gamma = 0.5;
  std::string name = "a";
  context.RegisterConfig([&](ConfigSection root) {
    root.Section("ppo").Number("gamma", gamma, {.min = 0.0, .max = 1.0});
    root.Text("name", name);
  });
  context.options().config_files = {WriteConfig("one.yaml", "ppo: {gamma: 0.6}\nname: one\n"),
                                    WriteConfig("two.yaml", "ppo: {gamma: 0.7}\n")};
  ASSERT_TRUE(context.LoadConfig().ok());
  EXPECT_EQ(gamma, 0.7);
  EXPECT_EQ(name, "one");
  context.options().overrides = {"ppo.gamma=0.8"};
  ASSERT_TRUE(context.LoadConfig().ok());
  EXPECT_EQ(gamma, 0.8);
  context.options().overrides = {"ppo.gamma=1.8"};
  const auto bad = context.LoadConfig();
  ASSERT_FALSE(bad.ok());
  EXPECT_EQ(bad.error().code, ErrorCode::kConfig);
}

TEST_F(CommandLineTest, RepeatedSetTakesOneValueEach) {
  const Answer answer = Run({"config", "check", "--set", "a=1", "--set", "b=2"});
  EXPECT_EQ(answer.code, 2);
  EXPECT_TRUE(Contains(answer.err, "a is no known key")) << answer.err;
  EXPECT_TRUE(Contains(answer.err, "b is no known key")) << answer.err;
}

TEST_F(CommandLineTest, DoctorFailsWhereTheStoreCannotBeWritten) {
  EXPECT_EQ(Run({"doctor"}).code, 0);
  WriteConfig("file", "in the way\n");
  const Answer answer = Run({"doctor", "--store", dir_ + "/file/store"});
  EXPECT_EQ(answer.code, 1);
  EXPECT_TRUE(Contains(answer.out, "bad store")) << answer.out;
}

TEST_F(CommandLineTest, DoctorHidesThePasswordOfAServerAddress) {
  environment_["TRADEWIND_DB"] = "postgresql://joe:hunter2@localhost/tw";
  const Answer answer = Run({"doctor"});
  EXPECT_TRUE(Contains(answer.out, "postgresql://***@localhost/tw")) << answer.out;
  EXPECT_FALSE(Contains(answer.out + answer.err, "hunter2"));
}

TEST_F(CommandLineTest, EveryCommandHasExamplesInItsHelp) {
  const Answer completion = Run({"completion", "bash"});
  std::set<std::string> paths;
  std::istringstream lines(completion.out);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("    '/")) paths.insert(line.substr(6, line.find('\'', 6) - 6));
  }
  EXPECT_GE(paths.size(), 5U);
  for (const std::string& path : paths) {
    std::vector<std::string> args;
    std::istringstream words(path);
    for (std::string word; std::getline(words, word, '/');) args.push_back(word);
    args.push_back("--help");
    const Answer help = Run(args);
    EXPECT_EQ(help.code, 0) << path;
    EXPECT_TRUE(Contains(help.out, "Examples:")) << path;
  }
}

TEST_F(CommandLineTest, ConfigShowTakesDocumentsAndTables) {
  const Answer style =
      Run({"config", "show", "styles/quickstart.yaml", "--set", "world.capital=777"});
  EXPECT_EQ(style.code, 0) << style.err;
  EXPECT_TRUE(Contains(style.out, "capital: 777\n")) << style.out;
  const Answer table = Run({"config", "show", "costs/default.yaml"});
  EXPECT_EQ(table.code, 0) << table.err;
  EXPECT_TRUE(Contains(table.out, "EURUSD")) << table.out;
  EXPECT_EQ(Run({"config", "check", "costs/default.yaml"}).code, 2);
  // A --config file lies on top of the named document.
  const std::string path = WriteConfig("top.yaml", "world: {capital: 778}\n");
  const Answer both = Run({"config", "show", "styles/quickstart.yaml", "--config", path});
  EXPECT_TRUE(Contains(both.out, "capital: 778\n")) << both.out;
  EXPECT_TRUE(Contains(both.out, "name: quickstart\n")) << both.out;
}

TEST_F(CommandLineTest, EveryBuiltInDocumentIsSound) {
  std::istringstream names(Run({"config", "list"}).out);
  int documents = 0;
  for (std::string name; std::getline(names, name);) {
    if (!name.starts_with("styles/") && !name.starts_with("rl/")) continue;
    ++documents;
    const Answer answer = Run({"config", "check", name});
    EXPECT_EQ(answer.code, 0) << answer.err;
  }
  EXPECT_GE(documents, 3);
}

// Runs the real program, and stops it as Ctrl-C does when it has written `wanted`.
struct Stopped {
  int code = -1;
  std::string err;
};

Stopped RunAndInterrupt(const std::vector<std::string>& args, const std::string& wanted) {
  int ends[2];
  if (::pipe(ends) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDERR_FILENO);
    ::close(ends[0]);
    std::vector<char*> words = {const_cast<char*>(TW_PROGRAM)};
    for (const std::string& arg : args) words.push_back(const_cast<char*>(arg.c_str()));
    words.push_back(nullptr);
    ::execv(TW_PROGRAM, words.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  Stopped stopped;
  char buffer[4096];
  bool sent = false;
  // Ends when the program does; the test's own time limit ends a program that does not.
  for (ssize_t n = 0; (n = ::read(ends[0], buffer, sizeof buffer)) > 0;) {
    stopped.err.append(buffer, static_cast<std::size_t>(n));
    if (!sent && Contains(stopped.err, wanted)) sent = ::kill(child, SIGINT) == 0;
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  if (WIFEXITED(status)) stopped.code = WEXITSTATUS(status);
  return stopped;
}

TEST_F(CommandLineTest, AnInterruptSavesAndTellsHowToResume) {
  const Stopped stopped = RunAndInterrupt(
      {"train", "--env", "CartPole-v1", "--steps", "1000000000", "--store", dir_ + "/store"},
      " steps");
  EXPECT_EQ(stopped.code, 130) << stopped.err;
  EXPECT_TRUE(Contains(stopped.err, "stopped: ")) << stopped.err;
  EXPECT_TRUE(Contains(stopped.err, "--resume")) << stopped.err;
}

// What a person gets who presses the tabulator key after `line`, by a real bash.
std::string Completions(const std::string& script, const std::string& line) {
  const std::string program = script + "\nCOMP_WORDS=(" + line +
                              ")\nCOMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
                              "_tradewind\necho \"${COMPREPLY[*]}\"\n";
  const std::string path = ::testing::TempDir() + "tradewind_completion.sh";
  EXPECT_TRUE(WriteFileAtomically(path, program).ok());
  FILE* pipe = ::popen(("bash " + path).c_str(), "r");
  if (pipe == nullptr) return "no bash";
  std::string text;
  char buffer[4096];
  for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;)
    text.append(buffer, n);
  ::pclose(pipe);
  return text;
}

TEST_F(CommandLineTest, BashCompletesVerbsAndOptions) {
  const std::string script = Run({"completion", "bash"}).out;
  EXPECT_EQ(Completions(script, "tradewind doc"), "doctor\n");
  EXPECT_EQ(Completions(script, "tradewind config ch"), "check\n");
  EXPECT_EQ(Completions(script, "tradewind config show --js"), "--json\n");
}

}  // namespace
}  // namespace tw::app
