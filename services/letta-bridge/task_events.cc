#include "services/letta-bridge/task_events.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "base/timestamp.h"
#include "json/write.h"

namespace god33::letta {
namespace {

void WriteTexts(json::Writer& writer, std::string_view key, const std::vector<std::string>& texts) {
  writer.Key(key);
  writer.BeginArray();
  for (const std::string& text : texts) writer.String(text);
  writer.EndArray();
}

void WriteProgress(json::Writer& writer, const Progress& progress) {
  writer.Key("context_snapshot");
  writer.BeginObject();
  WriteTexts(writer, "files_modified", progress.files_modified);
  writer.Key("current_focus");
  writer.String(progress.current_focus);
  WriteTexts(writer, "next_steps", progress.next_steps);
  writer.EndObject();
}

}  // namespace

// The payload of an event about `task`: what all of them have, then what is added.
class TaskEvents::Payload {
 public:
  explicit Payload(const Task& task) : writer_(text_) {
    writer_.BeginObject();
    if (task.request.workflow_id != Uuid()) {
      Text("workflow_id", task.request.workflow_id.ToString());
    }
    Text("task_id", task.id.ToString());
    if (task.session_id) Text("session_id", task.session_id->ToString());
    Text("agent_instance_id", task.instance_id);
  }

  json::Writer& raw() { return writer_; }

  Payload& Text(std::string_view key, std::string_view text) {
    if (text.empty()) return *this;
    writer_.Key(key);
    writer_.String(text);
    return *this;
  }
  Payload& Number(std::string_view key, std::int64_t number) {
    writer_.Key(key);
    writer_.Int(number);
    return *this;
  }
  Payload& Json(std::string_view key, std::string_view json) {
    if (json.empty()) return *this;
    writer_.Key(key);
    writer_.Raw(json);
    return *this;
  }
  Payload& Letta(const std::string& agent_id, const std::string& conversation_id) {
    writer_.Key("letta");
    writer_.BeginObject();
    Text("agent_id", agent_id);
    Text("conversation_id", conversation_id);
    writer_.EndObject();
    return *this;
  }

  std::string Finish() {
    writer_.EndObject();
    return std::move(text_);
  }

 private:
  std::string text_;
  json::Writer writer_;
};

const Uuid& TaskEvents::Add(std::string_view type, std::string payload, std::vector<Uuid> parents) {
  Draft draft{.id = ids_.New(),
              .type = std::string(type),
              .payload = std::move(payload),
              .parents = std::move(parents),
              .agent_type = task_.request.to_agent,
              .instance_id = task_.instance_id};
  Apply({.id = draft.id, .type = draft.type, .payload = draft.payload, .parents = draft.parents},
        task_);
  if (task_.checkpoint) draft.checkpoint_id = task_.checkpoint->id;
  drafts_.push_back(std::move(draft));
  return drafts_.back().id;
}

void TaskEvents::Reject(std::string_view reason, std::string_view detail) {
  Payload payload(task_);
  payload.Text("from_agent", task_.request.from_agent)
      .Text("to_agent", task_.request.to_agent)
      .Text("reason", reason)
      .Text("detail", detail);
  Add("agent.handoff.rejected", payload.Finish(), {task_.id});
}

void TaskEvents::Accept(const Session& session, const std::string& checkpoint_id) {
  Task named = task_;
  named.session_id = session.id;
  named.instance_id = session.instance_id;
  Payload payload(named);
  payload.Text("agent_type", "letta")
      .Text("accepted_from", task_.request.from_agent)
      .Text("checkpoint_id", checkpoint_id)
      .Letta(session.agent_id, session.conversation_id);
  Add("agent.handoff.accepted", payload.Finish(), {task_.id});
  drafts_.back().instance_id = session.instance_id;
  drafts_.back().checkpoint_id = checkpoint_id;
}

void TaskEvents::SaveCheckpoint(const CheckpointRecord& record) {
  Payload payload(task_);
  payload.Text("checkpoint_id", record.id)
      .Text("checkpoint_type", record.type)
      .Number("sequence", (task_.checkpoint ? task_.checkpoint->sequence : 0) + 1)
      .Text("summary", record.progress.summary);
  WriteProgress(payload.raw(), record.progress);
  json::Writer& writer = payload.raw();
  writer.Key("metrics");
  writer.BeginObject();
  payload.Number("tokens_used", record.tokens_used)
      .Number("duration_seconds", absl::ToInt64Seconds(record.duration));
  writer.EndObject();
  writer.Key("letta");
  writer.BeginObject();
  payload.Text("agent_id", record.agent_id)
      .Text("conversation_id", record.conversation_id)
      .Text("last_message_id", record.message_id)
      .Number("message_count", record.message_count)
      .Text("memory_commit", record.memory_commit);
  writer.EndObject();
  payload.Text("memory_digest", record.memory_digest);
  if (!record.directory.empty()) {
    writer.Key("worktree");
    writer.BeginObject();
    payload.Text("path", record.directory)
        .Text("head", record.worktree_head)
        .Text("diff_sha256", record.worktree_digest);
    writer.EndObject();
  }
  const bool before_answer = record.type == "pre-feedback" && task_.question;
  std::vector<Uuid> parents;
  if (before_answer) {
    parents.push_back(task_.question->request_id);
  } else if (task_.going) {
    parents.push_back(*task_.going);
  }
  Add("agent.letta.checkpoint.saved", payload.Finish(), std::move(parents));
}

void TaskEvents::UpdateContext(const Progress& progress) {
  Payload payload(task_);
  payload.Text("summary", progress.summary);
  WriteProgress(payload.raw(), progress);
  Add("agent.letta.context.updated", payload.Finish(), {*task_.going});
}

void TaskEvents::Ask(const Asked& asked, const CheckpointRecord& record) {
  Payload payload(task_);
  payload.Text("from_agent", task_.request.to_agent)
      .Text("question", asked.question)
      .Json("context", asked.context)
      .Text("default", asked.fallback);
  if (!asked.options.empty()) WriteTexts(payload.raw(), "options", asked.options);
  if (asked.answer_by) payload.Text("deadline", FormatTimestamp(*asked.answer_by));
  payload.Json("blocking", "true");
  Add("agent.feedback.requested", payload.Finish(), {*task_.going});
  SaveCheckpoint(record);
  Pause("awaiting_feedback");
}

void TaskEvents::TimeOut(const Uuid& request_id, const std::string& decision) {
  Payload payload(task_);
  payload.Text("request_id", request_id.ToString()).Text("decision", decision);
  Add("agent.feedback.timed_out", payload.Finish(), {request_id});
}

void TaskEvents::Withdraw(const Uuid& request_id, const std::string& by,
                          const std::string& reason) {
  Payload payload(task_);
  payload.Text("request_id", request_id.ToString()).Text("withdrawn_by", by).Text("reason", reason);
  Add("agent.feedback.withdrawn", payload.Finish(), {request_id});
}

void TaskEvents::Pause(std::string_view reason) {
  Payload payload(task_);
  payload.Text("reason", reason);
  if (task_.checkpoint) payload.Text("checkpoint_id", task_.checkpoint->id);
  std::vector<Uuid> parents;
  if (task_.question) {
    parents.push_back(task_.question->request_id);
  } else if (task_.checkpoint) {
    parents.push_back(task_.checkpoint->event_id);
  }
  Add("agent.letta.session.paused", payload.Finish(), std::move(parents));
}

void TaskEvents::Resume(const std::string& conversation_id) {
  const std::optional<Question> question = task_.question;
  std::vector<Uuid> parents;
  if (question && question->settled_by) {
    parents.push_back(*question->settled_by);
  } else if (task_.checkpoint) {
    parents.push_back(task_.checkpoint->event_id);
  }
  Payload payload(task_);
  if (task_.checkpoint) payload.Text("resuming_from_checkpoint", task_.checkpoint->id);
  payload.Letta(task_.agent_id, conversation_id);
  Add("agent.letta.session.resumed", payload.Finish(), parents);
  if (!question) return;
  Payload update(task_);
  update.Text("summary", "the answer to the question is known")
      .Text("decision_incorporated", question->answer);
  Add("agent.letta.context.updated", update.Finish(), std::move(parents));
}

void TaskEvents::FailSession(std::string_view reason, std::string_view detail) {
  Payload payload(task_);
  payload.Text("failure_reason", reason).Text("detail", detail);
  std::vector<Uuid> parents;
  if (task_.checkpoint) {
    payload.Text("last_checkpoint_id", task_.checkpoint->id);
    parents.push_back(task_.checkpoint->event_id);
  } else if (task_.going) {
    parents.push_back(*task_.going);
  }
  Add("agent.letta.session.failed", payload.Finish(), std::move(parents));
}

void TaskEvents::StartRecovery(const Uuid& new_session, std::int64_t epoch) {
  Payload payload(task_);
  payload.Text("new_session_id", new_session.ToString()).Number("epoch", epoch);
  if (task_.checkpoint) payload.Text("recovering_from_checkpoint", task_.checkpoint->id);
  Add("agent.letta.session.recovery.started", payload.Finish(), {*task_.failed});
}

void TaskEvents::RestoreContext(const std::string& agent_id, const std::string& conversation_id,
                                const std::string& delta) {
  Payload payload(task_);
  if (task_.recovered_from) payload.Text("checkpoint_id", task_.recovered_from->id);
  payload.Json("context_delta", delta).Letta(agent_id, conversation_id);
  Add("agent.letta.context.restored", payload.Finish(), {*task_.recovery_started});
}

void TaskEvents::ResumeTask() {
  Payload payload(task_);
  if (task_.recovered_from) payload.Text("resuming_from", task_.recovered_from->id);
  Add("agent.letta.task.resumed", payload.Finish(), {*task_.context_restored});
}

void TaskEvents::HandOver(const std::string& to_agent, const std::string& description,
                          const std::string& context) {
  Payload payload(task_);
  payload.Text("from_agent", task_.request.to_agent)
      .Text("to_agent", to_agent)
      .Text("task_description", description)
      .Json("context", context);
  std::vector<Uuid> parents = {*task_.going};
  if (task_.checkpoint) parents.push_back(task_.checkpoint->event_id);
  Add("agent.handoff.requested", payload.Finish(), std::move(parents));
}

// Pattern 1 names the acceptance and the last checkpoint; pattern 3, after a recovery, the hand-off, the
// checkpoint recovered from and the resumption.
std::vector<Uuid> TaskEvents::ParentsOfOutcome() const {
  std::vector<Uuid> parents;
  const auto add = [&parents](const std::optional<Uuid>& id) {
    if (id && std::find(parents.begin(), parents.end(), *id) == parents.end()) {
      parents.push_back(*id);
    }
  };
  if (task_.recovered_from) {
    add(task_.id);
    add(task_.recovered_from->event_id);
  }
  add(task_.going);
  if (task_.checkpoint) add(task_.checkpoint->event_id);
  return parents;
}

void TaskEvents::Complete(const Completion& completion) {
  Payload payload(task_);
  if (task_.checkpoint) payload.Text("final_checkpoint_id", task_.checkpoint->id);
  payload.Json("artifacts", completion.artifacts.empty() ? "[]" : completion.artifacts)
      .Json("validation", completion.validation)
      .Text("next_action", completion.next_action)
      .Text("summary", completion.summary);
  Add("agent.letta.task.completed", payload.Finish(), ParentsOfOutcome());
}

void TaskEvents::Block(std::string_view reason, std::string_view needs) {
  Payload payload(task_);
  if (task_.checkpoint) payload.Text("checkpoint_id", task_.checkpoint->id);
  payload.Text("reason", reason).Text("needs", needs);
  Add("agent.letta.task.blocked", payload.Finish(), ParentsOfOutcome());
}

void TaskEvents::Cancel(std::string_view reason, std::string_view by) {
  // Nobody need answer any more.
  if (task_.question && !task_.question->settled_by) {
    Withdraw(Uuid(task_.question->request_id), std::string(by), "the task was cancelled");
  }
  Payload payload(task_);
  payload.Text("reason", reason).Text("cancelled_by", by);
  std::vector<Uuid> parents = ParentsOfOutcome();
  if (parents.empty()) parents.push_back(task_.id);
  Add("agent.letta.task.cancelled", payload.Finish(), std::move(parents));
}

}  // namespace god33::letta
