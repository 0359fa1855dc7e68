#include "rl/state_codec.h"

#include <fmt/format.h>

namespace tw::rl {

Result<void> StateReader::Finish() const {
  if (broken_) return Error{ErrorCode::kBadData, "the state is cut off or of another shape"};
  if (!bytes_.empty())
    return Error{ErrorCode::kBadData,
                 fmt::format("the state has {} bytes too many", bytes_.size())};
  return {};
}

}  // namespace tw::rl
