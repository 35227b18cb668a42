#pragma once

#include "absl/status/status.h"
#include "auth/principal.h"
#include "god33/store/v1/event_store.pb.h"
#include "services/event-store-api/answer_cache.h"
#include "services/event-store-api/event_store.h"
#include "services/event-store-api/session_store.h"
#include "services/event-store-api/turns.h"
#include "services/event-store-api/workflow_history.h"
#include "services/event-store-api/workflow_store.h"

namespace god33::api {

// Single events, workflows and sessions by their ids: from memory if they are there, else from the database.
// Thread-safe.
class Lookups {
 public:
  Lookups(EventStore& events, WorkflowStore& workflows, WorkflowHistory& history,
          SessionStore& sessions, AnswerCache& cache)
      : events_(events),
        workflows_(workflows),
        history_(history),
        sessions_(sessions),
        cache_(cache) {}

  // Fills the answer from memory. Never blocks; false: ask Read.
  bool Find(const store::v1::GetEventRequest& request, const auth::Principal& principal,
            store::v1::GetEventResponse& response);
  bool Find(const store::v1::GetWorkflowRequest& request, const auth::Principal& principal,
            store::v1::GetWorkflowResponse& response);
  bool Find(const store::v1::GetWorkflowStateRequest& request, const auth::Principal& principal,
            store::v1::GetWorkflowStateResponse& response);
  bool Find(const store::v1::GetSessionRequest& request, const auth::Principal& principal,
            store::v1::GetSessionResponse& response);

  // Fills it from the database and remembers it. Blocks. Errors: INVALID_ARGUMENT; those of the stores.
  absl::Status Read(const store::v1::GetEventRequest& request, const auth::Principal& principal,
                    store::v1::GetEventResponse& response);
  absl::Status Read(const store::v1::GetWorkflowRequest& request, const auth::Principal& principal,
                    store::v1::GetWorkflowResponse& response);
  absl::Status Read(const store::v1::GetWorkflowStateRequest& request,
                    const auth::Principal& principal,
                    store::v1::GetWorkflowStateResponse& response);
  absl::Status Read(const store::v1::GetSessionRequest& request, const auth::Principal& principal,
                    store::v1::GetSessionResponse& response);

 private:
  using Turn = Turns<AnswerKey>::Turn;

  // Of many who miss the same thing one reads it.
  Turn TurnFor(const AnswerKey& key, std::int64_t min_position);

  template <typename Response>
  absl::Status ReadWorkflow(const Uuid& id, std::int64_t min_position,
                            const auth::Principal& principal, Response& response);

  EventStore& events_;
  WorkflowStore& workflows_;
  WorkflowHistory& history_;
  SessionStore& sessions_;
  AnswerCache& cache_;
  Turns<AnswerKey> turns_;
};

}  // namespace god33::api
