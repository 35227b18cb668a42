#pragma once

#include <string>
#include <string_view>

#include "google/protobuf/descriptor.h"
#include "google/protobuf/descriptor_database.h"

namespace god33::transcode {

// The comments of protos, which compiled-in descriptors don't have. Each as one text: the lines of a
// paragraph are joined; empty for what has none or is not known. Not thread-safe.
class Comments {
 public:
  // `documented` is a serialized google.protobuf.FileDescriptorSet with source information.
  explicit Comments(std::string_view documented);

  std::string Of(const google::protobuf::MethodDescriptor& method) const;
  std::string Of(const google::protobuf::Descriptor& type) const;
  std::string Of(const google::protobuf::FieldDescriptor& field) const;

 private:
  google::protobuf::SimpleDescriptorDatabase database_;
  google::protobuf::DescriptorPool pool_{&database_};
};

}  // namespace god33::transcode
