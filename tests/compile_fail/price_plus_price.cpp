// Two prices can be subtracted, never added.
#include "market/price.h"

namespace tw {

#ifdef TW_WRONG
Price Wrong(Price a, Price b) { return a + b; }
#else
Price Right(Price a, PriceDelta b) { return a + b; }
#endif

}  // namespace tw
