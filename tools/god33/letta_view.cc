#include "tools/god33/letta_view.h"

#include <vector>

#include "base/strings.h"
#include "tools/god33/text.h"

namespace god33::cli {
namespace {

namespace v1 = letta::v1;
using google::protobuf::Message;

constexpr std::size_t kMostShown = 80;  // bytes of a text in a table

std::string OrNone(const std::string& text) {
  return text.empty() ? "-" : text;
}

// The first line, cut.
std::string Shortened(const std::string& text) {
  const std::string_view line = std::string_view(text).substr(0, text.find('\n'));
  return line.size() <= kMostShown ? std::string(line) : StrCat(Clip(line, kMostShown), "...");
}

std::string WaitOf(const v1::Task& task) {
  if (task.waits_for().empty()) return "-";
  if (!task.has_queue_position()) return task.waits_for();
  return StrCat(task.waits_for(), " (", task.queue_position(), ".)");
}

Row TaskRow(const Message& message) {
  const auto& task = static_cast<const v1::Task&>(message);
  return {task.task_id(),
          task.status(),
          task.agent_type(),
          OrNone(task.instance_id()),
          task.has_requested_at() ? TextOf(task.requested_at()) : "-",
          WaitOf(task),
          Shortened(task.description())};
}

Row SessionRow(const Message& message) {
  const auto& session = static_cast<const v1::LettaSession&>(message);
  const v1::Task& task = session.task();
  return {session.session_id(),
          session.status(),
          OrNone(task.instance_id()),
          task.task_id(),
          WaitOf(task),
          task.lease().holder().empty() ? "-" : StrCat(task.lease().epoch()),
          Shortened(task.description())};
}

Row FeedbackRow(const Message& message) {
  const auto& feedback = static_cast<const v1::Feedback&>(message);
  return {feedback.request_id(),
          feedback.status(),
          OrNone(feedback.agent()),
          TextOf(feedback.asked_at()),
          feedback.has_answer_by() ? TextOf(feedback.answer_by()) : "-",
          Shortened(feedback.question())};
}

Row CheckpointRow(const Message& message) {
  const auto& checkpoint = static_cast<const v1::LettaCheckpoint&>(message);
  return {StrCat(checkpoint.sequence()), TextOf(checkpoint.created_at()), checkpoint.type(),
          checkpoint.checkpoint_id(), checkpoint.session_id()};
}

void AddTask(const v1::Task& task, Details& details) {
  details.Add("task_id", task.task_id());
  details.Add("status", task.status());
  details.Add("reason", task.reason());
  details.Add("waits_for", task.waits_for());
  details.Add("waits_detail", task.waits_detail());
  if (task.has_queue_position()) details.Add("queue_position", StrCat(task.queue_position()));
  details.Add("workflow_id", task.workflow_id());
  details.Add("from_agent", task.from_agent());
  details.Add("agent_type", task.agent_type());
  details.Add("task_type", task.task_type());
  details.Add("description", task.description());
  details.Add("priority", task.priority());
  if (task.has_deadline()) details.Add("deadline", TextOf(task.deadline()));
  if (task.has_requested_at()) details.Add("requested_at", TextOf(task.requested_at()));
  details.Add("session_id", task.session_id());
  details.Add("instance_id", task.instance_id());
  details.Add("agent_id", task.agent_id());
  details.Add("conversation_id", task.conversation_id());
  if (task.has_lease()) {
    details.Add("lease", StrCat(task.lease().holder(), ", epoch ", task.lease().epoch(), ", until ",
                                TextOf(task.lease().expires_at())));
  }
  if (task.has_checkpoint()) {
    const v1::LettaCheckpoint& checkpoint = task.checkpoint();
    details.Add("checkpoint",
                StrCat(checkpoint.checkpoint_id(), ", ", checkpoint.type(), ", the ",
                       checkpoint.sequence(), ". of the task, ", TextOf(checkpoint.created_at())));
  }
  if (task.has_question()) {
    details.Add("question",
                StrCat(task.question().question(), " (", task.question().request_id(), ")"));
    details.AddLines("options", LinesOf(task.question().options()));
  }
  std::vector<std::string> orders;
  for (const v1::TaskOrder& order : task.orders()) {
    orders.push_back(StrCat(order.kind(), " by ", order.asked_by(), ", ", TextOf(order.asked_at()),
                            order.reason().empty() ? "" : ": ", order.reason()));
  }
  details.AddLines("orders", orders);
  if (task.sessions_size() > 1) details.AddLines("sessions", LinesOf(task.sessions()));
  if (task.recoveries() > 0) details.Add("recoveries", StrCat(task.recoveries()));
}

}  // namespace

ListView TaskView() {
  return {.columns = {{"TASK ID"},
                      {"STATUS"},
                      {"TYPE"},
                      {"AGENT"},
                      {"REQUESTED"},
                      {"WAITS FOR"},
                      {"DESCRIPTION"}},
          .row = TaskRow};
}

std::string TaskDetails(const v1::Task& task) {
  Details details;
  AddTask(task, details);
  return details.Render();
}

ListView LettaSessionView() {
  return {.columns = {{"SESSION ID"},
                      {"STATUS"},
                      {"AGENT"},
                      {"TASK ID"},
                      {"WAITS FOR"},
                      {"EPOCH", true},
                      {"DESCRIPTION"}},
          .row = SessionRow};
}

std::string LettaSessionDetails(const v1::LettaSession& session) {
  Details details;
  if (!session.newest()) {
    details.Add("session_id", session.session_id());
    details.Add("status", StrCat(session.status(), "; below is its task as it is now"));
    return StrCat(details.Render(), "\n", TaskDetails(session.task()));
  }
  AddTask(session.task(), details);
  return details.Render();
}

ListView FeedbackView() {
  return {
      .columns = {{"REQUEST ID"}, {"STATUS"}, {"AGENT"}, {"ASKED"}, {"ANSWER BY"}, {"QUESTION"}},
      .row = FeedbackRow};
}

std::string FeedbackDetails(const v1::Feedback& feedback) {
  Details details;
  details.Add("request_id", feedback.request_id());
  details.Add("status", feedback.status());
  details.Add("agent", feedback.agent());
  details.Add("task_id", feedback.task_id());
  details.Add("session_id", feedback.session_id());
  details.Add("workflow_id", feedback.workflow_id());
  details.Add("question", feedback.question());
  if (feedback.has_context()) details.AddLines("context", JsonLines(feedback.context().text()));
  std::vector<std::string> options;
  for (int i = 0; i < feedback.options_size(); ++i) {
    options.push_back(StrCat(i + 1, ": ", feedback.options(i)));
  }
  details.AddLines("options", options);
  details.Add("default", feedback.default_());
  details.Add("asked_at", TextOf(feedback.asked_at()));
  if (feedback.has_answer_by()) details.Add("answer_by", TextOf(feedback.answer_by()));
  details.Add("answer", feedback.answer());
  details.Add("responder", feedback.responder());
  details.Add("settled_by", feedback.settled_by());
  if (feedback.has_settled_at()) details.Add("settled_at", TextOf(feedback.settled_at()));
  std::vector<std::string> late;
  for (const v1::LateAnswer& answer : feedback.late_answers()) {
    late.push_back(StrCat(answer.answer(), " (", OrNone(answer.responder()), ", event ",
                          answer.event_id(), ")"));
  }
  details.AddLines("late_answers", late);
  return details.Render();
}

ListView LettaCheckpointView() {
  return {.columns = {{"SEQUENCE", true}, {"CREATED"}, {"TYPE"}, {"CHECKPOINT ID"}, {"SESSION ID"}},
          .row = CheckpointRow};
}

std::string LettaCheckpointDetails(const v1::LettaCheckpoint& checkpoint) {
  Details details;
  details.Add("checkpoint_id", checkpoint.checkpoint_id());
  details.Add("created_at", TextOf(checkpoint.created_at()));
  details.Add("type", checkpoint.type());
  details.Add("task_id", checkpoint.task_id());
  details.Add("session_id", checkpoint.session_id());
  if (checkpoint.sequence() > 0) details.Add("sequence", StrCat(checkpoint.sequence()));
  details.Add("event_id", checkpoint.event_id());
  details.Add("memory_digest", checkpoint.memory_digest());
  if (checkpoint.has_context()) details.AddLines("context", JsonLines(checkpoint.context().text()));
  if (checkpoint.has_memory_snapshot()) {
    details.AddLines("memory_snapshot", JsonLines(checkpoint.memory_snapshot().text()));
  }
  return details.Render();
}

std::string RetentionDetails(const v1::GetCheckpointRetentionResponse& plan) {
  Details details;
  details.Add("kept", plan.kept() == 0 ? "all" : StrCat(plan.kept(), " of each task under way"));
  if (plan.kept() != plan.configured_kept()) {
    details.Add("configured", plan.configured_kept() == 0 ? "all" : StrCat(plan.configured_kept()));
  }
  details.Add("checkpoints_to_go", StrCat(plan.checkpoints()));
  details.Add("memories_to_go", StrCat(plan.memories(), ", ", plan.bytes(), " bytes"));
  return details.Render();
}

std::string AgentPoolText(const v1::GetAgentPoolResponse& pool, const Screen& screen) {
  Details details;
  details.Add("letta", pool.letta_available() ? "available"
                                              : StrCat("not available: ", pool.letta_detail()));
  details.Add("tasks", StrCat(pool.waiting(), " waiting, ", pool.active(), " active, ",
                              pool.paused(), " paused, ", pool.recovering(), " recovering"));
  details.Add("most_sessions", StrCat(pool.most_sessions(), " of each bridge"));
  std::vector<Row> rows;
  for (const v1::AgentPool& row : pool.pools()) {
    rows.push_back({row.agent_type(), OrNone(row.project_name()), StrCat(row.warm()),
                    StrCat(row.busy()), StrCat(row.returned()), StrCat(row.limit()),
                    StrCat(row.own()), StrCat(row.own_busy()), StrCat(row.waiting())});
  }
  Table table({{"TYPE"},
               {"PROJECT"},
               {"WARM", true},
               {"BUSY", true},
               {"RETURNED", true},
               {"LIMIT", true},
               {"OWN", true},
               {"OWN BUSY", true},
               {"WAITING", true}},
              screen);
  return StrCat(details.Render(), "\n", table.Render(rows));
}

}  // namespace god33::cli
