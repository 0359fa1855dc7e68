#include "base/error.h"

namespace tw {

int ExitCodeOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
    case ErrorCode::kConfig:
      return 2;
    case ErrorCode::kBadData:
      return 3;
    case ErrorCode::kExternal:
      return 4;
    case ErrorCode::kInterrupted:
      return 130;
    case ErrorCode::kNotFound:
    case ErrorCode::kExists:
    case ErrorCode::kIo:
    case ErrorCode::kBusy:
    case ErrorCode::kUnsupported:
      return 1;
  }
  return 1;
}

std::string_view NameOf(ErrorCode code) {
  switch (code) {
    case ErrorCode::kUsage:
      return "usage";
    case ErrorCode::kConfig:
      return "config";
    case ErrorCode::kBadData:
      return "bad_data";
    case ErrorCode::kNotFound:
      return "not_found";
    case ErrorCode::kExists:
      return "exists";
    case ErrorCode::kIo:
      return "io";
    case ErrorCode::kBusy:
      return "busy";
    case ErrorCode::kExternal:
      return "external";
    case ErrorCode::kInterrupted:
      return "interrupted";
    case ErrorCode::kUnsupported:
      return "unsupported";
  }
  return "unknown";
}

Error Error::WithContext(std::string_view context) const {
  return Error{code, std::string(context) + ": " + message};
}

}  // namespace tw
