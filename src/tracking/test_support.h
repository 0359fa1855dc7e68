#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>

namespace tw::tracking {

/// A directory of the test's own, removed at its end. In memory where that is possible: what is
/// tested is the death of a process, not of the power, and syncing a disk would take most of the
/// time.
class TempDir {
 public:
  TempDir() {
    const bool memory = ::access("/dev/shm", W_OK) == 0;
    const std::filesystem::path parent =
        memory ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string pattern = (parent / "tw_tracking_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }

  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  TempDir(TempDir&&) = delete;
  TempDir& operator=(TempDir&&) = delete;

  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

/// Runs `work` in a child process; its result is the exit code.
inline pid_t InChild(const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::_exit(work());
}

/// Exit code of the child, or minus the signal that ended it.
inline int WaitFor(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

}  // namespace tw::tracking
