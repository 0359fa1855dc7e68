#pragma once

#include <string>
#include <string_view>
#include <utility>

namespace tw {

/// What went wrong, as coarse as a caller needs to decide; the message says the rest.
enum class ErrorCode {
  kUsage,        // the command line or an argument is off
  kConfig,       // a config file or an override is off; the message names file, line and path
  kBadData,      // data from outside cannot be used; the message names file, row, value and limit
  kNotFound,     // a named thing (instrument, run, model, file) is not there
  kExists,       // it is there already and must not be replaced
  kIo,           // the operating system refused: disk full, permission
  kBusy,         // somebody else holds the lock
  kExternal,     // a service outside this process failed
  kInterrupted,  // asked to stop; the work can be resumed
  kUnsupported,  // understood but not possible here
};

/// Stable exit codes of the command line: 1 failed, 2 usage or config, 3 bad data, 4 external
/// service, 130 interrupted and resumable.
int ExitCodeOf(ErrorCode code);

std::string_view NameOf(ErrorCode code);

struct Error {
  ErrorCode code = ErrorCode::kBadData;
  std::string message;

  /// The same error with `context` and ": " in front, as it goes up the call chain.
  Error WithContext(std::string_view context) const;
};

/// Of input from outside that is not as it should be.
inline Error BadData(std::string message) { return {ErrorCode::kBadData, std::move(message)}; }

}  // namespace tw
