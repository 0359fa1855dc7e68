#include "market/currency.h"

#include <fmt/format.h>

#include "market/price.h"

namespace tw {

Result<Currency> Currency::Parse(std::string_view text) {
  Currency out;
  bool good = text.size() == 3;
  for (std::size_t i = 0; good && i < 3; ++i) {
    char letter = text[i];
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
    good = letter >= 'A' && letter <= 'Z';
    out.code_[i] = letter;
  }
  if (!good)
    return Error{ErrorCode::kBadData,
                 fmt::format("'{}' is no currency; wanted three letters", text)};
  return out;
}

std::string Money::ToDecimal() const { return FormatMicros(micros, 2); }

}  // namespace tw
