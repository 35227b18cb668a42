#pragma once

#include "http/server.h"

namespace god33::gateway {

// Gives a successful answer an ETag over its body, and turns it into 304 (Not Modified) if the client says
// (If-None-Match) that it has that body already. Only GET and HEAD.
void Tag(const http::Request& request, http::Response& response);

// Sends a longer answer's body gzipped to a client that accepts it (RFC 9110, 12.5.3).
void Compress(const http::Request& request, http::Response& response);

}  // namespace god33::gateway
