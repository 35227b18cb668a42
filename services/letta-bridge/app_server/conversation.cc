#include "services/letta-bridge/app_server/conversation.h"

#include <algorithm>
#include <utility>

#include "base/clock.h"
#include "services/letta-bridge/app_server/errors.h"
#include "services/letta-bridge/app_server/question.h"

namespace god33::letta::app_server {
namespace {

// How long the end of a turn may take to be told after the server has said that it waits for input.
constexpr absl::Duration kEndingGrace = absl::Seconds(2);

// The server has been seen to forget an input that came while it ended a turn whose connection was lost. Asked to
// resume its queue it takes it up.
constexpr absl::Duration kQueueGrace = absl::Seconds(1);

// An abort may find the input between the server's queue and its work.
constexpr int kMostAborts = 3;

void WriteTools(json::Writer& writer, const std::vector<ToolSpec>& tools) {
  writer.Key("external_tools");
  writer.BeginArray();
  writer.BeginObject();
  writer.Key("tools");
  writer.BeginArray();
  for (const ToolSpec& tool : tools) {
    writer.BeginObject();
    WriteMember(writer, "name", tool.name);
    WriteMember(writer, "description", tool.description);
    writer.Key("parameters");
    writer.Raw(tool.parameters);
    writer.EndObject();
  }
  writer.EndArray();
  writer.EndObject();
  writer.EndArray();
}

// Of the server's own tools only the one for questions. A list of all that is allowed would not do: what it names
// the server takes from its own tools first, such as its read_file.
void WriteToolset(json::Writer& writer) {
  writer.Key("client_toolset");
  writer.BeginObject();
  WriteMember(writer, "base", "none");
  writer.Key("include");
  writer.BeginArray();
  writer.String(kQuestionTool);
  writer.EndArray();
  writer.EndObject();
}

// The server's "Agent X not found" and "Conversation X not found", or its refusal in other words.
absl::Status StartError(const Runtime& runtime, const std::string& error) {
  if (error == StrCat("Agent ", runtime.agent_id, " not found")) {
    return AgentUnknown(runtime.agent_id);
  }
  if (error == StrCat("Conversation ", runtime.conversation_id, " not found")) {
    return ConversationUnknown(runtime.conversation_id);
  }
  return Refused(error);
}

}  // namespace

absl::StatusOr<std::unique_ptr<Conversation>> AppServerConversation::Open(
    std::shared_ptr<Session> session, const Backend::Attach& attach, absl::Duration call_timeout) {
  for (const ToolSpec& tool : attach.tools) {
    const auto parameters = json::Value::Parse(tool.parameters);
    if (!parameters.ok() || !parameters->is_object()) {
      return InvalidArgument(
          StrCat("the parameters of the tool ", tool.name, " are no JSON object"));
    }
  }
  Runtime runtime{attach.agent_id, attach.conversation_id};
  if (runtime.conversation_id.empty()) {
    // Made by itself first: frames of a conversation can come before the answer that names it.
    const auto made = session->Call(
        "conversation_create",
        [&](json::Writer& writer) {
          writer.Key("body");
          writer.BeginObject();
          WriteMember(writer, "agent_id", runtime.agent_id);
          writer.EndObject();
        },
        call_timeout);
    if (!made.ok()) return made.status();
    const json::Value answer = made->back().body();
    if (!IsTrue(answer, "success")) return StartError(runtime, TextOf(answer, "error"));
    const auto conversation = ObjectOf(answer, "conversation");
    if (conversation) runtime.conversation_id = TextOf(*conversation, "id");
    if (runtime.conversation_id.empty()) return Refused("it named no conversation");
  }
  std::unique_ptr<AppServerConversation> conversation(new AppServerConversation(
      std::move(session), std::move(runtime), attach.tools, call_timeout));
  if (absl::Status status = conversation->Start(attach); !status.ok()) return status;
  return conversation;
}

AppServerConversation::AppServerConversation(std::shared_ptr<Session> session, Runtime runtime,
                                             const std::vector<ToolSpec>& tools,
                                             absl::Duration call_timeout)
    : session_(std::move(session)),
      runtime_(std::move(runtime)),
      call_timeout_(call_timeout),
      turn_(runtime_, tools) {
  session_->Attach(runtime_, inbox_);
}

AppServerConversation::~AppServerConversation() {
  session_->Detach(runtime_, inbox_.get());
}

absl::Status AppServerConversation::Start(const Backend::Attach& attach) {
  const auto started = session_->Call(
      "runtime_start",
      [&](json::Writer& writer) {
        WriteMember(writer, "agent_id", runtime_.agent_id);
        WriteMember(writer, "conversation_id", runtime_.conversation_id);
        // Each call of a tool must be allowed here: the server's other modes let the agent read files and run
        // commands that it takes for harmless, at least in a turn that it resumes after a restart.
        WriteMember(writer, "mode", "strict");
        if (!attach.directory.empty()) WriteMember(writer, "cwd", attach.directory);
        WriteTools(writer, attach.tools);
        writer.Key("recover_approvals");
        writer.Bool(true);
        writer.Key("wait_for_replay");
        writer.Bool(true);
      },
      call_timeout_);
  if (!started.ok()) return started.status();
  const json::Value answer = started->back().body();
  if (!IsTrue(answer, "success")) return StartError(runtime_, TextOf(answer, "error"));
  for (;;) {  // what the server said before it confirmed
    const auto frame = Take(absl::ZeroDuration());
    if (!frame.ok()) return frame.status();
    if (!*frame) break;
  }
  running_ = turn_.Attached();
  return SendFrames();
}

absl::Status AppServerConversation::SeeMemory() {
  const auto compiled = session_->Call(
      "conversation_recompile",
      [this](json::Writer& writer) {
        WriteMember(writer, "conversation_id", runtime_.conversation_id);
        writer.Key("body");
        writer.BeginObject();
        WriteMember(writer, "agent_id", runtime_.agent_id);
        writer.EndObject();
      },
      call_timeout_);
  if (!compiled.ok()) return compiled.status();
  const json::Value answer = compiled->back().body();
  return IsTrue(answer, "success") ? absl::OkStatus() : Refused(TextOf(answer, "error"));
}

absl::Status AppServerConversation::Send(const std::string& marker, const std::string& text) {
  if (turn_.open()) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "LETTA_REFUSED",
                     "a turn is under way: an input can be sent when it has ended");
  }
  // An input right behind the end of a conversation's first turn gets into a state that the server is about to throw
  // away, and stands still for ever at its first tool (seen with 0.32.18). Once this is answered it is the new one.
  const auto synced = Call("sync", [](json::Writer& writer) {
    writer.Key("recover_approvals");
    writer.Bool(false);
  });
  if (!synced.ok()) return synced.status();
  const std::string request_id = Session::NewId();
  turn_.Expect(request_id, marker);
  const absl::Status sent = session_->Send(Command("input", request_id, [&](json::Writer& writer) {
    WriteRuntime(writer, runtime_);
    writer.Key("payload");
    writer.BeginObject();
    WriteMember(writer, "kind", "create_message");
    writer.Key("messages");
    writer.BeginArray();
    writer.BeginObject();
    WriteMember(writer, "role", "user");
    WriteMember(writer, "content", text);
    WriteMember(writer, "client_message_id", marker);
    writer.EndObject();
    writer.EndArray();
    WriteToolset(writer);
    writer.EndObject();
  }));
  if (!sent.ok()) return sent;
  std::optional<absl::Status> answer;
  const auto answered = [&](const Frame&) { return (answer = turn_.TakeAnswer()).has_value(); };
  const auto frame = Await("input", answered);
  return frame.ok() ? *answer : frame.status();
}

absl::StatusOr<TurnEvent> AppServerConversation::Next(absl::Duration timeout) {
  const std::int64_t begun = MonotonicNanos();
  for (;;) {
    const auto watch = Watch();
    if (auto event = turn_.NextEvent()) return *std::move(event);
    if (!watch.ok()) return watch.status();
    if (std::exchange(woken_, false)) return Nothing{};
    const absl::Duration left =
        std::max(timeout - absl::Nanoseconds(MonotonicNanos() - begun), absl::ZeroDuration());
    const auto frame = Take(std::min(left, *watch));
    if (!frame.ok()) return frame.status();
    if (!*frame && (inbox_->TakeWake() || left <= *watch)) return Nothing{};
  }
}

absl::StatusOr<absl::Duration> AppServerConversation::Watch() {
  const std::int64_t now = MonotonicNanos();
  absl::Duration next = absl::InfiniteDuration();
  if (turn_.ending()) {
    if (ending_nanos_ == 0) ending_nanos_ = now;
    next = kEndingGrace - absl::Nanoseconds(now - ending_nanos_);
    if (next <= absl::ZeroDuration()) turn_.Finish();
  } else {
    ending_nanos_ = 0;
  }
  if (turn_.waiting()) {
    if (waiting_nanos_ == 0) waiting_nanos_ = now;
    next = kQueueGrace - absl::Nanoseconds(now - waiting_nanos_);
    if (next <= absl::ZeroDuration()) {
      waiting_nanos_ = now;
      next = kQueueGrace;
      const absl::Status sent = session_->Send(Command(
          "resume_queue", "", [&](json::Writer& writer) { WriteRuntime(writer, runtime_); }));
      if (!sent.ok()) return sent;
    }
  } else {
    waiting_nanos_ = 0;
  }
  return std::max(next, absl::ZeroDuration());
}

absl::Status AppServerConversation::Answer(const ToolCall& call, const ToolResult& result) {
  auto frame = turn_.Answer(call.call_id, result);
  if (!frame.ok()) return frame.status();
  session_->Forget(turn_.TakeAnswered());
  return session_->Send(*std::move(frame));
}

absl::Status AppServerConversation::Abort() {
  for (int i = 0; turn_.open() && i < kMostAborts; ++i) {
    const auto aborted = Call("abort_message", [](json::Writer&) {});
    if (!aborted.ok()) return aborted.status();
    if (!IsTrue(aborted->body(), "success")) return Refused(TextOf(aborted->body(), "error"));
    if (const std::string item = turn_.queued_item(); !item.empty()) {
      // The answer names no conversation.
      const auto removed = session_->Call(
          "remove_queue_item",
          [&](json::Writer& writer) {
            WriteRuntime(writer, runtime_);
            WriteMember(writer, "item_id", item);
          },
          call_timeout_);
      if (!removed.ok()) return removed.status();
      if (!IsTrue(removed->back().body(), "success")) continue;  // it runs by now
    }
    turn_.Drop();
  }
  // Also when the turn ended meanwhile by itself: what it told is not wanted.
  turn_.Drop();
  ending_nanos_ = 0;
  return SendFrames();
}

absl::StatusOr<Frame> AppServerConversation::Call(std::string_view command, Members members) {
  const std::string id = Session::NewId();
  const absl::Status sent = session_->Send(Command(command, id, [&](json::Writer& writer) {
    WriteRuntime(writer, runtime_);
    members(writer);
  }));
  if (!sent.ok()) return sent;
  return Await(command, [&id](const Frame& frame) { return frame.request_id() == id; });
}

absl::StatusOr<Frame> AppServerConversation::Await(std::string_view command,
                                                   absl::FunctionRef<bool(const Frame&)> done) {
  const std::int64_t begun = MonotonicNanos();
  for (;;) {
    const absl::Duration left = call_timeout_ - absl::Nanoseconds(MonotonicNanos() - begun);
    if (left <= absl::ZeroDuration()) return Silent(command);
    const auto frame = Take(left);
    if (!frame.ok()) return frame.status();
    if (!*frame) {
      woken_ |= inbox_->TakeWake();
    } else if (done(**frame)) {
      return **frame;
    }
  }
}

absl::StatusOr<std::optional<Frame>> AppServerConversation::Take(absl::Duration timeout) {
  auto frame = inbox_->Take(timeout);
  if (!frame.ok() || !*frame) return frame;
  turn_.Feed(**frame);
  if (absl::Status status = SendFrames(); !status.ok()) return status;
  return frame;
}

absl::Status AppServerConversation::SendFrames() {
  for (std::string& frame : turn_.TakeFrames()) {
    if (absl::Status status = session_->Send(std::move(frame)); !status.ok()) return status;
  }
  if (const auto answered = turn_.TakeAnswered(); !answered.empty()) session_->Forget(answered);
  return absl::OkStatus();
}

}  // namespace god33::letta::app_server
