#include "services/letta-bridge/reactions.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "eventlog/append.h"
#include "services/letta-bridge/questions.h"
#include "services/letta-bridge/request.h"
#include "services/letta-bridge/task_store.h"
#include "telemetry/log.h"

namespace god33::letta {
namespace {

constexpr char kWorkflowHandoff[] = "bmad.workflow.handoff.requested";
constexpr char kAgentHandoff[] = "agent.handoff.requested";
constexpr char kAsked[] = "agent.feedback.requested";
constexpr char kAnswered[] = "agent.feedback.response";
constexpr char kWithdrawn[] = "agent.feedback.withdrawn";

// The hand-offs among the causes: the parents themselves, and all that led to
// them. A chain that is longer than what is looked at has other troubles.
constexpr pg::Statement kEarlierOnChain = {"letta_earlier_on_chain", R"sql(
  WITH RECURSIVE chain (position) AS (
    SELECT position FROM event_ids WHERE event_id = ANY ($1::uuid[])
    UNION
    SELECT edge.parent_position FROM chain JOIN event_edges AS edge ON edge.child_position = chain.position
  ), causes AS (SELECT position FROM chain LIMIT 10000)
  SELECT payload FROM causes JOIN events USING (position)
  WHERE event_type IN ('bmad.workflow.handoff.requested', 'agent.handoff.requested'))sql"};

absl::StatusOr<int> EarlierOnChain(pg::Connection& connection, const std::vector<Uuid>& parents,
                                   const std::string& to_agent) {
  if (parents.empty()) return 0;
  pg::Params params;
  params.Ids(parents);
  const auto handoffs = connection.Query(kEarlierOnChain, params);
  if (!handoffs.ok()) return handoffs.status();
  // PostgreSQL itself can't look into a payload that holds \u0000.
  int earlier = 0;
  for (int row = 0; row < handoffs->rows(); ++row) {
    earlier += AgentAskedFor(handoffs->Bytes(row, 0)) == to_agent;
  }
  return earlier;
}

TaskEvent ToTaskEvent(const event::Envelope& envelope) {
  return {.id = envelope.id,
          .type = envelope.type,
          .payload = envelope.payload,
          .parents = envelope.parents};
}

bool IsHandoff(const std::string& type) {
  return type == kWorkflowHandoff || type == kAgentHandoff;
}

}  // namespace

Reactions::Reactions(Options options, const reaction::EventFactory& factory, Clock& clock,
                     IdSource& ids, Metrics& metrics, std::function<void()> wake)
    : options_(std::move(options)),
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
  Task task;
  Apply(ToTaskEvent(envelope), task);

  absl::Status acceptable;
  const auto request = ReadRequest(envelope.payload, incoming.event.payload_errors);
  if (request.ok()) {
    const auto earlier = EarlierOnChain(connection, envelope.parents, request->to_agent);
    if (!earlier.ok()) return earlier.status();
    acceptable = CheckAcceptable(*request, {.now = clock_.Now(),
                                            .agent_types = options_.agent_types,
                                            .earlier_on_chain = *earlier,
                                            .most_on_chain = options_.most_on_chain});
  } else {
    acceptable = request.status();
    task.request.idempotency_key.clear();
  }

  const auto inserted = InsertTask(connection, task);
  if (!inserted.ok()) return inserted.status();
  if (!*inserted) {
    Log(LogLevel::kInfo, "a hand-off was taken before, under its idempotency key",
        {{"event_id", envelope.id.ToString()}, {"from_agent", task.request.from_agent}});
    metrics_.handoffs_repeated.Increment();
    return sequence::Unit();
  }
  if (acceptable.ok()) {
    metrics_.handoffs_taken.Increment();
    return sequence::Unit();
  }
  metrics_.handoffs_rejected.Increment();
  TaskEvents events(task, ids_);
  events.Reject(ReasonOf(acceptable), MessageOf(acceptable));
  return Record(connection, events, factory_);
}

// Of several answers the first in the log wins, whichever comes here first. So the log is locked before it is
// looked at: an answer that is not stored yet can't get ahead any more.
absl::StatusOr<sequence::Unit> Reactions::TakeAnswer(pg::Connection& connection,
                                                     const reaction::Incoming& incoming) {
  const event::Envelope& envelope = incoming.event.envelope;
  const bool withdrawn = envelope.type == kWithdrawn;
  const auto request_id = QuestionOf(connection, envelope);
  if (!request_id.ok()) return request_id.status();
  if (!*request_id) {
    Log(LogLevel::kInfo, "an answer to a question that is not known",
        {{"event_id", envelope.id.ToString()}});
    return sequence::Unit();
  }
  std::optional<Uuid> settled_by;
  const auto question = LockPending(connection, **request_id, settled_by);
  if (!question.ok()) return question.status();
  if (!*question) {
    if (settled_by != envelope.id && !withdrawn) {
      metrics_.answers_late.Increment();
      const absl::Status late = InsertLateAnswer(connection, **request_id, envelope.id);
      if (!late.ok()) return late;
    }
    return sequence::Unit();
  }

  Answer winner{.event_id = envelope.id, .payload = envelope.payload};
  if (!withdrawn) {
    if (absl::Status status = eventlog::LockLog(connection); !status.ok()) return status;
    auto first = FirstAnswer(connection, **request_id);
    if (!first.ok()) return first.status();
    if (*first && (*first)->event_id != envelope.id) {
      winner = **std::move(first);
      metrics_.answers_late.Increment();
      const absl::Status late = InsertLateAnswer(connection, **request_id, envelope.id);
      if (!late.ok()) return late;
    }
  }
  absl::Status status =
      Settle(connection, **request_id, withdrawn ? "withdrawn" : "answered", winner.event_id,
             envelope.time, withdrawn ? std::string() : AnswerIn(winner.payload));
  if (!status.ok() || !(*question)->task_id)
    return status.ok() ? absl::StatusOr<sequence::Unit>(sequence::Unit()) : status;
  auto task = LockTask(connection, *(*question)->task_id);
  if (!task.ok()) return task.status();
  status = Fold(connection,
                {.id = winner.event_id,
                 .type = envelope.type,
                 .payload = winner.payload,
                 .parents = {**request_id}},
                *task);
  if (!status.ok()) return status;
  return sequence::Unit();
}

}  // namespace god33::letta
