#include "services/letta-bridge/app_server/session.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/clock.h"
#include "base/ids.h"
#include "services/letta-bridge/app_server/errors.h"

namespace god33::letta::app_server {
namespace {

constexpr std::int64_t kProtocol = 1;

// Of one answer in all its frames.
constexpr std::size_t kMostAnswerBytes = 64 << 20;

// In all conversations. Those that are forgotten by their owners add up until their turns end.
constexpr std::size_t kMostOpenCalls = 10'000;

// What a conversation is about. Others, such as the state of the server's machine, are not kept.
constexpr std::array<std::string_view, 9> kConversationFrames = {
    "abort_message_response", "control_request",    "external_tool_call_request",
    "input_accepted",         "sync_response",      "stream_delta",
    "turn_finished",          "update_loop_status", "update_queue"};

bool IsAbout(const Frame& frame) {
  return std::find(kConversationFrames.begin(), kConversationFrames.end(), frame.type()) !=
         kConversationFrames.end();
}

// Whether more frames of the same answer follow.
bool GoesOn(const Frame& frame) {
  return frame.type() == "list_memory_response" && frame.body().Find("done") &&
         !IsTrue(frame.body(), "done");
}

}  // namespace

absl::StatusOr<std::shared_ptr<Session>> Session::Open(const http::WebSocketClientOptions& options,
                                                       absl::Duration timeout) {
  std::shared_ptr<Session> session(new Session());
  auto client = http::WebSocketClient::Connect(
      options, {.message = [raw = session.get()](
                               std::string text) { return raw->OnMessage(std::move(text)); },
                .gone = [raw = session.get()](const absl::Status& why) { raw->OnGone(why); }});
  if (!client.ok()) {
    const bool refused = client.status().code() == absl::StatusCode::kUnauthenticated ||
                         client.status().code() == absl::StatusCode::kPermissionDenied;
    return Unavailable(
        StrCat(MessageOf(client.status()),
               refused ? ": is LETTA_SERVER_TOKEN the server's capability token?" : ""));
  }
  session->client_ = *std::move(client);
  const auto answer = session->Call(
      "app_server_info", [](json::Writer&) {}, timeout);
  if (!answer.ok()) return answer.status();
  const json::Value info = answer->back().body();
  const std::int64_t protocol = IntOf(info, "protocol_version");
  if (protocol != kProtocol) {
    return Unsupported(StrCat("the Letta App Server speaks protocol ", protocol,
                              " and this bridge speaks ", kProtocol,
                              ": install a version of @letta-ai/letta-code that speaks it"));
  }
  session->version_ = Clip(TextOf(info, "letta_code_version"), 100);
  return session;
}

absl::Status Session::status() const {
  absl::MutexLock lock(&mutex_);
  return status_;
}

std::string Session::NewId() {
  static SystemClock clock;
  static TimeOrderedIds ids(clock);
  return StrCat("god33-", ids.New().ToString());
}

absl::StatusOr<std::vector<Frame>> Session::Call(std::string_view command, Members members,
                                                 absl::Duration timeout) {
  const std::string id = NewId();
  Pending pending;
  {
    absl::MutexLock lock(&mutex_);
    if (!status_.ok()) return status_;
    pending_[id] = &pending;
  }
  const absl::Status sent = Send(Command(command, id, members));
  absl::MutexLock lock(&mutex_);
  if (sent.ok()) {
    const auto over = [this, &pending]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) {
      return pending.done || !status_.ok();
    };
    mutex_.AwaitWithTimeout(absl::Condition(&over), timeout);
  }
  pending_.erase(id);
  if (!sent.ok()) return sent;
  if (pending.done) return std::move(pending.frames);
  if (!status_.ok()) return status_;
  return Silent(command);
}

absl::Status Session::Send(std::string frame) {
  const absl::Status sent = client_->Send(std::move(frame));
  return sent.ok() ? sent : Unavailable(MessageOf(sent));
}

void Session::Attach(const Runtime& runtime, std::shared_ptr<Inbox> inbox) {
  absl::MutexLock lock(&mutex_);
  if (!status_.ok()) inbox->Close(status_);
  std::shared_ptr<Inbox>& place = inboxes_[runtime];
  if (place) place->Close(Unavailable("the conversation was attached anew elsewhere"));
  for (const auto& [id, call] : open_calls_) {
    if (call.runtime() == runtime) inbox->Push(call);
  }
  place = std::move(inbox);
}

void Session::Forget(const std::vector<std::string>& tool_call_requests) {
  absl::MutexLock lock(&mutex_);
  for (const std::string& id : tool_call_requests) open_calls_.erase(id);
}

void Session::Detach(const Runtime& runtime, const Inbox* inbox) {
  absl::MutexLock lock(&mutex_);
  const auto found = inboxes_.find(runtime);
  if (found != inboxes_.end() && found->second.get() == inbox) inboxes_.erase(found);
}

absl::Status Session::OnMessage(std::string text) {
  const auto frame = Frame::Parse(std::move(text));
  if (!frame.ok()) return frame.status();
  absl::MutexLock lock(&mutex_);
  if (const auto found = pending_.find(frame->request_id()); found != pending_.end()) {
    Pending& pending = *found->second;
    pending.bytes += frame->size();
    if (pending.bytes > kMostAnswerBytes)
      return InvalidArgument("it sent an answer without an end");
    if (pending.done) return absl::OkStatus();
    pending.frames.push_back(*frame);
    pending.done = !GoesOn(*frame);
    return absl::OkStatus();
  }
  if (!frame->runtime() || !IsAbout(*frame)) return absl::OkStatus();
  if (frame->type() == "external_tool_call_request") {
    if (open_calls_.size() == kMostOpenCalls) {
      return InvalidArgument("it calls more tools than can be answered");
    }
    open_calls_.emplace(frame->request_id(), *frame);
  } else if (frame->type() == "turn_finished") {
    std::erase_if(open_calls_,
                  [&](const auto& call) { return call.second.runtime() == frame->runtime(); });
  }
  if (const auto found = inboxes_.find(*frame->runtime()); found != inboxes_.end()) {
    found->second->Push(*frame);
  }
  return absl::OkStatus();
}

void Session::OnGone(const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  status_ = Unavailable(MessageOf(why));
  for (const auto& [runtime, inbox] : inboxes_) inbox->Close(status_);
}

}  // namespace god33::letta::app_server
