#include "sim/observation.h"

namespace tw::sim {

rl::ActionSpace MakeActionSpace(ActionKind kind) {
  if (kind == ActionKind::kDiscrete)
    return {.kind = rl::ActionSpace::Kind::kDiscrete, .n = 3, .low = {}, .high = {}};
  return {.kind = rl::ActionSpace::Kind::kBox, .n = 0, .low = {-1.0F}, .high = {1.0F}};
}

}  // namespace tw::sim
