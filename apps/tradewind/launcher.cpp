#include "tradewind/launcher.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <filesystem>

#include "base/files.h"
#include "tradewind/child_process.h"

namespace tw::app {
namespace {

// More deaths than this are no accident.
constexpr int kRestartsMax = 5;

std::vector<std::string> WorkerCommand(const WorkerPlan& plan) {
  std::vector<std::string> command = {
      plan.program, "worker",  "--study",   plan.study,
      "--store",    plan.home, "--threads", fmt::format("{}", plan.threads)};
  if (plan.timeout_seconds > 0) {
    command.insert(command.end(), {"--timeout", fmt::format("{}", plan.timeout_seconds)});
  }
  return command;
}

// The last lines of a log, for a message.
std::string TailOf(const std::string& path) {
  const auto text = ReadFile(path);
  if (!text.ok()) return "";
  std::string_view tail = *text;
  if (tail.size() > 600) tail = tail.substr(tail.size() - 600);
  while (tail.ends_with('\n')) tail.remove_suffix(1);
  return std::string(tail);
}

class LocalLauncher final : public Launcher {
 public:
  LocalLauncher(WorkerPlan plan, std::function<void(const std::string&)> note)
      : plan_(std::move(plan)), note_(std::move(note)) {}

  Status Start() override {
    TW_TRY(CreateDirectories(plan_.logs));
    for (int k = 0; k < plan_.workers; ++k) {
      workers_.push_back({k, TW_TRY(Spawn(k))});
    }
    return {};
  }

  Result<bool> Alive() override {
    bool alive = false;
    for (Worker& worker : workers_) {
      const auto code = worker.process.Poll();
      if (!code) {
        alive = true;
      } else if (!worker.seen) {
        worker.seen = true;
        TW_TRY(Ended(worker, *code));
        alive = alive || !worker.seen;
      }
    }
    if (!alive && last_error_) return *last_error_;
    return alive;
  }

  void Stop() override {
    stopping_ = true;
    for (const Worker& worker : workers_) worker.process.Signal(SIGTERM);
  }

 private:
  struct Worker {
    int index = 0;
    ChildProcess process;
    bool seen = false;  // its end
  };

  std::string LogOf(int index) const { return fmt::format("{}/worker-{}.log", plan_.logs, index); }

  Result<ChildProcess> Spawn(int index) const {
    ChildOptions options;
    options.command = WorkerCommand(plan_);
    options.command.emplace_back("--parent-pipe");
    options.environment = {{"TRADEWIND_STORAGE", plan_.storage}};
    options.output = LogOf(index);
    options.parent_pipe = true;
    return ChildProcess::Start(options);
  }

  Status Ended(Worker& worker, int code) {
    if (code == 0 || code == ExitCodeOf(ErrorCode::kInterrupted)) return {};
    if (code > 0) {
      // It put its trial back and said why; the others may go on.
      last_error_ =
          Error{ErrorCode::kExternal, fmt::format("worker {} ended with exit code {}: {}",
                                                  worker.index, code, TailOf(LogOf(worker.index)))};
      note_("warning: " + last_error_->message);
      return {};
    }
    if (stopping_) return {};
    if (++restarts_ > kRestartsMax) {
      last_error_ = Error{ErrorCode::kExternal,
                          fmt::format("workers were killed {} times (signal {}); logs: {}",
                                      restarts_, -code, plan_.logs)};
      return {};
    }
    note_(fmt::format("worker {} was ended by signal {}: a new one starts", worker.index, -code));
    worker.process = TW_TRY(Spawn(worker.index));
    worker.seen = false;
    return {};
  }

  WorkerPlan plan_;
  std::function<void(const std::string&)> note_;
  std::vector<Worker> workers_;
  std::optional<Error> last_error_;
  int restarts_ = 0;
  bool stopping_ = false;
};

// For a POSIX shell.
std::string Quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

class SlurmLauncher final : public Launcher {
 public:
  SlurmLauncher(WorkerPlan plan, const Clock& clock, std::function<void(const std::string&)> note)
      : plan_(std::move(plan)), clock_(clock), note_(std::move(note)) {}

  SlurmLauncher(const SlurmLauncher&) = delete;
  SlurmLauncher& operator=(const SlurmLauncher&) = delete;
  SlurmLauncher(SlurmLauncher&&) = delete;
  SlurmLauncher& operator=(SlurmLauncher&&) = delete;

  ~SlurmLauncher() override {
    std::error_code ignored;
    std::filesystem::remove(StorageFile(), ignored);
  }

  Status Start() override {
    TW_TRY(CreateDirectories(plan_.logs));
    // The URL may hold a password, and Slurm keeps what it is given: the jobs read a file that only
    // this account can.
    TW_TRY(WriteSecret());
    const std::string script = plan_.logs + "/worker.sh";
    TW_TRY(WriteFileAtomically(script, Script()));
    std::vector<std::string> command = {"sbatch",
                                        "--parsable",
                                        "--requeue",
                                        fmt::format("--array=1-{}", plan_.workers),
                                        "--job-name=tradewind",
                                        fmt::format("--cpus-per-task={}", plan_.threads),
                                        "--open-mode=append",
                                        "--output=" + plan_.logs + "/slurm-%A_%a.log"};
    command.insert(command.end(), plan_.slurm_options.begin(), plan_.slurm_options.end());
    command.push_back(script);
    const std::string answer = TW_TRY(
        RunProgram(command, plan_.logs + "/sbatch.log").WithContext("submitting the array job"));
    job_ = answer.substr(0, answer.find_first_of(";\n"));
    if (job_.empty() || job_.find_first_not_of("0123456789") != std::string::npos) {
      return Error{ErrorCode::kExternal, fmt::format("sbatch answered '{}'", answer)};
    }
    note_(fmt::format("Slurm job {} with {} tasks (squeue -j {})", job_, plan_.workers, job_));
    return {};
  }

  Result<bool> Alive() override {
    constexpr std::int64_t kEveryNanos = 3'000'000'000;
    const std::int64_t now = clock_.MonotonicNanos();
    if (now - asked_nanos_ < kEveryNanos) return alive_;
    asked_nanos_ = now;
    const auto answer =
        RunProgram({"squeue", "--noheader", "--jobs=" + job_, "--states=all", "--format=%T"},
                   plan_.logs + "/squeue.log");
    if (!answer.ok()) {
      // Slurm forgets finished jobs after a while, and its controller may be restarting.
      if (answer.error().message.find("Invalid job id") != std::string::npos) return alive_ = false;
      if (++failures_ > 20) return answer.error();
      return alive_;
    }
    failures_ = 0;
    alive_ = false;
    for (const char* state : {"PENDING", "RUNNING", "CONFIGURING", "COMPLETING", "REQUEUED",
                              "SUSPENDED", "STOPPED", "RESIZING", "SIGNALING"}) {
      alive_ = alive_ || answer->find(state) != std::string::npos;
    }
    return alive_;
  }

  void Stop() override {
    if (job_.empty()) return;
    // The batch step is the worker itself: it puts its trial back on SIGTERM.
    const auto ended = RunProgram({"scancel", job_}, plan_.logs + "/scancel.log");
    if (!ended.ok()) note_("warning: " + ended.error().message);
  }

 private:
  std::string StorageFile() const { return plan_.logs + "/storage.url"; }

  Status WriteSecret() const {
    const int fd = ::open(StorageFile().c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    const auto size = static_cast<ssize_t>(plan_.storage.size());
    const bool written = fd >= 0 && ::write(fd, plan_.storage.data(), plan_.storage.size()) == size;
    if (fd >= 0) ::close(fd);
    if (written) return {};
    return Error{ErrorCode::kIo, StorageFile() + ": cannot be written"};
  }

  std::string Script() const {
    std::string text = "#!/bin/sh\nTRADEWIND_STORAGE=$(cat " + Quoted(StorageFile()) +
                       ") || exit 1\nexport TRADEWIND_STORAGE\nexec";
    for (const std::string& word : WorkerCommand(plan_)) text += " " + Quoted(word);
    text += " --name \"slurm:${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}\"";
    return text + "\n";
  }

  WorkerPlan plan_;
  const Clock& clock_;
  std::function<void(const std::string&)> note_;
  std::string job_;
  std::int64_t asked_nanos_ = 0;
  int failures_ = 0;
  bool alive_ = true;
};

}  // namespace

std::unique_ptr<Launcher> MakeLocalLauncher(WorkerPlan plan,
                                            std::function<void(const std::string&)> note) {
  return std::make_unique<LocalLauncher>(std::move(plan), std::move(note));
}

std::unique_ptr<Launcher> MakeSlurmLauncher(WorkerPlan plan, const Clock& clock,
                                            std::function<void(const std::string&)> note) {
  return std::make_unique<SlurmLauncher>(std::move(plan), clock, std::move(note));
}

}  // namespace tw::app
