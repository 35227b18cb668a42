#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "http/url.h"
#include "transcode/route_table.h"

namespace god33::transcode {

// Fills the empty request message of a matched route (match.route is not null) from the request's
// path, query and body, after google/api/http.proto:
//  - the body is JSON (see ReadJson) for the whole message or for one field, as the route says. An
//  empty
//    one gives nothing; where the route takes none, any body is an error.
//  - a query parameter is a field that is a single value or a list of such, "limit" or
//  "source.app", by
//    its name in the proto; see SetFromText. A list is given by repeating the parameter. A blank in
//    a time is a '+' that was not escaped.
//  - what the path gives must not be given otherwise in the body.
// InvalidArgument with the field's name for a parameter that is unknown, given twice for a single
// value, or given by path or body already, and for a value that can't be read. Empty text is an
// empty string, and an error for all other types.
absl::Status ReadRequest(const Match& match, const http::Parameters& query, std::string_view body,
                         google::protobuf::Message& message);

}  // namespace god33::transcode
