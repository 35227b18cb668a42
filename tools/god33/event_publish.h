#pragma once

#include <string>

#include "absl/status/status.h"
#include "tools/god33/new_event.h"
#include "tools/god33/session.h"

namespace god33::cli {

struct PublishOptions {
  EventDraft draft;  // all but the payload
  std::string json;  // where the payload comes from (input.h)
  std::string validate = "warn";
  std::string exchange = "bloodbank.events.v1";
  bool dry_run = false;
};

// Makes an event, publishes it on the broker of RABBITMQ_URL and waits until it is confirmed; then
// prints its id (as a table) or the whole envelope. With dry_run prints the envelope and needs no
// broker. Errors: InvalidArgument, PAYLOAD_INVALID with validate "strict" too; those of broker.h.
absl::Status PublishEvent(const PublishOptions& options, Session& session);

}  // namespace god33::cli
