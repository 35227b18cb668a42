#include "services/letta-bridge/reactions.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "services/letta-bridge/questions.h"
#include "services/letta-bridge/request.h"
#include "services/letta-bridge/settlement.h"
#include "services/letta-bridge/task_store.h"
#include "telemetry/log.h"

namespace god33::letta {
namespace {

constexpr char kWorkflowHandoff[] = "bmad.workflow.handoff.requested";
constexpr char kAsked[] = "agent.feedback.requested";

bool IsHandoff(const std::string& type) {
  return type == kWorkflowHandoff || type == kAgentHandoff;
}

}  // namespace

Reactions::Reactions(HandoffRules rules, const reaction::EventFactory& factory, Clock& clock,
                     IdSource& ids, Metrics& metrics, std::function<void()> wake)
    : rules_(std::move(rules)),
      factory_(factory),
      clock_(clock),
      ids_(ids),
      metrics_(metrics),
      wake_(std::move(wake)) {}

std::vector<std::string> Reactions::EventTypes() {
  return {kWorkflowHandoff, kAgentHandoff, kAsked, kAnswered, kWithdrawn};
}

bool Reactions::Concerns(const event::Envelope& envelope) const {
  return !IsHandoff(envelope.type) || IsForBridge(AgentAskedFor(envelope.payload));
}

absl::StatusOr<sequence::Unit> Reactions::React(pg::Connection& connection,
                                                const reaction::Incoming& incoming) {
  const std::string& type = incoming.event.envelope.type;
  if (IsHandoff(type)) return TakeHandoff(connection, incoming);
  if (type == kAsked) {
    if (absl::Status status = InsertForeignQuestion(connection, incoming); !status.ok()) {
      return status;
    }
    return sequence::Unit();
  }
  return TakeAnswer(connection, incoming);
}

void Reactions::Committed(const reaction::Incoming& /*incoming*/) {
  wake_();
}

absl::StatusOr<sequence::Unit> Reactions::TakeHandoff(pg::Connection& connection,
                                                      const reaction::Incoming& incoming) {
  const event::Envelope& envelope = incoming.event.envelope;
  const auto handoff =
      Judge(connection, rules_, clock_.Now(), envelope, incoming.event.payload_errors);
  if (!handoff.ok()) return handoff.status();
  const Task& task = handoff->task;
  const auto inserted = InsertTask(connection, task);
  if (!inserted.ok()) return inserted.status();
  if (!*inserted) {
    Log(LogLevel::kInfo, "a hand-off was taken before, under its idempotency key",
        {{"event_id", envelope.id.ToString()}, {"from_agent", task.request.from_agent}});
    metrics_.handoffs_repeated.Increment();
    return sequence::Unit();
  }
  if (handoff->verdict.ok()) {
    metrics_.handoffs_taken.Increment();
    return sequence::Unit();
  }
  metrics_.handoffs_rejected.Increment();
  TaskEvents events(task, ids_);
  events.Reject(ReasonOf(handoff->verdict), MessageOf(handoff->verdict));
  return Record(connection, events, factory_);
}

absl::StatusOr<sequence::Unit> Reactions::TakeAnswer(pg::Connection& connection,
                                                     const reaction::Incoming& incoming) {
  const event::Envelope& envelope = incoming.event.envelope;
  const auto request_id = QuestionOf(connection, envelope);
  if (!request_id.ok()) return request_id.status();
  if (!*request_id) {
    Log(LogLevel::kInfo, "an answer to a question that is not known",
        {{"event_id", envelope.id.ToString()}});
    return sequence::Unit();
  }
  const auto settlement = SettleBy(connection, **request_id, envelope);
  if (!settlement.ok()) return settlement.status();
  if (settlement->by != envelope.id && envelope.type == kAnswered) {
    metrics_.answers_late.Increment();
    const absl::Status late = InsertLateAnswer(connection, **request_id, envelope.id);
    if (!late.ok()) return late;
  }
  return sequence::Unit();
}

}  // namespace god33::letta
