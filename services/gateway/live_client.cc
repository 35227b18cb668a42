#include "services/gateway/live_client.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "services/gateway/live_frames.h"

namespace god33::gateway {
namespace {

using store::v1::StreamEventsResponse;

constexpr char kWebSocket[] = "websocket";
constexpr char kSse[] = "sse";

class WebSocketClient final : public LiveClient {
 public:
  explicit WebSocketClient(LiveMetrics& metrics) : metrics_(metrics) {}

  void Begin(Exchange& exchange, LiveClientEvents events) override {
    metrics_.Opened(kWebSocket);
    socket_ = exchange.Upgrade(
        {.message = std::move(events.message),
         .gone = [&metrics = metrics_, gone = std::move(events.gone)](int code) mutable {
           metrics.Closed(kWebSocket, code);
           std::move(gone)(code);
         }});
  }

  bool Send(const StreamEventsResponse& response, http::Written written) override {
    metrics_.Sent(kWebSocket, TypeOf(response));
    return socket_->Send(FrameOf(response), std::move(written));
  }

  bool SendText(std::string frame, const char* type) override {
    metrics_.Sent(kWebSocket, type);
    return socket_->Send(std::move(frame), nullptr);
  }

  void Close(int code, const std::string& reason) override { socket_->Close(code, reason); }

 private:
  LiveMetrics& metrics_;
  std::unique_ptr<http::WebSocket> socket_;
};

// Server-sent events (WHATWG HTML, section 9.2). The id is where to go on: an EventSource sends the last
// one when it connects again. A block of an id alone moves that on without being an event.
class SseClient final : public LiveClient {
 public:
  explicit SseClient(LiveMetrics& metrics) : metrics_(metrics) {}

  void Begin(Exchange& exchange, LiveClientEvents events) override {
    metrics_.Opened(kSse);
    stream_ = exchange.Stream(
        {.headers = {{"Content-Type", "text/event-stream; charset=utf-8"},
                     {"Cache-Control", "no-store"},
                     {"X-Accel-Buffering", "no"}}},
        [gone = std::move(events.gone)]() mutable { std::move(gone)(http::kCloseGoingAway); });
  }

  bool Send(const StreamEventsResponse& response, http::Written written) override {
    metrics_.Sent(kSse, TypeOf(response));
    std::string block;
    switch (response.frame_case()) {
      case StreamEventsResponse::kEvent:
        block = StrCat("id: ", IdOf(response), "\nevent: event\n");
        AppendData(block, FrameOf(response));
        break;
      case StreamEventsResponse::kHeartbeat:
        block = StrCat(": heartbeat\nid: ", IdOf(response), "\n\n");
        break;
      default:
        block = StrCat("retry: 1000\n: subscribed\nid: ", IdOf(response), "\n\n");
    }
    return stream_->Write(std::move(block), std::move(written));
  }

  bool SendText(std::string frame, const char* type) override {
    metrics_.Sent(kSse, type);
    std::string block = StrCat("event: ", type, "\n");
    AppendData(block, frame);
    return stream_->Write(std::move(block), nullptr);
  }

  void Close(int code, const std::string& /*reason*/) override {
    metrics_.Closed(kSse, code);
    stream_->Close();
  }

 private:
  // Where to go on: "7", or behind a late event "7.5" (live_request reads it).
  static std::string IdOf(const StreamEventsResponse& response) {
    return response.within() > 0 ? StrCat(response.position(), ".", response.within())
                                 : StrCat(response.position());
  }

  // JSON may be broken into lines outside its strings; each line is a field then.
  static void AppendData(std::string& block, std::string_view frame) {
    block.reserve(block.size() + frame.size() + 16);
    block.append("data: ");
    for (std::size_t at = 0; at < frame.size();) {
      const std::size_t end = std::min(frame.find_first_of("\r\n", at), frame.size());
      block.append(frame.substr(at, end - at));
      if (end < frame.size()) block.append("\ndata: ");
      at = end + 1;
    }
    block.append("\n\n");
  }

  LiveMetrics& metrics_;
  std::unique_ptr<http::BodyStream> stream_;
};

}  // namespace

std::unique_ptr<LiveClient> MakeWebSocketClient(LiveMetrics& metrics) {
  return std::make_unique<WebSocketClient>(metrics);
}

std::unique_ptr<LiveClient> MakeSseClient(LiveMetrics& metrics) {
  return std::make_unique<SseClient>(metrics);
}

}  // namespace god33::gateway
