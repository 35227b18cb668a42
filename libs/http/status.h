#pragma once

#include <string_view>

namespace god33::http {

// The reason phrase of an HTTP status as RFC 9110 names it ("Not Found"), also for 429, 431 and the
// 499 that proxies use for a client that went away. Empty for a status that this project never
// sends.
std::string_view ReasonPhrase(int status);

}  // namespace god33::http
