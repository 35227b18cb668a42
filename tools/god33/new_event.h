#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "event/envelope.h"

namespace god33::cli {

// The store makes a dead letter of a larger message (event-store-manager --max-event-bytes).
inline constexpr std::size_t kMaxEventBytes = 16 << 20;

// What a user says about an event to be published, in UTF-8; everything but type and payload may be
// empty, which is not given.
struct EventDraft {
  std::string type;
  std::string payload;  // JSON text of an object
  std::string id;
  std::string time;
  std::vector<std::string> parents;
  std::string source_host;
  std::string source_type;
  std::string source_app;
  std::string source_meta;  // JSON text of an object
  std::string agent_type;
  std::string agent_name;
  std::string agent_instance;
  std::string checkpoint_id;
};

// Story 010's publish_event: completes a draft with a new time-ordered id, the time, and as source
// an agent of the app god33 on `host`. The payload's text stays as it is; of equal parents one
// stays, and the event is not its own. InvalidArgument names the argument of `god33 event publish`
// at fault.
absl::StatusOr<event::Envelope> MakeEnvelope(const EventDraft& draft, const std::string& host,
                                             Clock& clock, IdSource& ids);

// The message for the bus. InvalidArgument if the store would make a dead letter of it: it is too
// large (TOO_LARGE), or not what the store reads.
absl::StatusOr<std::string> MakeMessage(const event::Envelope& envelope);

}  // namespace god33::cli
