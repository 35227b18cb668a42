#include "services/letta-bridge/handoff.h"

#include "services/letta-bridge/request.h"

namespace god33::letta {
namespace {

// How many hand-offs to the same agent are among the causes: of the parents themselves, and of all that led to
// them. A chain that is longer than what is looked at has other troubles.
constexpr pg::Statement kEarlierOnChain = {"letta_earlier_on_chain", R"sql(
  WITH RECURSIVE chain (position) AS (
    SELECT position FROM event_ids WHERE event_id = ANY ($1::uuid[])
    UNION
    SELECT edge.parent_position FROM chain JOIN event_edges AS edge ON edge.child_position = chain.position
  ), causes AS (SELECT position FROM chain LIMIT 10000)
  SELECT payload FROM causes JOIN events USING (position)
  WHERE event_type IN ('bmad.workflow.handoff.requested', 'agent.handoff.requested')
  LIMIT 1000)sql"};

absl::StatusOr<int> EarlierOnChain(pg::Connection& connection, const std::vector<Uuid>& parents,
                                   const std::string& to_agent) {
  if (parents.empty()) return 0;
  pg::Params params;
  params.Ids(parents);
  const auto rows = connection.Query(kEarlierOnChain, params);
  if (!rows.ok()) return rows.status();
  // Not by PostgreSQL: its ->> fails at a payload that holds \u0000 or half a surrogate pair anywhere.
  int count = 0;
  for (int row = 0; row < rows->rows(); ++row) {
    if (AgentAskedFor(rows->Bytes(row, 0)) == to_agent) ++count;
  }
  return count;
}

}  // namespace

TaskEvent ToTaskEvent(const event::Envelope& envelope) {
  return {.id = envelope.id,
          .type = envelope.type,
          .payload = envelope.payload,
          .parents = envelope.parents};
}

absl::StatusOr<Handoff> Judge(pg::Connection& connection, const HandoffRules& rules, absl::Time now,
                              const event::Envelope& envelope,
                              const std::vector<std::string>& payload_errors) {
  Handoff handoff;
  Apply(ToTaskEvent(envelope), handoff.task);
  const auto request = ReadRequest(envelope.payload, payload_errors);
  if (!request.ok()) {
    handoff.verdict = request.status();
    handoff.task.request.idempotency_key.clear();
    return handoff;
  }
  const auto earlier = EarlierOnChain(connection, envelope.parents, request->to_agent);
  if (!earlier.ok()) return earlier.status();
  handoff.verdict = CheckAcceptable(*request, {.now = now,
                                               .agent_types = rules.agent_types,
                                               .earlier_on_chain = *earlier,
                                               .most_on_chain = rules.most_on_chain});
  return handoff;
}

}  // namespace god33::letta
