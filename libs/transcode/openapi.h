#pragma once

#include <string>
#include <string_view>

#include "transcode/route_table.h"

namespace god33::transcode {

// What the description says about the API as a whole.
struct OpenApiInfo {
  std::string title;
  std::string version;
  std::string description;
};

// The description of all routes in the table as an OpenAPI 3.1 document: what ReadRequest takes and
// JsonWriter writes, worded with the comments of the protos, errors as problem+json.
// `documented` is a serialized google.protobuf.FileDescriptorSet with source information, of which the
// comments are taken; types that it does not have go without.
std::string WriteOpenApi(const RouteTable& table, const OpenApiInfo& info,
                         std::string_view documented);

}  // namespace god33::transcode
