// The program's border: arguments, environment, clock and signals enter here and nowhere else.
#include <pthread.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <stop_token>
#include <string>
#include <thread>
#include <vector>

#include "tradewind/app.h"

namespace {

// Turns SIGINT and SIGTERM into a stop request: the first asks the command to save and return, the
// second quits at once. A thread waits for them, since almost nothing may be done inside a signal
// handler. Made before any other thread, so that all of them inherit the blocked mask.
class SignalWatcher {
 public:
  SignalWatcher() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    thread_ = std::thread([this] { Watch(); });
  }

  SignalWatcher(const SignalWatcher&) = delete;
  SignalWatcher& operator=(const SignalWatcher&) = delete;
  SignalWatcher(SignalWatcher&&) = delete;
  SignalWatcher& operator=(SignalWatcher&&) = delete;

  ~SignalWatcher() {
    closing_ = true;
    pthread_kill(thread_.native_handle(), SIGINT);
    thread_.join();
  }

  std::stop_token token() const { return source_.get_token(); }

 private:
  void Watch() {
    while (true) {
      int signal = 0;
      if (sigwait(&signals_, &signal) != 0 || closing_) return;
      if (source_.stop_requested()) ::_exit(130);
      constexpr std::string_view kNote =
          "\nstopping: saving what is done (once more to quit without saving)\n";
      [[maybe_unused]] const auto written = ::write(STDERR_FILENO, kNote.data(), kNote.size());
      source_.request_stop();
    }
  }

  sigset_t signals_{};
  std::stop_source source_;
  std::atomic<bool> closing_{false};
  std::thread thread_;
};

std::optional<std::string> Environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());  // nobody sets variables
  if (value == nullptr || *value == '\0') return std::nullopt;
  return value;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const SignalWatcher signals;
    const tw::SystemClock clock;
    tw::app::AppContext context({std::cout, std::cerr, clock, Environment, signals.token()});
    return tw::app::RunCommandLine(std::vector<std::string>(argv + 1, argv + argc), context);
  } catch (const std::exception& e) {
    std::cerr << "error: internal: " << e.what() << '\n';
    return 1;
  }
}
