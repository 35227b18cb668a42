#pragma once

#include <string>

#include "auth/principal.h"
#include "base/ids.h"
#include "http/server.h"

namespace god33::gateway {

// The request's id: the client's X-Request-Id if it is 1 to 128 characters of [A-Za-z0-9._-], else
// a new one.
std::string RequestId(const http::Headers& headers, IdSource& ids);

// What travels to a service with a call: the principal, x-request-id, the client's idempotency key and traceparent
// if it is well formed (W3C Trace Context, version 00). No other header of the client's is passed
// on, so nobody can claim to be someone by sending x-god33-* himself.
auth::Metadata CallMetadata(const auth::Principal& principal, const std::string& request_id,
                            const http::Headers& headers);

}  // namespace god33::gateway
