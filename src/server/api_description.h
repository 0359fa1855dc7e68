#pragma once

#include <string_view>

namespace tw::server {

/// docs/api/openapi.yaml as it was when this program was built.
std::string_view ApiDescription();

}  // namespace tw::server
