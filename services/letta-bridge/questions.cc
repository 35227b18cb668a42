#include "services/letta-bridge/questions.h"

#include "base/strings.h"
#include "base/timestamp.h"
#include "json/text.h"
#include "json/text_of.h"
#include "json/value.h"

namespace god33::letta {
namespace {

constexpr pg::Statement kInsert = {"letta_insert_foreign_question", R"sql(
  INSERT INTO letta_questions (request_id, workflow_id, agent, status, payload, asked_at, answer_by)
  VALUES ($1::uuid, $2::uuid, $3::text, 'pending', $4::json, $5::timestamptz, NULL)
  ON CONFLICT DO NOTHING)sql"};

constexpr pg::Statement kAmong = {"letta_question_among", R"sql(
  SELECT request_id FROM letta_questions WHERE request_id = ANY ($1::uuid[]) LIMIT 1)sql"};

constexpr pg::Statement kNewestOf = {"letta_newest_question_of", R"sql(
  SELECT request_id FROM letta_questions WHERE agent = $1::text AND status = 'pending'
  ORDER BY asked_at DESC LIMIT 1)sql"};

constexpr pg::Statement kLock = {"letta_lock_question", R"sql(
  SELECT task_id, status, settled_by FROM letta_questions WHERE request_id = $1::uuid FOR UPDATE
  )sql"};

// Answers that name the question as a parent or in their payload. Its position bounds those that must be looked into.
constexpr pg::Statement kFirstAnswer = {"letta_first_answer", R"sql(
  SELECT answer.event_id, answer.payload
  FROM event_ids AS asked
  JOIN events AS answer ON answer.event_type = 'agent.feedback.response'
    AND answer.position > asked.position
  WHERE asked.event_id = $1::uuid AND (
    $1::uuid = ANY (answer.correlation_ids)
    OR answer.payload::text ~* ('"request_id"\s*:\s*"' || $1::uuid::text || '"'))
  ORDER BY answer.position LIMIT 1)sql"};

constexpr pg::Statement kSettle = {"letta_settle", R"sql(
  UPDATE letta_questions
  SET status = $2::text, settled_by = $3::uuid, settled_at = $4::timestamptz, answer = $5::text
  WHERE request_id = $1::uuid AND status = 'pending')sql"};

constexpr pg::Statement kLate = {"letta_insert_late_answer", R"sql(
  INSERT INTO letta_late_answers VALUES ($1::uuid, $2::uuid) ON CONFLICT DO NOTHING)sql"};

constexpr pg::Statement kDefault = {"letta_question_default", R"sql(
  SELECT payload FROM letta_questions WHERE request_id = $1::uuid)sql"};

constexpr pg::Statement kDue = {"letta_due_questions", R"sql(
  SELECT request_id, task_id FROM letta_questions
  WHERE status = 'pending' AND answer_by <= clock_timestamp() AND task_id IS NOT NULL
  ORDER BY answer_by LIMIT 20)sql"};

std::optional<Uuid> OnlyId(const pg::Result& rows) {
  return rows.rows() == 0 ? std::nullopt : std::optional<Uuid>(rows.Id(0, 0));
}

bool Fits(const std::string& name) {
  return !name.empty() && name.size() <= 255 && name.find('\0') == std::string::npos;
}

}  // namespace

std::string QuestionIn(const json::Value& payload) {
  const std::string question = TextOf(payload, "question");
  return question.empty() ? TextOf(payload, "message") : question;
}

std::vector<std::string> OptionsIn(const json::Value& payload) {
  std::vector<std::string> options;
  const auto value = payload.Find("options");
  if (!value || value->kind() != json::Kind::kArray) return options;
  for (const json::Value option : value->elements()) {
    if (option.is_string()) options.push_back(option.ToString());
  }
  return options;
}

absl::Status InsertForeignQuestion(pg::Connection& connection, const reaction::Incoming& asked) {
  const event::Envelope& envelope = asked.event.envelope;
  const event::Facts& facts = asked.event.facts;
  pg::Params params;
  params.Id(envelope.id);
  if (facts.workflow_id) {
    params.Id(*facts.workflow_id);
  } else {
    params.Null();
  }
  params.Text(facts.agent_id).Text(envelope.payload).Time(envelope.time);
  return connection.Query(kInsert, params).status();
}

absl::StatusOr<std::optional<Uuid>> QuestionOf(pg::Connection& connection,
                                               const event::Envelope& envelope) {
  const json::Value payload = json::Value::Checked(envelope.payload);
  std::vector<Uuid> ids = envelope.parents;
  if (const auto named = Uuid::Parse(TextOf(payload, "request_id"))) ids.push_back(*named);
  if (!ids.empty()) {
    pg::Params params;
    params.Ids(ids);
    const auto found = connection.Query(kAmong, params);
    if (!found.ok()) return found.status();
    if (found->rows() > 0) return OnlyId(*found);
  }
  const std::string agent = TextOf(payload, "agent_id");
  if (!Fits(agent)) return std::nullopt;
  pg::Params params;
  params.Text(agent);
  const auto found = connection.Query(kNewestOf, params);
  if (!found.ok()) return found.status();
  return OnlyId(*found);
}

absl::StatusOr<std::optional<OpenQuestion>> LockPending(pg::Connection& connection,
                                                        const Uuid& request_id,
                                                        std::optional<Uuid>& settled_by) {
  pg::Params params;
  params.Id(request_id);
  const auto found = connection.Query(kLock, params);
  if (!found.ok()) return found.status();
  if (found->rows() == 0) return std::nullopt;
  settled_by = found->OptionalId(0, 2);
  if (found->Bytes(0, 1) != "pending") return std::nullopt;
  return OpenQuestion{.request_id = request_id, .task_id = found->OptionalId(0, 0)};
}

absl::StatusOr<std::optional<Answer>> FirstAnswer(pg::Connection& connection,
                                                  const Uuid& request_id) {
  pg::Params params;
  params.Id(request_id);
  const auto found = connection.Query(kFirstAnswer, params);
  if (!found.ok()) return found.status();
  if (found->rows() == 0) return std::nullopt;
  return Answer{.event_id = found->Id(0, 0), .payload = std::string(found->Bytes(0, 1))};
}

absl::Status Settle(pg::Connection& connection, const Uuid& request_id, std::string_view status,
                    const Uuid& settled_by, absl::Time at, std::string_view answer) {
  pg::Params params;
  params.Id(request_id).Text(status).Id(settled_by).Time(at).Text(json::CleanText(answer));
  return connection.Query(kSettle, params).status();
}

absl::Status InsertLateAnswer(pg::Connection& connection, const Uuid& request_id,
                              const Uuid& event_id) {
  pg::Params params;
  params.Id(event_id).Id(request_id);
  return connection.Query(kLate, params).status();
}

absl::StatusOr<std::string> DefaultOf(pg::Connection& connection, const Uuid& request_id) {
  pg::Params params;
  params.Id(request_id);
  const auto found = connection.Query(kDefault, params);
  if (!found.ok()) return found.status();
  if (found->rows() == 0) return std::string();
  return TextOf(json::Value::Checked(found->Bytes(0, 0)), "default");
}

absl::StatusOr<std::vector<OpenQuestion>> DueQuestions(pg::Connection& connection) {
  const auto rows = connection.Query(kDue);
  if (!rows.ok()) return rows.status();
  std::vector<OpenQuestion> due;
  for (int row = 0; row < rows->rows(); ++row) {
    due.push_back({.request_id = rows->Id(row, 0), .task_id = rows->OptionalId(row, 1)});
  }
  return due;
}

}  // namespace god33::letta
