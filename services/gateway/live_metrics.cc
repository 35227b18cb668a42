#include "services/gateway/live_metrics.h"

namespace god33::gateway {

LiveMetrics::LiveMetrics(prometheus::Registry& registry)
    : open_(prometheus::BuildGauge()
                .Name("god33_live_connections")
                .Help("Clients that follow events now")
                .Register(registry)),
      sent_(prometheus::BuildCounter()
                .Name("god33_live_frames_total")
                .Help("Frames handed to live clients")
                .Register(registry)),
      closed_(prometheus::BuildCounter()
                  .Name("god33_live_closed_total")
                  .Help("Live connections that ended, by WebSocket close code")
                  .Register(registry)) {}

void LiveMetrics::Closed(const std::string& transport, int code) {
  open_.Add({{"transport", transport}}).Decrement();
  // Clients may make up codes; those of the registry are kept apart.
  const bool known = code >= 1000 && code <= 1015;
  closed_.Add({{"transport", transport}, {"code", known ? std::to_string(code) : "other"}})
      .Increment();
}

}  // namespace god33::gateway
