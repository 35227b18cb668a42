#include "transcode/comments.h"

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"
#include "google/protobuf/descriptor.pb.h"

namespace god33::transcode {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::MethodDescriptor;

template <typename T>
std::string Read(const T* documented) {
  google::protobuf::SourceLocation location;
  if (documented == nullptr || !documented->GetSourceLocation(&location)) return "";
  std::string text;
  bool paragraph = false;
  for (const absl::string_view line : absl::StrSplit(location.leading_comments, '\n')) {
    const absl::string_view words = absl::StripAsciiWhitespace(line);
    if (words.empty()) {
      paragraph = !text.empty();
      continue;
    }
    if (!text.empty()) text.append(paragraph ? "\n\n" : " ");
    text.append(words.data(), words.size());
    paragraph = false;
  }
  return text;
}

}  // namespace

Comments::Comments(std::string_view documented) {
  google::protobuf::FileDescriptorSet files;
  files.ParseFromArray(documented.data(), static_cast<int>(documented.size()));
  for (const auto& file : files.file()) database_.Add(file);
}

std::string Comments::Of(const MethodDescriptor& method) const {
  return Read(pool_.FindMethodByName(method.full_name()));
}

std::string Comments::Of(const Descriptor& type) const {
  return Read(pool_.FindMessageTypeByName(type.full_name()));
}

std::string Comments::Of(const FieldDescriptor& field) const {
  return Read(pool_.FindFieldByName(field.full_name()));
}

}  // namespace god33::transcode
