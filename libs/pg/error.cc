#include "pg/error.h"

#include <libpq-fe.h>

#include <string_view>

#include "absl/strings/cord.h"
#include "base/error.h"
#include "base/strings.h"
#include "telemetry/log.h"

namespace god33::pg {
namespace {

constexpr char kSqlState[] = "god33.sqlstate";

absl::StatusCode CodeOf(std::string_view state) {
  const std::string_view family = state.substr(0, 2);
  if (state.empty() || family == "08" || family == "53" || state.substr(0, 4) == "57P0" ||
      state == "40001" || state == "40P01" || state == "55P03" || state == "25P03") {
    return absl::StatusCode::kUnavailable;
  }
  if (state == "57014") return absl::StatusCode::kDeadlineExceeded;
  if (state == "23505") return absl::StatusCode::kAlreadyExists;
  if (family == "21" || family == "22" || family == "23" || family == "54") {
    return absl::StatusCode::kInvalidArgument;
  }
  if (state == "42501") return absl::StatusCode::kPermissionDenied;
  return absl::StatusCode::kInternal;
}

std::string_view FieldOrEmpty(const PGresult* result, int field) {
  const char* text = PQresultErrorField(result, field);
  return text == nullptr ? std::string_view() : std::string_view(text);
}

// libpq ends its messages with a line feed.
std::string_view Trimmed(std::string_view text) {
  while (!text.empty() && text.back() == '\n') text.remove_suffix(1);
  return text;
}

}  // namespace

absl::Status ToStatus(const PGresult* result) {
  const std::string_view state = FieldOrEmpty(result, PG_DIAG_SQLSTATE);
  std::string_view message = FieldOrEmpty(result, PG_DIAG_MESSAGE_PRIMARY);
  if (message.empty()) message = Trimmed(PQresultErrorMessage(result));
  const std::string_view detail = FieldOrEmpty(result, PG_DIAG_MESSAGE_DETAIL);
  if (!detail.empty()) {
    Log(LogLevel::kDebug, "error detail from postgresql",
        {{"sqlstate", state}, {"error", message}, {"detail", detail}});
  }
  absl::Status status(CodeOf(state), StrCat("postgresql: ", message));
  if (!state.empty()) status.SetPayload(kSqlState, absl::Cord(ToAbsl(state)));
  return status;
}

absl::Status ConnectionError(const PGconn* connection, const char* doing) {
  return absl::UnavailableError(
      StrCat("postgresql: ", doing, ": ", Trimmed(PQerrorMessage(connection))));
}

std::string SqlState(const absl::Status& status) {
  const auto state = status.GetPayload(kSqlState);
  return state ? std::string(*state) : std::string();
}

bool IsTransient(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status);
}

bool IsDiskFull(const absl::Status& status) {
  return SqlState(status) == "53100";
}

bool IsDataError(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsAlreadyExists(status);
}

absl::Status ForCaller(const absl::Status& status, std::string_view what) {
  const std::string state = SqlState(status);
  if (status.ok() || (state.empty() && ReasonOf(status) != "UNAVAILABLE")) return status;
  Log(LogLevel::kWarning, what, {{"error", MessageOf(status)}});
  if (state == "57014") {
    return MakeError(absl::StatusCode::kDeadlineExceeded, "QUERY_TOO_SLOW",
                     "the database took too long; ask for less at once, or try again");
  }
  if (IsDiskFull(status)) {
    return MakeError(absl::StatusCode::kUnavailable, "DATABASE_FULL",
                     "the database's disk is full; try again when there is room");
  }
  if (IsTransient(status)) {
    return MakeError(absl::StatusCode::kUnavailable, "DATABASE_UNAVAILABLE",
                     "the database is away; try again");
  }
  // Undefined table, column or function.
  if (state == "42P01" || state == "42703" || state == "42883") {
    return MakeError(absl::StatusCode::kUnavailable, "DATABASE_NOT_MIGRATED",
                     "the database lacks this version's schema: migrate it");
  }
  return MakeError(absl::StatusCode::kInternal, "INTERNAL", "the query failed; the log says why");
}

}  // namespace god33::pg
