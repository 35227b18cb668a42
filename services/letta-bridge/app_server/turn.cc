#include "services/letta-bridge/app_server/turn.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"
#include "base/strings.h"
#include "services/letta-bridge/app_server/errors.h"
#include "services/letta-bridge/app_server/message.h"
#include "services/letta-bridge/app_server/question.h"

namespace god33::letta::app_server {
namespace {

// A message may come in very many pieces; beyond this the rest is left to the list of messages.
constexpr std::size_t kMostText = 16 << 20;

constexpr std::size_t kMostCalls = 1000;

}  // namespace

Turn::Turn(Runtime runtime, const std::vector<ToolSpec>& tools) : runtime_(std::move(runtime)) {
  for (const ToolSpec& tool : tools) tools_.insert(tool.name);
}

bool Turn::Attached() {
  if (busy_ && !idle_) {
    phase_ = Phase::kRunning;
    return true;
  }
  Drop();
  return false;
}

void Turn::Expect(std::string request_id, std::string marker) {
  phase_ = Phase::kSent;
  request_id_ = std::move(request_id);
  marker_ = std::move(marker);
  queue_item_.clear();
  answer_.reset();
  tokens_ = 0;
  error_.clear();
  accepted_ = busy_ = idle_ = false;
}

std::optional<absl::Status> Turn::TakeAnswer() {
  return std::exchange(answer_, std::nullopt);
}

void Turn::Feed(const Frame& frame) {
  const std::string& type = frame.type();
  if (type == "input_accepted") return FeedAnswer(frame);
  if (type == "update_queue") return FeedQueue(frame);
  if (type == "update_loop_status") return FeedStatus(frame);
  if (type == "control_request") return FeedPermission(frame);
  if (type == "external_tool_call_request") return FeedToolCall(frame);
  if (type == "turn_finished") return FeedFinish(frame);
  if (type != "stream_delta") return;
  if (const auto delta = ObjectOf(frame.body(), "delta")) FeedDelta(*delta);
}

void Turn::FeedAnswer(const Frame& frame) {
  // Others are to answers of permission requests, which may be too late.
  if (phase_ != Phase::kSent || frame.request_id() != request_id_) return;
  if (!IsTrue(frame.body(), "accepted")) {
    phase_ = Phase::kIdle;
    answer_ = Refused(TextOf(frame.body(), "error"));
    return;
  }
  accepted_ = true;
  answer_ = absl::OkStatus();
  if (TextOf(frame.body(), "disposition") != "queued") Run();
}

void Turn::FeedQueue(const Frame& frame) {
  if (phase_ != Phase::kSent) return;
  for (const json::Value item : ElementsOf(frame.body(), "queue")) {
    if (item.is_object() && TextOf(item, "client_message_id") == marker_) {
      queue_item_ = TextOf(item, "id");
    }
  }
  for (const json::Value item : ElementsOf(frame.body(), "removed")) {
    if (!item.is_object() || TextOf(item, "client_message_id") != marker_) continue;
    if (TextOf(item, "disposition") == "dequeued") return Run();
    return End(TurnFinished::Why::kAborted, "");
  }
}

void Turn::FeedStatus(const Frame& frame) {
  const auto state = ObjectOf(frame.body(), "loop_status");
  if (!state || !takes_calls()) return;
  const bool waits = TextOf(*state, "status") == "WAITING_ON_INPUT";
  if (!waits) busy_ = true;
  // Before its first work a turn is reported as waiting, too.
  idle_ = waits && busy_;
}

void Turn::FeedDelta(json::Value delta) {
  const std::string type = TextOf(delta, "message_type");
  if (type == "user_message") {
    if (phase_ == Phase::kSent && TextOf(delta, "otid") == marker_) Run();
    return;
  }
  if (phase_ != Phase::kRunning) return;
  if (type == "assistant_message" || type == "approval_request_message" ||
      type == "tool_call_message") {
    return Join(ReadMessage(delta));
  }
  Flush();
  if (type == "tool_return_message") {
    Message result = ReadMessage(delta);
    // A call that the server has answered by itself, such as after five minutes, is open no more.
    if (const auto call = calls_.find(result.tool_call_id); call != calls_.end()) {
      answered_.push_back(call->second.request_id);
      calls_.erase(call);
    }
    Join(std::move(result));
    Flush();
  } else if (type == "usage_statistics") {
    tokens_ += std::max<std::int64_t>(0, IntOf(delta, "total_tokens"));
  } else if (type == "error_message") {
    error_ = Clip(TextOf(delta, "message"), 2000);
  } else if (type == "loop_error" && error_.empty()) {
    error_ = Clip(TextOf(delta, "message"), 2000);
  }
}

void Turn::Join(Message piece) {
  const bool goes_on = pending_ && pending_->kind == piece.kind && pending_->id == piece.id &&
                       pending_->tool_call_id == piece.tool_call_id &&
                       piece.kind == Message::Kind::kAnswer;
  if (!goes_on) {
    Flush();
    pending_ = std::move(piece);
  } else if (pending_->text.size() + piece.text.size() <= kMostText) {
    pending_->text += piece.text;
  }
}

void Turn::Flush() {
  if (!pending_) return;
  // Other messages than answers get an id only when they are listed.
  if (pending_->kind != Message::Kind::kAnswer) pending_->id.clear();
  Push(MessageSeen{.message = *std::exchange(pending_, std::nullopt)});
}

void Turn::FeedPermission(const Frame& frame) {
  const auto request = ObjectOf(frame.body(), "request");
  if (!request || frame.request_id().empty()) return;
  Flush();
  const std::string tool = TextOf(*request, "tool_name");
  const std::string call_id = TextOf(*request, "tool_call_id");
  if (!takes_calls()) return Decide(frame.request_id(), false, "no turn is under way");
  if (tools_.contains(tool)) return Decide(frame.request_id(), true, "");
  if (tool != kQuestionTool) {
    return Decide(
        frame.request_id(), false,
        StrCat("There is no tool ", Clip(tool, 100), " here. You may call: ", Offered(), "."));
  }
  const auto input = ObjectOf(*request, "input");
  if (calls_.contains(call_id) || calls_.size() >= kMostCalls) return;
  calls_[call_id] = {.request_id = frame.request_id(), .question = true};
  Push(ToolCall{.call_id = call_id,
                .name = tool,
                .arguments = input ? QuestionArguments(*input) : "{}",
                .question = true});
}

void Turn::FeedToolCall(const Frame& frame) {
  if (frame.request_id().empty()) return;
  Flush();
  const std::string tool = TextOf(frame.body(), "tool_name");
  const std::string call_id = TextOf(frame.body(), "tool_call_id");
  if (!takes_calls()) return FailCall(frame.request_id(), "no turn is under way");
  if (!tools_.contains(tool)) return FailCall(frame.request_id(), "there is no such tool");
  if (calls_.contains(call_id) || calls_.size() >= kMostCalls) {
    return FailCall(frame.request_id(), "too many calls, or one twice");
  }
  const auto input = ObjectOf(frame.body(), "input");
  calls_[call_id] = {.request_id = frame.request_id()};
  Push(ToolCall{
      .call_id = call_id, .name = tool, .arguments = input ? std::string(input->text()) : "{}"});
}

void Turn::FeedFinish(const Frame& frame) {
  if (phase_ == Phase::kAttaching) {
    busy_ = false;
    return;
  }
  // While the input waits it is the end of a turn before it.
  if (phase_ != Phase::kRunning) return;
  const std::string reason = TextOf(frame.body(), "stop_reason");
  if (const auto usage = ObjectOf(frame.body(), "usage"); usage && tokens_ == 0) {
    tokens_ = std::max<std::int64_t>(0, IntOf(*usage, "total_tokens"));
  }
  if (reason == "end_turn") return End(TurnFinished::Why::kEnded, "");
  if (reason == "cancelled") return End(TurnFinished::Why::kAborted, "");
  if (error_.empty()) error_ = Clip(TextOf(frame.body(), "error"), 2000);
  End(TurnFinished::Why::kFailed, error_.empty() ? reason : StrCat(reason, ": ", error_));
}

void Turn::Finish() {
  if (!ending()) return;
  End(error_.empty() ? TurnFinished::Why::kAborted : TurnFinished::Why::kFailed, error_);
}

void Turn::Run() {
  phase_ = Phase::kRunning;
  busy_ = idle_ = false;
}

void Turn::End(TurnFinished::Why why, std::string detail) {
  Flush();
  calls_.clear();
  phase_ = Phase::kIdle;
  Push(TurnFinished{.why = why, .detail = std::move(detail), .tokens = tokens_});
}

void Turn::Drop() {
  for (const auto& [id, call] : calls_) {
    if (!call.question) FailCall(call.request_id, "the turn was aborted");
  }
  calls_.clear();
  pending_.reset();
  events_.clear();
  queue_item_.clear();
  phase_ = Phase::kIdle;
}

absl::StatusOr<std::string> Turn::Answer(const std::string& call_id, const ToolResult& result) {
  const auto found = calls_.find(call_id);
  if (found == calls_.end()) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "LETTA_REFUSED",
                     StrCat("the call ", Clip(call_id, 200), " waits for no answer"));
  }
  const Call call = std::move(found->second);
  calls_.erase(found);
  if (call.question) {
    Decide(call.request_id, false, result.text);
    std::string frame = std::move(frames_.back());
    frames_.pop_back();
    return frame;
  }
  answered_.push_back(call.request_id);
  return Command("external_tool_call_response", call.request_id, [&](json::Writer& writer) {
    writer.Key("result");
    writer.BeginObject();
    writer.Key("content");
    writer.BeginArray();
    writer.BeginObject();
    WriteMember(writer, "type", "text");
    WriteMember(writer, "text", result.text);
    writer.EndObject();
    writer.EndArray();
    writer.Key("is_error");
    writer.Bool(result.is_error);
    writer.EndObject();
  });
}

std::optional<TurnEvent> Turn::NextEvent() {
  if (events_.empty()) return std::nullopt;
  TurnEvent event = std::move(events_.front());
  events_.pop_front();
  return event;
}

std::vector<std::string> Turn::TakeFrames() {
  return std::exchange(frames_, {});
}

std::vector<std::string> Turn::TakeAnswered() {
  return std::exchange(answered_, {});
}

void Turn::Push(TurnEvent event) {
  events_.push_back(std::move(event));
}

void Turn::Decide(const std::string& request_id, bool allow, std::string_view message) {
  frames_.push_back(Command("input", "", [&](json::Writer& writer) {
    WriteRuntime(writer, runtime_);
    writer.Key("payload");
    writer.BeginObject();
    WriteMember(writer, "kind", "approval_response");
    WriteMember(writer, "request_id", request_id);
    writer.Key("decision");
    writer.BeginObject();
    WriteMember(writer, "behavior", allow ? "allow" : "deny");
    if (!allow) WriteMember(writer, "message", message);
    writer.EndObject();
    writer.EndObject();
  }));
}

void Turn::FailCall(const std::string& request_id, std::string_view message) {
  answered_.push_back(request_id);
  frames_.push_back(Command("external_tool_call_response", request_id,
                            [&](json::Writer& writer) { WriteMember(writer, "error", message); }));
}

std::string Turn::Offered() const {
  std::vector<std::string> names(tools_.begin(), tools_.end());
  names.push_back(kQuestionTool);
  std::sort(names.begin(), names.end());
  return absl::StrJoin(names, ", ");
}

}  // namespace god33::letta::app_server
