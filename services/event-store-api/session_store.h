#pragma once

#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "god33/store/v1/event_store.pb.h"
#include "services/event-store-api/event_store.h"
#include "services/event-store-api/log_point.h"
#include "services/event-store-api/query.h"
#include "services/event-store-api/reader.h"

namespace god33::api {

struct SessionQuery {
  std::string agent_type;
  std::string agent_id;
  std::string status;
  std::optional<Uuid> workflow;
  int limit = kDefaultLimit;
  std::string page_token;
  std::int64_t min_position = 0;

  std::string Fingerprint() const;
};

absl::StatusOr<SessionQuery> ReadQuery(const store::v1::ListSessionsRequest& request);

// Queries over the projection of agents' sessions. Thread-safe; calls block.
class SessionStore {
 public:
  explicit SessionStore(Reader& reader) : reader_(reader) {}

  // Fills the answer. Errors: INVALID_ARGUMENT about page_token; those of Reader.
  absl::Status List(const SessionQuery& query, store::v1::ListSessionsResponse& response);

  // `name` is a session's UUID or an agent's id, which means the session in which the agent was
  // active last. Fills `session`; returns where that was read. Errors: INVALID_ARGUMENT; NOT_FOUND
  // (SESSION_NOT_FOUND); those of Reader.
  absl::StatusOr<FoldedAt> Get(const std::string& name, std::int64_t min_position,
                               store::v1::AgentSession& session);

  // The id of the same session.
  absl::StatusOr<Uuid> Find(const std::string& name, std::int64_t min_position);

 private:
  Reader& reader_;
};

// The events in which a session's checkpoints were saved, newest first.
EventQuery CheckpointsOf(const Uuid& session);

// Requests for one session's events; whose they are is to be added, since the request may name an agent.
absl::StatusOr<EventQuery> ReadQuery(const store::v1::ListCheckpointsRequest& request);
absl::StatusOr<EventQuery> ReadQuery(const store::v1::ListSessionEventsRequest& request);

// What agent.letta.checkpoint.saved says; a field of an unexpected kind is left out.
void ToProto(const eventlog::StoredEvent& event, store::v1::Checkpoint& checkpoint);

}  // namespace god33::api
