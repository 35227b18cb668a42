#pragma once

#include <string>

#include "json/value.h"

namespace god33::json {

// What a member with the value null counts as.
enum class Nulls {
  kKeep,  // a member like any other
  kDrop,  // as if it weren't there, on every level
};

// Appends a form of `value` that is the same for two texts exactly if they are the same JSON value:
// member order, blanks, and the way characters are escaped or numbers are written (1e2, 100, 100.0)
// make no difference; every digit does. Members of one key keep their order among themselves. (An
// exponent beyond 2^60 is out of arithmetic's reach and counts as it is written, except that of zero.)
// Not JSON, and not for storing: it exists to be hashed.
void AppendCanonical(std::string& out, const Value& value, Nulls nulls);

}  // namespace god33::json
