#include "tools/god33/text.h"

#include "absl/strings/str_split.h"
#include "base/timestamp.h"
#include "tools/god33/json_layout.h"
#include "transcode/json_writer.h"

namespace god33::cli {

std::string TextOf(const google::protobuf::Timestamp& time) {
  return FormatTimestamp(absl::FromUnixSeconds(time.seconds()) + absl::Nanoseconds(time.nanos()));
}

std::vector<std::string> JsonLines(std::string_view json) {
  return absl::StrSplit(IndentJson(json, Unsafe::kEscape), '\n');
}

std::vector<std::string> JsonLines(const google::protobuf::Message& message) {
  std::string json;
  transcode::JsonWriter(*message.GetDescriptor()).Append(json, message);
  return JsonLines(json);
}

}  // namespace god33::cli
