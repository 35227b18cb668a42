#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "google/protobuf/message.h"
#include "google/protobuf/timestamp.pb.h"

namespace god33::cli {

// RFC 3339 in UTC.
std::string TextOf(const google::protobuf::Timestamp& time);

// The lines of a JSON text, or of a message's JSON, laid out for people; unsafe characters escaped.
std::vector<std::string> JsonLines(std::string_view json);
std::vector<std::string> JsonLines(const google::protobuf::Message& message);

// The texts of a repeated field.
template <typename Texts>
std::vector<std::string> LinesOf(const Texts& texts) {
  return {texts.begin(), texts.end()};
}

}  // namespace god33::cli
