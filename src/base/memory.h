#pragma once

namespace tw {

/// Gives memory that was freed back to the system, where the allocator still holds it. Takes
/// milliseconds: for the end of work that needed very much.
void ReturnFreeMemory();

}  // namespace tw
