#pragma once

#include <string_view>

namespace god33 {

// The protos with their comments: a serialized google.protobuf.FileDescriptorSet.
std::string_view ProtoDocumentation();

}  // namespace god33
