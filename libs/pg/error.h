#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

typedef struct pg_conn PGconn;
typedef struct pg_result PGresult;

namespace god33::pg {

// How a failure of PostgreSQL becomes a status. The message is the server's primary message; its
// DETAIL carries row values, so it goes to the log and never to a caller. By SQLSTATE:
//   08, 53, 57P0x, 40001, 40P01, 55P03, 25P03, no connection   UNAVAILABLE: try again
//   57014 (statement_timeout, cancel)                          DEADLINE_EXCEEDED
//   23505                                                      ALREADY_EXISTS
//   21, 22, 23, 54                                             INVALID_ARGUMENT: the data
//   42501                                                      PERMISSION_DENIED
//   else                                                       INTERNAL
absl::Status ToStatus(const PGresult* result);
absl::Status ConnectionError(const PGconn* connection, const char* doing);

// The five characters of SQLSTATE, or empty when the error did not come from the server.
std::string SqlState(const absl::Status& status);

// The database is away or busy: the same call may succeed later.
bool IsTransient(const absl::Status& status);

// The disk is full: reading goes on, writing does when there is room again.
bool IsDiskFull(const absl::Status& status);

// The content of a row is at fault: the same call fails again.
bool IsDataError(const absl::Status& status);

// What a caller of a service may know of a failure. Errors with a reason of our own stay as they are; what
// the database said in its own words is logged as a warning, `what` says of which work, and becomes
//   UNAVAILABLE (DATABASE_FULL)             its disk is full: try again when there is room
//   UNAVAILABLE (DATABASE_UNAVAILABLE)      it is away or busy: try again
//   UNAVAILABLE (DATABASE_NOT_MIGRATED)     a table, column or function is missing
//   DEADLINE_EXCEEDED (QUERY_TOO_SLOW)      statement_timeout
//   INTERNAL (INTERNAL)                     else
absl::Status ForCaller(const absl::Status& status, std::string_view what);

}  // namespace god33::pg
