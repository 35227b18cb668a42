#pragma once

#include <memory>
#include <string>

#include "absl/functional/any_invocable.h"
#include "god33/store/v1/stream.pb.h"
#include "http/body_stream.h"
#include "http/web_socket.h"
#include "services/gateway/exchange.h"
#include "services/gateway/live_metrics.h"

namespace god33::gateway {

// What a client of live events does. Both run on a server thread.
struct LiveClientEvents {
  absl::AnyInvocable<void(std::string text)> message;  // WebSockets only
  absl::AnyInvocable<void(int code) &&> gone;
};

// The way to one client of live events: a WebSocket or an event stream. One call at a time, after Begin.
class LiveClient {
 public:
  virtual ~LiveClient() = default;

  // Accepts the request that `exchange` is.
  virtual void Begin(Exchange& exchange, LiveClientEvents events) = 0;

  // A frame of the store's. `written` runs once the next one may follow. False when too much waits.
  [[nodiscard]] virtual bool Send(const store::v1::StreamEventsResponse& response,
                                  http::Written written) = 0;

  // A frame of the gateway's: see live_frames.h.
  [[nodiscard]] virtual bool SendText(std::string frame, const char* type) = 0;

  // Ends it, behind what was sent. To be called once, unless a WebSocket is gone already; an event
  // stream that is gone needs it, too.
  virtual void Close(int code, const std::string& reason) = 0;
};

std::unique_ptr<LiveClient> MakeWebSocketClient(LiveMetrics& metrics);
std::unique_ptr<LiveClient> MakeSseClient(LiveMetrics& metrics);

}  // namespace god33::gateway
