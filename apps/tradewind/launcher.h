#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "tradewind/app.h"

namespace tw::app {

/// What workers need to know to serve a study.
struct WorkerPlan {
  std::string program;  // path of this program
  std::string study;
  std::string storage;  // URL, possibly with a password: never in arguments
  std::string home;
  std::string logs;  // a directory
  int workers = 1;
  int threads = 1;  // each
  double timeout_seconds = 0;
  std::vector<std::string> slurm_options;  // for sbatch, as they are
};

/// Workers that somebody else runs for us. One thread.
class Launcher {
 public:
  Launcher() = default;
  Launcher(const Launcher&) = delete;
  Launcher& operator=(const Launcher&) = delete;
  Launcher(Launcher&&) = delete;
  Launcher& operator=(Launcher&&) = delete;
  virtual ~Launcher() = default;

  virtual Status Start() = 0;
  /// Whether any worker is alive or will be. Called about five times a second. Errors: kExternal
  /// when workers end without having done their work.
  virtual Result<bool> Alive() = 0;
  /// Asks all workers to put their trials back and end.
  virtual void Stop() = 0;
};

/// Processes of this machine. One that is killed is started again, a few times.
std::unique_ptr<Launcher> MakeLocalLauncher(WorkerPlan plan,
                                            std::function<void(const std::string&)> note);

/// An array job of Slurm (sbatch, squeue, scancel in PATH), requeued by Slurm when a node is lost.
std::unique_ptr<Launcher> MakeSlurmLauncher(WorkerPlan plan, const Clock& clock,
                                            std::function<void(const std::string&)> note);

}  // namespace tw::app
