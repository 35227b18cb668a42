#include "pg/connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "pg/error.h"

namespace god33::pg {
namespace {

// "-c name=value" pairs for libpq's `options`, in which blanks and backslashes are escaped.
std::string Options(const Config& config) {
  std::string options;
  const auto add = [&options](std::string_view name, std::string_view value) {
    StrAppend(&options, options.empty() ? "-c " : " -c ", name, "=");
    for (const char c : value) {
      if (c == ' ' || c == '\\') options.push_back('\\');
      options.push_back(c);
    }
  };
  if (!config.role.empty()) add("role", config.role);
  for (const auto& [name, value] : config.settings) add(name, value);
  return options;
}

int MillisUntil(std::int64_t deadline_nanos) {
  const std::int64_t left = (deadline_nanos - MonotonicNanos()) / 1'000'000;
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 1'000'000'000));
}

}  // namespace

void Connection::Close::operator()(PGconn* connection) const {
  PQfinish(connection);
}

absl::StatusOr<std::unique_ptr<Connection>> Connection::Open(const Config& config) {
  const std::string options = Options(config);
  const std::string connect_timeout =
      StrCat(std::max<std::int64_t>(2, absl::ToInt64Seconds(config.connect_timeout)));
  // Later keywords win over what the URL says. A peer that vanishes without a word is noticed.
  const std::array<std::pair<const char*, const char*>, 9> keywords = {{
      {"dbname", config.url.c_str()},
      {"application_name", config.application_name.c_str()},
      {"options", options.c_str()},
      {"connect_timeout", connect_timeout.c_str()},
      {"client_encoding", "UTF8"},
      {"keepalives_idle", "10"},
      {"keepalives_interval", "5"},
      {"keepalives_count", "3"},
      {"tcp_user_timeout", "15000"},
  }};
  std::array<const char*, keywords.size() + 1> names{};
  std::array<const char*, keywords.size() + 1> values{};
  for (std::size_t i = 0; i < keywords.size(); ++i) {
    names[i] = keywords[i].first;
    values[i] = keywords[i].second;
  }
  std::unique_ptr<PGconn, Close> connection(PQconnectdbParams(names.data(), values.data(), 1));
  if (PQstatus(connection.get()) != CONNECTION_OK) {
    return ConnectionError(connection.get(), "connecting");
  }
  // Blocking sends would wait for a server that has stopped reading, without end.
  if (PQsetnonblocking(connection.get(), 1) != 0) {
    return ConnectionError(connection.get(), "connecting");
  }
  return std::unique_ptr<Connection>(new Connection(connection.release(), config.call_timeout));
}

Connection::~Connection() = default;

bool Connection::broken() const {
  return given_up_ || PQstatus(connection_.get()) != CONNECTION_OK;
}

absl::Status Connection::GiveUp(const char* doing) {
  given_up_ = true;
  return ConnectionError(connection_.get(), doing);
}

absl::Status Connection::WaitReadable(std::int64_t deadline_nanos) {
  for (;;) {
    // What is still to be sent may be what the server waits for.
    const int unsent = PQflush(connection_.get());
    if (unsent < 0) return GiveUp("sending");
    pollfd poller{.fd = PQsocket(connection_.get()),
                  .events = static_cast<short>(POLLIN | (unsent ? POLLOUT : 0))};
    const int ready = poll(&poller, 1, MillisUntil(deadline_nanos));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      given_up_ = true;
      return absl::UnavailableError("postgresql: no answer in time; the connection is given up");
    }
    if (poller.revents & (POLLIN | POLLERR | POLLHUP)) {
      if (PQconsumeInput(connection_.get()) == 0) return GiveUp("receiving");
      return absl::OkStatus();
    }
  }
}

absl::StatusOr<PGresult*> Connection::NextResult(std::int64_t deadline_nanos) {
  while (PQisBusy(connection_.get())) {
    if (absl::Status status = WaitReadable(deadline_nanos); !status.ok()) return status;
  }
  return PQgetResult(connection_.get());
}

absl::StatusOr<Result> Connection::OnlyResult(std::int64_t deadline_nanos) {
  absl::StatusOr<Result> outcome = absl::InternalError("postgresql: no result");
  for (;;) {
    const auto next = NextResult(deadline_nanos);
    if (!next.ok()) return next.status();
    if (*next == nullptr) return outcome;
    Result result(*next);
    const ExecStatusType status = PQresultStatus(*next);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
      if (outcome.ok() || absl::IsInternal(outcome.status())) outcome = std::move(result);
    } else {
      outcome = PQstatus(connection_.get()) == CONNECTION_OK
                    ? ToStatus(*next)
                    : ConnectionError(connection_.get(), "running a statement");
    }
  }
}

absl::Status Connection::Execute(std::string_view sql) {
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(call_timeout_);
  if (PQsendQuery(connection_.get(), std::string(sql).c_str()) == 0) return GiveUp("sending");
  return OnlyResult(deadline).status();
}

absl::Status Connection::EnsurePrepared(const Statement& statement) {
  if (prepared_.contains(statement.name)) return absl::OkStatus();
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(call_timeout_);
  if (PQsendPrepare(connection_.get(), statement.name, statement.sql, 0, nullptr) == 0) {
    return GiveUp("sending");
  }
  const auto prepared = OnlyResult(deadline);
  if (prepared.ok()) prepared_.insert(statement.name);
  return prepared.status();
}

absl::Status Connection::Send(const Command& command) {
  const Params& params = command.params;
  if (PQsendQueryPrepared(connection_.get(), command.statement.name, params.count(),
                          params.values(), params.lengths(), params.formats(),
                          /*resultFormat=*/1) == 0) {
    return GiveUp("sending");
  }
  return absl::OkStatus();
}

absl::StatusOr<Result> Connection::Query(const Statement& statement, const Params& params) {
  if (absl::Status status = EnsurePrepared(statement); !status.ok()) return status;
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(call_timeout_);
  if (absl::Status status = Send({statement, params}); !status.ok()) return status;
  return OnlyResult(deadline);
}

absl::StatusOr<std::vector<Result>> Connection::QueryAll(absl::Span<const Command> commands) {
  for (const Command& command : commands) {
    if (absl::Status status = EnsurePrepared(command.statement); !status.ok()) return status;
  }
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(call_timeout_);
  if (PQenterPipelineMode(connection_.get()) == 0) return GiveUp("pipelining");
  for (const Command& command : commands) {
    if (absl::Status status = Send(command); !status.ok()) return status;
  }
  if (PQpipelineSync(connection_.get()) == 0) return GiveUp("sending");
  auto results = PipelineResults(commands.size(), deadline);
  if (!broken() && PQexitPipelineMode(connection_.get()) == 0) return GiveUp("pipelining");
  return results;
}

absl::StatusOr<std::vector<Result>> Connection::PipelineResults(std::size_t count,
                                                                std::int64_t deadline_nanos) {
  std::vector<Result> results;
  absl::Status failure;
  // Each statement gives its result and then null; the sync point gives one of its own.
  for (std::size_t i = 0; i < count; ++i) {
    const auto next = NextResult(deadline_nanos);
    if (!next.ok()) return next.status();
    if (*next == nullptr) return GiveUp("pipelining");
    Result result(*next);
    const ExecStatusType status = PQresultStatus(*next);
    if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) {
      results.push_back(std::move(result));
    } else if (failure.ok() && status != PGRES_PIPELINE_ABORTED) {
      failure = ToStatus(*next);
    }
    if (const auto end = NextResult(deadline_nanos); !end.ok()) return end.status();
  }
  const auto sync = NextResult(deadline_nanos);
  if (!sync.ok()) return sync.status();
  PQclear(*sync);
  if (broken()) return ConnectionError(connection_.get(), "running statements");
  if (!failure.ok()) return failure;
  return results;
}

absl::Status Connection::Commit() {
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(call_timeout_);
  if (PQsendQuery(connection_.get(), "COMMIT") == 0) return GiveUp("sending");
  const auto result = OnlyResult(deadline);
  if (!result.ok()) return result.status();
  if (result->tag() != "COMMIT") {
    return absl::AbortedError("postgresql: the transaction was rolled back");
  }
  return absl::OkStatus();
}

absl::Status Connection::WaitForNotification(absl::Duration timeout, Wakeup& wakeup) {
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(timeout);
  for (;;) {
    if (PQconsumeInput(connection_.get()) == 0) return GiveUp("listening");
    bool notified = false;
    while (PGnotify* notification = PQnotifies(connection_.get())) {
      PQfreemem(notification);
      notified = true;
    }
    if (notified) return absl::OkStatus();
    std::array<pollfd, 2> pollers{{{.fd = PQsocket(connection_.get()), .events = POLLIN},
                                   {.fd = wakeup.fd(), .events = POLLIN}}};
    const int ready = poll(pollers.data(), pollers.size(), MillisUntil(deadline));
    if (ready == 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return GiveUp("listening");
    if (ready > 0 && pollers[1].revents != 0) {
      wakeup.Clear();
      return absl::OkStatus();
    }
  }
}

absl::StatusOr<Transaction> Transaction::Begin(Connection& connection) {
  if (absl::Status status = connection.Execute("BEGIN"); !status.ok()) return status;
  return Transaction(connection);
}

Transaction::~Transaction() {
  if (connection_ == nullptr || connection_->broken()) return;
  // If this fails the connection is broken, and the server rolls back by itself.
  connection_->Execute("ROLLBACK").IgnoreError();
}

absl::Status Transaction::Commit() && {
  return std::exchange(connection_, nullptr)->Commit();
}

}  // namespace god33::pg
