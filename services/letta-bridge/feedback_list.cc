#include "services/letta-bridge/feedback_list.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "json/value.h"
#include "services/letta-bridge/fields.h"
#include "services/letta-bridge/questions.h"
#include "services/letta-bridge/task.h"
#include "wire/timestamp.h"

namespace god33::letta {
namespace {

#define GOD33_QUESTION_COLUMNS                                                         \
  "q.request_id, q.status, q.task_id, q.workflow_id, q.agent, q.payload, q.asked_at, " \
  "q.answer_by, q.settled_by, q.settled_at, q.answer"

constexpr pg::Statement kList = {"letta_api_feedback",
                                 "SELECT " GOD33_QUESTION_COLUMNS R"sql( FROM letta_questions AS q
  WHERE ($1::text = 'all' OR q.status = $1::text)
    AND ($2::uuid IS NULL OR q.workflow_id = $2::uuid)
    AND ($3::text IS NULL OR q.agent = $3::text)
    AND ($4::timestamptz IS NULL OR q.asked_at < $4::timestamptz
      OR (q.asked_at = $4::timestamptz AND q.request_id > $5::uuid))
  ORDER BY q.asked_at DESC, q.request_id LIMIT $6::bigint)sql"};

constexpr pg::Statement kGet = {"letta_api_question",
                                "SELECT " GOD33_QUESTION_COLUMNS R"sql(, e.payload
  FROM letta_questions AS q
    LEFT JOIN event_ids AS i ON i.event_id = q.settled_by
    LEFT JOIN events AS e ON e.position = i.position
  WHERE q.request_id = $1::uuid)sql"};

// In the order of the log.
constexpr pg::Statement kLate = {"letta_api_late_answers", R"sql(
  SELECT late.event_id, e.payload, e."timestamp"
  FROM letta_late_answers AS late
    LEFT JOIN event_ids AS i ON i.event_id = late.event_id
    LEFT JOIN events AS e ON e.position = i.position
  WHERE late.request_id = $1::uuid ORDER BY i.position, late.event_id LIMIT 1000)sql"};

constexpr std::array<std::string_view, 5> kStatuses = {"pending", "answered", "timed_out",
                                                       "withdrawn", "all"};

std::string TextIn(const json::Value& payload, std::string_view key) {
  const auto value = payload.Find(key);
  return value && value->is_string() ? value->ToString() : std::string();
}

void Fill(const pg::Result& rows, int row, v1::Feedback& feedback) {
  const auto text = [&](int column) { return std::string(rows.Bytes(row, column)); };
  feedback.set_request_id(rows.Id(row, 0).ToString());
  feedback.set_status(text(1));
  if (!rows.IsNull(row, 2)) feedback.set_task_id(rows.Id(row, 2).ToString());
  if (!rows.IsNull(row, 3)) feedback.set_workflow_id(rows.Id(row, 3).ToString());
  feedback.set_agent(text(4));
  const json::Value payload = json::Value::Checked(rows.Bytes(row, 5));
  if (const auto id = Uuid::Parse(TextIn(payload, "session_id"))) {
    feedback.set_session_id(id->ToString());
  }
  feedback.set_question(QuestionIn(payload));
  if (const auto context = payload.Find("context")) {
    feedback.mutable_context()->set_text(std::string(context->text()));
  }
  for (std::string& option : OptionsIn(payload)) feedback.add_options(std::move(option));
  feedback.set_default_(TextIn(payload, "default"));
  *feedback.mutable_asked_at() = wire::ToProto(rows.Time(row, 6));
  if (!rows.IsNull(row, 7)) *feedback.mutable_answer_by() = wire::ToProto(rows.Time(row, 7));
  if (!rows.IsNull(row, 8)) feedback.set_settled_by(rows.Id(row, 8).ToString());
  if (!rows.IsNull(row, 9)) *feedback.mutable_settled_at() = wire::ToProto(rows.Time(row, 9));
  feedback.set_answer(text(10));
}

}  // namespace

absl::Status ListFeedback(pg::Connection& connection, const v1::ListFeedbackRequest& request,
                          v1::ListFeedbackResponse& response) {
  const std::string status = request.status().empty() ? "pending" : request.status();
  if (std::find(kStatuses.begin(), kStatuses.end(), status) == kStatuses.end()) {
    return InvalidField("status",
                        StrCat("expected pending, answered, timed_out, withdrawn or all, got \"",
                               Clip(status, 40), "\""));
  }
  pg::Params params;
  params.Text(status);
  if (request.has_workflow_id()) {
    const auto id = ReadId("workflow_id", request.workflow_id());
    if (!id.ok()) return id.status();
    params.Id(*id);
  } else {
    params.Null();
  }
  if (request.has_agent()) {
    absl::Status checked = CheckText("agent", request.agent(), 1, 255);
    if (!checked.ok()) return checked;
    params.Text(request.agent());
  } else {
    params.Null();
  }
  const auto limit = ReadLimit(request.has_limit(), request.limit());
  if (!limit.ok()) return limit.status();
  const std::string fingerprint =
      StrCat("feedback|", status, "|", request.workflow_id(), "|", request.agent());
  const auto token = ReadPageToken(fingerprint, request.page_token());
  if (!token.ok()) return token.status();
  if (*token) {
    params.Time(absl::FromUnixMicros((*token)->number)).Id((*token)->id);
  } else {
    params.Null().Null();
  }
  params.Int8(*limit + 1);
  const auto rows = connection.Query(kList, params);
  if (!rows.ok()) return rows.status();
  for (int row = 0; row < std::min(rows->rows(), *limit); ++row) {
    Fill(*rows, row, *response.add_feedback());
  }
  if (rows->rows() > *limit) {
    const int last = *limit - 1;
    response.set_next_page_token(WritePageToken(
        fingerprint, {.number = absl::ToUnixMicros(rows->Time(last, 6)), .id = rows->Id(last, 0)}));
  }
  return absl::OkStatus();
}

absl::Status ReadFeedback(pg::Connection& connection, const Uuid& request_id,
                          v1::Feedback& feedback) {
  pg::Params params;
  params.Id(request_id);
  const auto found = connection.Query(kGet, params);
  if (!found.ok()) return found.status();
  if (found->rows() == 0) {
    return MakeError(absl::StatusCode::kNotFound, "FEEDBACK_NOT_FOUND",
                     StrCat("there is no question ", request_id.ToString()), "request_id");
  }
  Fill(*found, 0, feedback);
  if (!found->IsNull(0, 11)) {
    feedback.set_responder(TextIn(json::Value::Checked(found->Bytes(0, 11)), "responder"));
  }
  const auto late = connection.Query(kLate, params);
  if (!late.ok()) return late.status();
  for (int row = 0; row < late->rows(); ++row) {
    v1::LateAnswer& answer = *feedback.add_late_answers();
    answer.set_event_id(late->Id(row, 0).ToString());
    if (late->IsNull(row, 1)) continue;  // dropped by retention
    answer.set_answer(AnswerIn(late->Bytes(row, 1)));
    answer.set_responder(TextIn(json::Value::Checked(late->Bytes(row, 1)), "responder"));
    *answer.mutable_answered_at() = wire::ToProto(late->Time(row, 2));
  }
  return absl::OkStatus();
}

}  // namespace god33::letta
