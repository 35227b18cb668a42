#include "services/event-store-api/session_store.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "json/value.h"
#include "services/event-store-api/time_page.h"
#include "wire/proto.h"

namespace god33::api {
namespace {

constexpr char kCheckpointSaved[] = "agent.letta.checkpoint.saved";

constexpr std::array<std::string_view, 4> kStatuses = {"active", "paused", "completed", "failed"};

#define GOD33_SESSION_COLUMNS                                                              \
  "s.session_id, s.agent_type, s.agent_instance_id, s.checkpoint_id, s.workflow_id, "      \
  "s.project_name, s.started_at, s.last_active_at, s.completed_at, s.status, s.metadata, " \
  "s.version, s.position"
#define GOD33_SESSION_TABLE " FROM agent_sessions AS s "

// Of one session there is also whether it is frozen, and where the log was.
#define GOD33_ONE_SESSION                                                        \
  "SELECT " GOD33_SESSION_COLUMNS                                                \
  ", EXISTS (SELECT FROM fold_failures AS f WHERE f.projection = 'session' AND " \
  "f.aggregate_id = s.session_id), " GOD33_LOG_POINT_COLUMNS GOD33_SESSION_TABLE

constexpr int kFrozen = 13;

constexpr pg::Statement kGet = {"get_session", GOD33_ONE_SESSION "WHERE s.session_id = $1::uuid"};

constexpr pg::Statement kNewest = {"newest_session_of_agent", GOD33_ONE_SESSION
                                   "WHERE s.agent_instance_id = $1::text "
                                   "ORDER BY s.last_active_at DESC, s.session_id LIMIT 1"};

void ReadSession(const pg::Result& rows, int row, store::v1::AgentSession& session) {
  const auto text = [&](int column) { return std::string(rows.Bytes(row, column)); };
  session.set_session_id(rows.Id(row, 0).ToString());
  session.set_agent_type(text(1));
  if (!rows.IsNull(row, 2)) session.set_agent_instance_id(text(2));
  if (!rows.IsNull(row, 3)) session.set_checkpoint_id(text(3));
  if (!rows.IsNull(row, 4)) session.set_workflow_id(rows.Id(row, 4).ToString());
  if (!rows.IsNull(row, 5)) session.set_project_name(text(5));
  *session.mutable_started_at() = wire::ToProto(rows.Time(row, 6));
  *session.mutable_last_active_at() = wire::ToProto(rows.Time(row, 7));
  if (!rows.IsNull(row, 8)) *session.mutable_completed_at() = wire::ToProto(rows.Time(row, 8));
  session.set_status(text(9));
  session.mutable_metadata()->set_text(text(10));
  session.set_version(rows.Int8(row, 11));
  session.set_position(rows.Int8(row, 12));
}

// The page behind `token`, most recently active first.
Sql PageSql(const SessionQuery& query, const std::optional<TimeToken>& token) {
  Sql sql;
  std::string where;
  const auto add = [&where](std::string_view condition) {
    StrAppend(&where, where.empty() ? "WHERE " : " AND ", condition);
  };
  const auto equals = [&](const char* column, const std::string& value) {
    if (value.empty()) return;
    sql.params.Text(value);
    add(StrCat(column, " = $", sql.params.count(), "::text"));
  };
  equals("s.agent_type", query.agent_type);
  equals("s.agent_instance_id", query.agent_id);
  equals("s.status", query.status);
  if (query.workflow) {
    sql.params.Id(*query.workflow);
    add(StrCat("s.workflow_id = $", sql.params.count(), "::uuid"));
  }
  if (token) add(Behind(*token, "s.last_active_at", "s.session_id", sql.params));
  sql.params.Int8(query.limit + 1);
  sql.text = StrCat("SELECT " GOD33_SESSION_COLUMNS GOD33_SESSION_TABLE, where,
                    " ORDER BY s.last_active_at DESC, s.session_id LIMIT $", sql.params.count(),
                    "::bigint");
  return sql;
}

}  // namespace

std::string SessionQuery::Fingerprint() const {
  return Sha256Hex(StrCat(agent_type.size(), ":", agent_type, agent_id.size(), ":", agent_id,
                          status.size(), ":", status, workflow ? workflow->ToString() : "-"))
      .substr(0, 16);
}

absl::StatusOr<SessionQuery> ReadQuery(const store::v1::ListSessionsRequest& request) {
  SessionQuery query;
  auto type = ReadText("agent_type", request.has_agent_type(), request.agent_type());
  if (!type.ok()) return type.status();
  auto agent = ReadText("agent_id", request.has_agent_id(), request.agent_id());
  if (!agent.ok()) return agent.status();
  const bool known =
      std::find(kStatuses.begin(), kStatuses.end(), request.status()) != kStatuses.end();
  if (request.has_status() && !known) {
    return InvalidField("status", StrCat("expected active, paused, completed or failed, got \"",
                                         Clip(request.status(), 40), "\""));
  }
  if (request.has_workflow_id()) {
    const auto workflow = ReadId("workflow_id", request.workflow_id());
    if (!workflow.ok()) return workflow.status();
    query.workflow = *workflow;
  }
  const auto limit = ReadLimit(request.has_limit(), request.limit());
  if (!limit.ok()) return limit.status();
  if (request.min_position() < 0) return InvalidField("min_position", "expected 0 or more");
  query.agent_type = *std::move(type);
  query.agent_id = *std::move(agent);
  query.status = request.status();
  query.limit = *limit;
  query.page_token = request.page_token();
  query.min_position = request.min_position();
  return query;
}

absl::Status SessionStore::List(const SessionQuery& query,
                                store::v1::ListSessionsResponse& response) {
  const auto page = ReadTimePage(
      reader_,
      {.page_token = query.page_token,
       .fingerprint = query.Fingerprint(),
       .limit = query.limit,
       .min_position = query.min_position,
       .time_column = 7},
      [&query](const std::optional<TimeToken>& token) { return PageSql(query, token); });
  if (!page.ok()) return page.status();
  for (int i = 0; i < page->count; ++i) ReadSession(page->rows, i, *response.add_sessions());
  response.set_next_page_token(page->next_page_token);
  response.set_position(page->position);
  return absl::OkStatus();
}

absl::StatusOr<FoldedAt> SessionStore::Get(const std::string& name, std::int64_t min_position,
                                           store::v1::AgentSession& session) {
  if (min_position < 0) return InvalidField("min_position", "expected 0 or more");
  const auto text = ReadText("session_id", true, name);
  if (!text.ok()) return text.status();
  const std::optional<Uuid> id = Uuid::Parse(name);
  FoldedAt at;
  const auto take = [&](const pg::Result& rows) {
    ReadSession(rows, 0, session);
    at = {.point = ReadLogPoint(rows, 0, kFrozen + 1), .frozen = rows.Bool(0, kFrozen)};
    return absl::OkStatus();
  };
  const absl::Status status = reader_.Run([&](pg::Connection& connection) -> absl::Status {
    session.Clear();
    if (min_position > 0) {
      const auto state = reader_.StateAt(connection, min_position, Reader::Of::kProjection);
      if (!state.ok()) return state.status();
    }
    if (id) {
      const auto rows = connection.Query(kGet, pg::Params().Id(*id));
      if (!rows.ok()) return rows.status();
      if (rows->rows() > 0) return take(*rows);
    }
    // An agent's id may look like a UUID, too.
    const auto rows = connection.Query(kNewest, pg::Params().Text(name));
    if (!rows.ok()) return rows.status();
    if (rows->rows() == 0) {
      return MakeError(absl::StatusCode::kNotFound, "SESSION_NOT_FOUND",
                       StrCat("no session and no agent has the id ", Clip(name, 80)), "session_id");
    }
    return take(*rows);
  });
  if (!status.ok()) return status;
  return at;
}

absl::StatusOr<Uuid> SessionStore::Find(const std::string& name, std::int64_t min_position) {
  store::v1::AgentSession session;
  if (const auto at = Get(name, min_position, session); !at.ok()) return at.status();
  return ReadId("session_id", session.session_id());
}

EventQuery CheckpointsOf(const Uuid& session) {
  EventQuery query;
  query.filter.session = session;
  query.filter.types.push_back(*event::TypePattern::Parse(kCheckpointSaved));
  query.descending = true;
  query.counted = false;
  return query;
}

absl::StatusOr<EventQuery> ReadQuery(const store::v1::ListCheckpointsRequest& request) {
  EventQuery query = CheckpointsOf(Uuid());
  const auto limit = ReadLimit(request.has_limit(), request.limit());
  if (!limit.ok()) return limit.status();
  query.limit = *limit;
  query.page_token = request.page_token();
  return query;
}

absl::StatusOr<EventQuery> ReadQuery(const store::v1::ListSessionEventsRequest& request) {
  store::v1::ListEventsRequest list;
  if (request.has_limit()) list.set_limit(request.limit());
  if (request.has_offset()) list.set_offset(request.offset());
  list.set_page_token(request.page_token());
  list.set_order(request.order());
  list.set_min_position(request.min_position());
  return ReadQuery(list);
}

void ToProto(const eventlog::StoredEvent& event, store::v1::Checkpoint& checkpoint) {
  const json::Value payload = json::Value::Checked(event.envelope.payload);
  const auto text = [&payload](std::string_view key) {
    const auto value = payload.Find(key);
    return value && value->is_string() ? value->ToString() : std::string();
  };
  checkpoint.set_checkpoint_id(text("checkpoint_id"));
  checkpoint.set_checkpoint_type(text("checkpoint_type"));
  checkpoint.set_summary(text("summary"));
  if (const auto snapshot = payload.Find("context_snapshot"); snapshot && !snapshot->is_null()) {
    checkpoint.mutable_context_snapshot()->set_text(std::string(snapshot->text()));
  }
  if (const auto metrics = payload.Find("metrics"); metrics && !metrics->is_null()) {
    checkpoint.mutable_metrics()->set_text(std::string(metrics->text()));
  }
  *checkpoint.mutable_created_at() = wire::ToProto(event.envelope.time);
  checkpoint.set_event_id(event.envelope.id.ToString());
  checkpoint.set_position(event.position);
}

}  // namespace god33::api
