#pragma once

#include <google/protobuf/descriptor.h>

#include <string>
#include <string_view>
#include <vector>

#include "transcode/route_table.h"

namespace god33::transcode {

// What the description says about the API as a whole.
struct OpenApiInfo {
  std::string title;
  std::string version;
  std::string description;
};

// A GET that no annotation makes, e.g. one whose answer is a stream. Texts in JSON must be valid.
struct HandMadeRoute {
  std::string path;  // as it stands in a URL
  std::string operation_id;
  std::string tag;
  std::string summary;
  std::string description;

  // Its fields are parameters of the query. Null: there are none.
  const google::protobuf::Descriptor* query = nullptr;

  // An array of further parameters, the object of its responses (those for errors are added), and an object
  // of what else belongs to the operation.
  std::string parameters = "[]";
  std::string responses = "{}";
  std::string members = "{}";

  // An object of schemas by their names, and the messages whose schemas they, or the above, refer to.
  std::string schemas = "{}";
  std::vector<const google::protobuf::Descriptor*> refers_to;
};

// The description of all routes, those of the table and those made by hand, as an OpenAPI 3.1 document: what
// ReadRequest takes and JsonWriter writes, worded with the comments of the protos, errors as problem+json.
// `documented` is a serialized google.protobuf.FileDescriptorSet with source information, of which the
// comments are taken; types that it does not have go without.
std::string WriteOpenApi(const RouteTable& table, const std::vector<HandMadeRoute>& hand_made,
                         const OpenApiInfo& info, std::string_view documented);

}  // namespace god33::transcode
