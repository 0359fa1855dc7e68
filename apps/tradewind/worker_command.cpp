#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <stop_token>
#include <thread>

#include "tradewind/app.h"
#include "tradewind/services.h"
#include "tradewind/study_storage.h"
#include "training/search_run.h"

namespace tw::app {
namespace {

struct WorkerOptions {
  std::string study;
  std::string storage;
  std::string name;
  std::optional<std::int64_t> trials;
  double timeout = 0;
  int threads = 1;
  bool parent_pipe = false;
};

std::string WorkerName(const WorkerOptions& options) {
  if (!options.name.empty()) return options.name;
  std::array<char, 256> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host[0] = '?';
  return fmt::format("{}:{}", host.data(), ::getpid());
}

// Asks to stop when standard input closes: the process that started us is gone, however it ended.
class ParentWatch {
 public:
  explicit ParentWatch(std::stop_source stop)
      : thread_([stop = std::move(stop)](const std::stop_token& over) mutable {
          while (!over.stop_requested()) {
            pollfd input{STDIN_FILENO, POLLIN, 0};
            if (::poll(&input, 1, 200) <= 0) continue;
            char byte = 0;
            if (::read(STDIN_FILENO, &byte, 1) > 0) continue;
            stop.request_stop();
            return;
          }
        }) {}

 private:
  std::jthread thread_;
};

Status Work(AppContext& context, const WorkerOptions& options) {
  const Services services = TW_TRY(OpenServices(context));
  const training::TrainServices train = services.Train(context);
  const std::string url = TW_TRY(StorageUrl(context, options.storage));
  const training::SearchServices search{train, TW_TRY(OpenStudies(context, url))};

  std::stop_source stop;
  const std::stop_callback forward(context.stop(), [&stop] { stop.request_stop(); });
  std::optional<ParentWatch> parent;
  if (options.parent_pipe) parent.emplace(stop);
  training::WorkRequest request;
  request.study = options.study;
  request.worker = WorkerName(options);
  request.threads = options.threads;
  request.trials = options.trials;
  if (options.timeout > 0) request.timeout_seconds = options.timeout;
  request.on_trial = [&context](const hpo::FrozenTrial& trial) {
    context.Note(fmt::format(
        "trial {} {}{}", trial.number, hpo::NameOf(trial.state),
        trial.values.empty() ? std::string() : fmt::format(" {:.4f}", trial.values.front())));
  };
  const std::int64_t ended = TW_TRY(training::ServeSearch(request, search, stop.get_token()));
  if (stop.stop_requested()) {
    return Error{ErrorCode::kInterrupted,
                 fmt::format("{} trials are done; the running one is back in the queue: start the "
                             "worker again to go on",
                             ended)};
  }
  if (context.json()) {
    context.Print(nlohmann::ordered_json(
                      {{"study", options.study}, {"worker", request.worker}, {"trials", ended}})
                      .dump(2));
  } else {
    context.Print(fmt::format("{} trials of study '{}'", ended, options.study));
  }
  return {};
}

}  // namespace

void AddWorkerCommand(Command root, AppContext& context) {
  const auto options = std::make_shared<WorkerOptions>();
  Command command = AddCommand(
      root, context,
      {"worker", "Run trials of a study that `optimize` began, here or on another machine",
       "tradewind worker --study hourly-EURUSD-60min\n"
       "TRADEWIND_DB=postgresql://me:secret@db/hpo tradewind worker --study fx --threads 2\n"
       "tradewind worker --study fx --trials 10\n"},
      [&context, options] { return Work(context, *options); });
  command.Add("--study", options->study, "Name of the study").Required();
  command.Add("--storage", options->storage,
              "Database of the studies [$TRADEWIND_STORAGE, $TRADEWIND_DB or studies.db in "
              "the store directory]");
  command
      .Add("--trials", options->trials,
           "Run so many trials, new ones too (default: serve the queue to its end)")
      .Positive();
  command.Add("--timeout", options->timeout, "Start no trial after so many seconds").NotNegative();
  command.Add("--threads", options->threads, "Threads of each trial (default: 1)").Between(1, 256);
  command.Add("--name", options->name, "What the study calls this worker [host:process]");
  command
      .AddFlag("--parent-pipe", options->parent_pipe,
               "End, with the trial put back, when standard input closes")
      .Hidden();
}

}  // namespace tw::app
