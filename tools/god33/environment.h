#pragma once

#include <string>
#include <string_view>

namespace god33::cli {

// The value of an environment variable; `otherwise` if it is not set or empty.
std::string Variable(const char* name, std::string_view otherwise = {});

// This host's; "unknown" if it has none.
std::string HostName();

}  // namespace god33::cli
