#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "google/protobuf/timestamp.pb.h"

namespace god33::cli {

// A point in time as users write it (time_spec.h), for a request. InvalidArgument names the flag.
absl::StatusOr<google::protobuf::Timestamp> ReadMoment(const char* flag, const std::string& text,
                                                       absl::Time now);

}  // namespace god33::cli
