#pragma once

#include <string_view>

#include "absl/status/status.h"
#include "base/error.h"
#include "base/strings.h"

// The errors of backend.h, in the App Server's case.

namespace god33::letta::app_server {

inline absl::Status Unavailable(std::string_view why) {
  return MakeError(absl::StatusCode::kUnavailable, "LETTA_UNAVAILABLE",
                   StrCat("no connection to the Letta App Server: ", why));
}

inline absl::Status Silent(std::string_view what) {
  return MakeError(absl::StatusCode::kDeadlineExceeded, "LETTA_SILENT",
                   StrCat("the Letta App Server did not answer ", what, " in time"));
}

inline absl::Status Refused(std::string_view words) {
  return MakeError(absl::StatusCode::kFailedPrecondition, "LETTA_REFUSED",
                   StrCat("the Letta App Server refused: ", Clip(words, 2000)));
}

inline absl::Status Unsupported(std::string_view words) {
  return MakeError(absl::StatusCode::kUnimplemented, "LETTA_UNSUPPORTED", words);
}

inline absl::Status AgentUnknown(std::string_view id) {
  return MakeError(absl::StatusCode::kNotFound, "AGENT_UNKNOWN",
                   StrCat("Letta knows no agent ", Clip(id, 200)));
}

inline absl::Status ConversationUnknown(std::string_view id) {
  return MakeError(absl::StatusCode::kNotFound, "CONVERSATION_UNKNOWN",
                   StrCat("Letta knows no conversation ", Clip(id, 200)));
}

}  // namespace god33::letta::app_server
