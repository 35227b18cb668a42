#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "event/envelope.h"
#include "sequence/unit.h"
#include "wire/registry.h"

namespace god33::reaction {

// What a service says of an event that it decides on. The rest is the factory's.
struct EventDraft {
  std::string type;
  std::string payload;        // JSON text of an object
  std::vector<Uuid> parents;  // its causes; one that is given twice counts once
  std::optional<event::AgentContext> agent_context = std::nullopt;
  std::optional<Uuid> id = std::nullopt;  // for an id that the payload names, too; else a new one
};

// Makes a service's own events: with an id, the time of the making, and the service as source; marked as
// appended, so that the manager's relay publishes them once they are committed. Thread-safe.
class EventFactory {
 public:
  // `service`: source.app, e.g. "letta-bridge"; `host`: source.host.
  EventFactory(const std::string& service, const std::string& host,
               const wire::PayloadRegistry& registry, Clock& clock, IdSource& ids);

  // INTERNAL (EVENT_INVALID) when the draft is no event, or its payload breaks the schema of its type: that
  // is a mistake of the service, which must not get into the log.
  absl::StatusOr<sequence::NewEvent> Make(EventDraft draft) const;

 private:
  const event::Source source_;
  const wire::PayloadRegistry& registry_;
  Clock& clock_;
  IdSource& ids_;
};

}  // namespace god33::reaction
