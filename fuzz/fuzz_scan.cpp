// The smallest parsers: decimals, times, zones. What they accept agrees with the general parsers
// and reads back.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "market/price.h"
#include "store/import/decimal_scan.h"
#include "store/import/source_zone.h"
#include "store/import/stamp.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data + 1), size - 1);
  std::int64_t micros = 0;
  if (tw::store::ScanMicros(text, '.', micros)) {
    const auto general = tw::ParseMicros(text);
    if (general.ok()) TW_CHECK(*general == micros, "{} or {}", *general, micros);
    std::int64_t again = 0;
    TW_CHECK(tw::store::ScanMicros(tw::FormatMicros(micros), '.', again) && again == micros,
             "{} does not read back", micros);
  }
  double volume = 0;
  if (tw::store::ScanVolume(text, '.', volume)) TW_CHECK(volume >= 0, "volume {}", volume);
  const auto form = static_cast<tw::store::DateForm>(data[0] % 9);
  tw::store::StampReader reader(form);
  tw::store::Stamp stamp;
  if (reader.Read(text, stamp) && stamp.nanos >= 0) {
    tw::store::Stamp again;
    TW_CHECK(
        reader.Read(tw::store::FormatStamp(form, stamp.nanos), again) && again.nanos == stamp.nanos,
        "{} does not read back", stamp.nanos);
  }
  const std::size_t half = text.size() / 2;
  reader.Read(text.substr(0, half), text.substr(half), stamp);
  // IANA names are looked up in the system's files: only names without a path go there.
  if (text.substr(0, 3) == "UTC" || text == "nyclose") {
    const auto zone = tw::store::SourceZone::Parse(text);
    if (zone.ok())
      TW_CHECK(tw::store::SourceZone::Parse(zone->name())->name() == zone->name(), "zone {}",
               zone->name());
  }
  return 0;
}
