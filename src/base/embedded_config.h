#pragma once

#include <optional>
#include <span>
#include <string_view>

namespace tw {

/// The text of a file of config/ as it was when this binary was built, by its path below config/
/// ("instruments.yaml", "styles/intraday.yaml"); nothing when there is none. Lives as long as the
/// process. Whoever calls it links tw_config_data (config/CMakeLists.txt generates it).
std::optional<std::string_view> EmbeddedConfig(std::string_view relative_path);

/// The paths of all embedded files, sorted.
std::span<const std::string_view> EmbeddedConfigNames();

}  // namespace tw
