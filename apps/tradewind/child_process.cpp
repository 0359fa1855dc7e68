#include "tradewind/child_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/files.h"

namespace tw::app {
namespace {

// posix_spawn's two descriptions, freed together.
struct SpawnPlan {
  SpawnPlan() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
  }

  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  SpawnPlan(SpawnPlan&&) = delete;
  SpawnPlan& operator=(SpawnPlan&&) = delete;

  ~SpawnPlan() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }

  posix_spawn_file_actions_t files{};
  posix_spawnattr_t attributes{};
};

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  pointers.reserve(texts.size() + 1);
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

std::vector<std::string> EnvironmentWith(
    const std::vector<std::pair<std::string, std::string>>& extra) {
  std::vector<std::string> all;
  all.reserve(extra.size());
  for (const auto& [name, value] : extra) all.push_back(name + "=" + value);
  for (char** at = environ; *at != nullptr; ++at) {
    const std::string_view entry = *at;
    bool replaced = false;
    for (const auto& [name, value] : extra) replaced |= entry.starts_with(name + "=");
    if (!replaced) all.emplace_back(entry);
  }
  return all;
}

}  // namespace

Result<ChildProcess> ChildProcess::Start(const ChildOptions& options) {
  std::array<int, 2> pipe_ends = {-1, -1};
  if (options.parent_pipe && ::pipe2(pipe_ends.data(), O_CLOEXEC) != 0) {
    return Error{ErrorCode::kIo, fmt::format("no pipe: {}", std::strerror(errno))};
  }
  SpawnPlan plan;
  if (options.parent_pipe) {
    posix_spawn_file_actions_adddup2(&plan.files, pipe_ends[0], STDIN_FILENO);
  } else {
    posix_spawn_file_actions_addopen(&plan.files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  posix_spawn_file_actions_addopen(&plan.files, STDOUT_FILENO, options.output.c_str(),
                                   O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&plan.files, STDOUT_FILENO, STDERR_FILENO);
  // Signals that we block for our own watcher are open again in the child.
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&plan.attributes, &none);
  posix_spawnattr_setpgroup(&plan.attributes, 0);
  posix_spawnattr_setflags(&plan.attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETPGROUP);
  std::vector<std::string> command = options.command;
  std::vector<std::string> environment = EnvironmentWith(options.environment);
  pid_t pid = -1;
  const int failed = ::posix_spawnp(&pid, command.front().c_str(), &plan.files, &plan.attributes,
                                    Pointers(command).data(), Pointers(environment).data());
  if (pipe_ends[0] >= 0) ::close(pipe_ends[0]);
  if (failed == 0) return ChildProcess(pid, pipe_ends[1]);
  if (pipe_ends[1] >= 0) ::close(pipe_ends[1]);
  return Error{failed == ENOENT ? ErrorCode::kNotFound : ErrorCode::kIo,
               fmt::format("{}: {}", command.front(), std::strerror(failed))};
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : pid_(std::exchange(other.pid_, -1)),
      input_(std::exchange(other.input_, -1)),
      code_(other.code_) {}

ChildProcess& ChildProcess::operator=(ChildProcess&& other) noexcept {
  std::swap(pid_, other.pid_);
  std::swap(input_, other.input_);
  std::swap(code_, other.code_);
  return *this;
}

ChildProcess::~ChildProcess() {
  if (pid_ > 0 && !code_) {
    Signal(SIGKILL);
    Wait();
  }
  if (input_ >= 0) ::close(input_);
}

void ChildProcess::Take(int status) {
  code_ = WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

std::optional<int> ChildProcess::Poll() {
  if (code_ || pid_ <= 0) return code_;
  int status = 0;
  if (::waitpid(pid_, &status, WNOHANG) == pid_) Take(status);
  return code_;
}

int ChildProcess::Wait() {
  int status = 0;
  while (!code_) {
    const pid_t ended = ::waitpid(pid_, &status, 0);
    if (ended == pid_) Take(status);
    if (ended < 0 && errno != EINTR) code_ = -SIGKILL;  // reaped by somebody else
  }
  return *code_;
}

void ChildProcess::Signal(int signal) const {
  if (pid_ > 0 && !code_) ::kill(pid_, signal);
}

Result<std::string> RunProgram(const std::vector<std::string>& command,
                               const std::string& output_file) {
  ChildProcess child = TW_TRY(ChildProcess::Start({command, {}, output_file, false}));
  const int code = child.Wait();
  std::string output = TW_TRY(ReadFile(output_file));
  if (code == 0) return output;
  return Error{ErrorCode::kExternal,
               fmt::format("{} ended with {}: {}", command.front(), code, output.substr(0, 1000))};
}

}  // namespace tw::app
