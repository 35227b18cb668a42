#pragma once

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>

#include <string>

namespace god33::gateway {

// What operators can see of live connections. `transport` is websocket or sse. Thread-safe.
class LiveMetrics {
 public:
  explicit LiveMetrics(prometheus::Registry& registry);

  void Opened(const std::string& transport) { open_.Add({{"transport", transport}}).Increment(); }
  void Sent(const std::string& transport, const std::string& type) {
    sent_.Add({{"transport", transport}, {"type", type}}).Increment();
  }

  // `code` is that of the WebSocket's end, or what an event stream would have ended with.
  void Closed(const std::string& transport, int code);

 private:
  prometheus::Family<prometheus::Gauge>& open_;
  prometheus::Family<prometheus::Counter>& sent_;
  prometheus::Family<prometheus::Counter>& closed_;
};

}  // namespace god33::gateway
