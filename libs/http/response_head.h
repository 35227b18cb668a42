#pragma once

#include <string>

#include "absl/time/time.h"
#include "http/server.h"

namespace god33::http {

// What the server adds to an answer.
struct Framing {
  bool close = false;   // the connection ends with this answer
  bool http10 = false;  // the client speaks HTTP/1.0, which must be told to keep a connection
  bool chunked =
      false;  // the body comes in chunks; else, without a length, up to the connection's end
  bool streamed = false;  // the body's length is not known
  absl::Time date;
};

// Whether an answer of this status has a body at all (RFC 9110, section 6.4.1).
bool MayHaveBody(int status);

// The status line and headers, up to and with the empty line. Control characters in a handler's
// headers become blanks, so that no text from outside can forge a header; headers that the server
// sets itself are dropped.
std::string ResponseHead(const Response& response, const Framing& framing);

}  // namespace god33::http
