#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace tw::app {

struct ChildOptions {
  std::vector<std::string> command;  // the program is looked up in PATH unless it has a slash
  /// On top of this process's environment. Unlike arguments, other users do not see it.
  std::vector<std::pair<std::string, std::string>> environment;
  std::string output;  // file that gets standard output and error
  /// Standard input is a pipe that closes when this process ends, however it ends.
  bool parent_pipe = false;
};

/// A program that we started, in a process group of its own: signals of the terminal reach it only
/// through us. Destruction kills and reaps it.
class ChildProcess {
 public:
  /// Errors: kNotFound (no such program), kIo.
  static Result<ChildProcess> Start(const ChildOptions& options);

  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  pid_t pid() const { return pid_; }

  /// The exit code, minus the signal that ended it, or nothing while it runs. Does not wait.
  std::optional<int> Poll();
  int Wait();
  void Signal(int signal) const;

 private:
  ChildProcess(pid_t pid, int input) : pid_(pid), input_(input) {}

  void Take(int status);

  pid_t pid_ = -1;
  int input_ = -1;
  std::optional<int> code_;
};

/// Runs a program to its end and returns what it wrote. Errors: kNotFound; kExternal with its words
/// when it failed.
Result<std::string> RunProgram(const std::vector<std::string>& command,
                               const std::string& output_file);

}  // namespace tw::app
