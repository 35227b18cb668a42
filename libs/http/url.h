#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace god33::http {

// The bytes that percent-encoded text stands for (RFC 3986, section 2.1). InvalidArgument for a '%'
// without two hexadecimal digits behind it. The result may be any bytes, UTF-8 or not.
absl::StatusOr<std::string> PercentDecode(std::string_view text);

// Name and value, decoded.
using Parameters = std::vector<std::pair<std::string, std::string>>;

// A query string, "a=1&b=2", in its order and with its repetitions. As in HTML forms, '+' is a
// blank; a piece without '=' has an empty value, an empty piece is none. InvalidArgument names the
// parameter that can't be decoded, or is about "query" for one without a name.
absl::StatusOr<Parameters> ParseQuery(std::string_view query);

}  // namespace god33::http
