#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/statusor.h"
#include "services/letta-bridge/app_server/frame.h"
#include "services/letta-bridge/backend.h"

namespace god33::letta::app_server {

// What the frames of one conversation mean: its turns. No sockets and no time; not thread-safe. It begins
// attaching: whether a turn is under way is told by frames that the server sends before it confirms.
class Turn {
 public:
  // `tools`: those that the agent may call.
  Turn(Runtime runtime, const std::vector<ToolSpec>& tools);

  // The server has confirmed. Whether a turn is under way.
  bool Attached();

  // An input is about to be sent by the command `request_id`. To be called while no turn is open.
  void Expect(std::string request_id, std::string marker);

  // The server's answer to that command, once: OK, or its refusal, after which no turn is open.
  std::optional<absl::Status> TakeAnswer();

  // A frame of this conversation, in the order of arrival.
  void Feed(const Frame& frame);

  // From Expect, or Attached, to TurnFinished.
  bool open() const { return phase_ != Phase::kIdle; }

  // The server says that it waits for input, but not yet how the turn ended. Where that never follows, Finish
  // ends the turn with what is known.
  bool ending() const { return phase_ == Phase::kRunning && idle_; }
  void Finish();

  // The turn was aborted: it is over, and what it still had to tell is forgotten. Calls that waited are
  // answered, by frames, so that the server doesn't wait for them.
  void Drop();

  // The input was accepted and has not begun: the server ends another turn first.
  bool waiting() const { return phase_ == Phase::kSent && accepted_; }

  // The input waits in the server's queue under this id; empty when it does not.
  std::string queued_item() const { return phase_ == Phase::kSent ? queue_item_ : ""; }

  // The frame that answers an open call. FAILED_PRECONDITION when it is not open (any more).
  absl::StatusOr<std::string> Answer(const std::string& call_id, const ToolResult& result);

  std::optional<TurnEvent> NextEvent();

  // What is to be sent, in this order: answers to the server's questions that nobody else need see.
  std::vector<std::string> TakeFrames();

  // The request_ids of the tool calls that were answered since.
  std::vector<std::string> TakeAnswered();

 private:
  enum class Phase {
    kAttaching,
    kIdle,
    kSent,  // the input waits: an aborted turn may still be ending in the server, and what it says is not ours
    kRunning
  };

  struct Call {
    std::string request_id;
    bool question = false;
  };

  void FeedAnswer(const Frame& frame);
  void FeedQueue(const Frame& frame);
  void FeedStatus(const Frame& frame);
  void FeedDelta(json::Value delta);
  void FeedPermission(const Frame& frame);
  void FeedToolCall(const Frame& frame);
  void FeedFinish(const Frame& frame);

  bool takes_calls() const { return phase_ == Phase::kRunning || phase_ == Phase::kAttaching; }
  void Run();
  void Join(Message piece);
  void Flush();
  void End(TurnFinished::Why why, std::string detail);
  void Push(TurnEvent event);
  void Decide(const std::string& request_id, bool allow, std::string_view message);
  void FailCall(const std::string& request_id, std::string_view message);
  std::string Offered() const;

  Runtime runtime_;
  absl::flat_hash_set<std::string> tools_;
  Phase phase_ = Phase::kAttaching;
  std::string request_id_;
  std::string marker_;
  std::string queue_item_;
  std::optional<absl::Status> answer_;
  bool accepted_ = false;
  bool busy_ = false;  // the server was seen at work
  bool idle_ = false;  // and then no more
  std::int64_t tokens_ = 0;
  std::string error_;
  std::optional<Message> pending_;     // may go on in the next frame
  std::map<std::string, Call> calls_;  // open, by call_id
  std::deque<TurnEvent> events_;
  std::vector<std::string> frames_;
  std::vector<std::string> answered_;
};

}  // namespace god33::letta::app_server
