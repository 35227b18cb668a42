#include "tools/god33/moment.h"

#include "base/error.h"
#include "tools/god33/time_spec.h"
#include "wire/proto.h"

namespace god33::cli {

absl::StatusOr<google::protobuf::Timestamp> ReadMoment(const char* flag, const std::string& text,
                                                       absl::Time now) {
  const auto moment = ParseMoment(text, now);
  if (!moment.ok()) return InvalidField(flag, MessageOf(moment.status()));
  // Whole microseconds, so that what is printed of it is exactly it.
  return wire::ToProto(absl::FromUnixMicros(absl::ToUnixMicros(*moment)));
}

}  // namespace god33::cli
