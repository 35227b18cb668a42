#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/uuid.h"

// A task: a hand-off as the bridge sees it. Its state is a fold of its events and of nothing else.

namespace god33::letta {

enum class TaskStatus {
  kWaiting,     // in the log, and nobody works on it yet
  kActive,      // an agent works, or is about to
  kPaused,      // until a question is answered or somebody resumes it
  kRecovering,  // its session failed; the next one goes on from the last checkpoint
  kCompleted,
  kBlocked,   // the agent, or the bridge, says that it can't go on
  kRejected,  // never accepted
  kCancelled,
};

std::string_view NameOf(TaskStatus status);
std::optional<TaskStatus> TaskStatusNamed(std::string_view name);

// Nothing happens any more.
bool IsOver(TaskStatus status);

// What was asked for; never changes.
struct Request {
  Uuid workflow_id;
  std::string from_agent;
  std::string to_agent;  // letta-python-dev
  std::string task_type;
  std::string description;
  std::string context;  // JSON object; empty: none
  std::optional<absl::Time> deadline;
  int priority = 0;             // -1 low, 0 normal, 1 high, 2 urgent
  std::string idempotency_key;  // empty: none
  std::string agent_id;         // of the one agent that shall do it; empty: any of the type
};

// Where to go on from.
struct Checkpoint {
  std::string id;
  Uuid event_id;
  std::int64_t sequence = 0;  // counts the task's checkpoints, from 1
  std::string conversation_id;
  std::string message_id;  // the last one that counts; empty: none yet
  std::int64_t message_count = 0;
  std::string memory_digest;  // SHA-256 of the snapshot of the agent's memory, hexadecimal
};

// A question to a human, until the agent has got the answer.
struct Question {
  Uuid request_id;  // the agent.feedback.requested

  // The event that settled it: a response, a time-out or a withdrawal.
  std::optional<Uuid> settled_by;
  std::string answer;  // for the agent, when settled
};

struct Task {
  Uuid id;  // event_id of the request
  Request request;
  TaskStatus status = TaskStatus::kWaiting;
  std::string reason;  // of being paused, recovering, blocked, rejected or cancelled

  std::optional<Uuid> session_id;  // the newest
  std::string instance_id;         // letta-python-dev-001
  std::string agent_id;            // Letta's
  std::string conversation_id;     // Letta's, of the newest session
  std::optional<Uuid> accepted;    // the agent.handoff.accepted

  // What made the newest session go: the acceptance, or the task.resumed after a recovery.
  std::optional<Uuid> going;
  std::optional<Uuid> failed;            // the session.failed that is being recovered from
  std::optional<Uuid> recovery_started;  // by this
  std::optional<Uuid> context_restored;
  std::optional<Checkpoint> recovered_from;  // of the newest session, if it is a recovery
  std::optional<Checkpoint> checkpoint;      // the newest
  std::optional<Question> question;

  // To the last question. The agent may not have it yet, until the next checkpoint.
  std::string answer;

  std::int64_t recoveries = 0;  // since the last checkpoint that was new
  std::int64_t version = 0;     // events folded
};

// An event as the fold sees it.
struct TaskEvent {
  Uuid id;
  std::string_view type;
  std::string_view payload;  // JSON object
  std::vector<Uuid> parents;
};

// Folds one event of the task. An event that doesn't fit the state (a checkpoint of a session that was given
// up, a second answer) changes nothing but the version.
void Apply(const TaskEvent& event, Task& task);

// The answer in a payload of agent.feedback.response, in either vocabulary (decision and rationale, or
// response); empty: none.
std::string AnswerIn(std::string_view payload);

// The state as JSON, always the same for the same state; and back.
std::string WriteState(const Task& task);
absl::StatusOr<Task> ReadState(std::string_view json);

}  // namespace god33::letta
