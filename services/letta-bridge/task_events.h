#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "base/ids.h"
#include "base/uuid.h"
#include "services/letta-bridge/task.h"

namespace god33::letta {

// An event that was decided on and is not stored yet.
struct Draft {
  Uuid id;
  std::string type;
  std::string payload;  // JSON object
  std::vector<Uuid> parents;
  std::string agent_type;   // of agent_context; empty: no agent speaks
  std::string instance_id;  // likewise
  std::string checkpoint_id;
};

// What an agent said of its work so far.
struct Progress {
  std::string summary;
  std::vector<std::string> files_modified;
  std::string current_focus;
  std::vector<std::string> next_steps;
};

// What a checkpoint records beside the task's state.
struct CheckpointRecord {
  std::string id;
  std::string type;  // initial, progress, milestone, pre-handoff, pre-feedback, on-demand
  std::string agent_id;
  std::string conversation_id;
  std::string message_id;
  std::int64_t message_count = 0;
  std::string memory_commit;
  std::string memory_digest;
  Progress progress;
  std::int64_t tokens_used = 0;
  absl::Duration duration;
  std::string directory;        // the worktree; empty: none
  std::string worktree_head;    // commit; empty: no git
  std::string worktree_digest;  // SHA-256 of what differs from it
};

// What an agent asks of a human.
struct Asked {
  std::string question;
  std::string context;  // any JSON; empty: none
  std::vector<std::string> options;
  std::string fallback;  // the answer after the time; empty: it waits for ever
  std::optional<absl::Time> answer_by;
};

// How a task ended, in the agent's words: members of the payload of agent.letta.task.completed, as JSON text
// that was checked; empty: absent.
struct Completion {
  std::string summary;
  std::string artifacts;   // array
  std::string validation;  // object
  std::string next_action;
};

// Decides on the events of one task, one after the other. Each is folded at once, so that the next one sees
// the state after it. Parents are those of the patterns in seed 001.
class TaskEvents {
 public:
  TaskEvents(Task task, IdSource& ids) : task_(std::move(task)), ids_(ids) {}

  const Task& task() const { return task_; }
  std::vector<Draft> Take() { return std::move(drafts_); }

  void Reject(std::string_view reason, std::string_view detail);

  struct Session {
    Uuid id;
    std::string instance_id;
    std::string agent_id;
    std::string conversation_id;
  };
  void Accept(const Session& session, const std::string& checkpoint_id);
  void SaveCheckpoint(const CheckpointRecord& record);
  void UpdateContext(const Progress& progress);

  // The question, the checkpoint before it, and the pause.
  void Ask(const Asked& asked, const CheckpointRecord& record);
  void TimeOut(const Uuid& request_id, const std::string& decision);
  void Withdraw(const Uuid& request_id, const std::string& by, const std::string& reason);

  // `reason`: awaiting_feedback or requested.
  void Pause(std::string_view reason);

  // After a pause; the question, if there was one, was settled.
  void Resume(const std::string& conversation_id);

  void FailSession(std::string_view reason, std::string_view detail);
  void StartRecovery(const Uuid& new_session, std::int64_t epoch);
  void RestoreContext(const std::string& agent_id, const std::string& conversation_id,
                      const std::string& delta);  // a JSON object
  void ResumeTask();

  // An agent asks another one. `request` are the members of the payload that the agent gave.
  void HandOver(const std::string& to_agent, const std::string& description,
                const std::string& context);

  void Complete(const Completion& completion);
  void Block(std::string_view reason, std::string_view needs);
  void Cancel(std::string_view reason, std::string_view by);

 private:
  class Payload;
  const Uuid& Add(std::string_view type, std::string payload, std::vector<Uuid> parents);
  std::vector<Uuid> ParentsOfOutcome() const;

  Task task_;
  IdSource& ids_;
  std::vector<Draft> drafts_;
};

}  // namespace god33::letta
