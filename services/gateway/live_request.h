#pragma once

#include <optional>
#include <string_view>

#include "absl/status/statusor.h"
#include "god33/store/v1/stream.pb.h"
#include "http/server.h"

namespace god33::gateway {

// What a client of /api/v1/events/stream asks for by its query: event_type or event_types (each may
// repeat), workflow_id, correlation_id, agent_id, project, after. With `resume`, Last-Event-ID, the
// position that an EventSource sends when it connects again, wins over `after`. InvalidArgument names the
// parameter.
absl::StatusOr<store::v1::StreamEventsRequest> ReadLiveQuery(const http::Request& request,
                                                             bool resume);

// What a client says on a WebSocket:
//   {"type":"subscribe","filters":{"event_types":[...],"workflow_id":...,...},"after":N}
//   {"type":"ping"}
struct ClientFrame {
  std::optional<store::v1::StreamEventsRequest> subscribe;  // else it is a ping
};

// InvalidArgument names the member at fault. The store checks the filters themselves.
absl::StatusOr<ClientFrame> ReadClientFrame(std::string_view text);

}  // namespace god33::gateway
