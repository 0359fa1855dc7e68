#include "base/memory.h"

#include <malloc.h>

namespace tw {

void ReturnFreeMemory() {
#ifdef __GLIBC__
  ::malloc_trim(0);
#endif
}

}  // namespace tw
