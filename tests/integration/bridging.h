#pragma once

#include <prometheus/registry.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "pg/pool.h"
#include "reaction/decide.h"
#include "reaction/reactor.h"
#include "services/letta-bridge/metrics.h"
#include "services/letta-bridge/reactions.h"
#include "services/letta-bridge/task_store.h"
#include "services/letta-bridge/work_queue.h"
#include "testing/servers.h"
#include "tests/integration/events.h"
#include "wire/registry.h"

// The Letta bridge's tables, and its reactions without a bus. To make a database takes longer than most of the tests
// do: they share one, which each begins by emptying.

namespace god33::testing {

inline constexpr char kHandoff[] = "bmad.workflow.handoff.requested";
inline constexpr char kAnswer[] = "agent.feedback.response";

// JSON with ' for ".
inline std::string Json(std::string text) {
  for (char& c : text) c = c == '\'' ? '"' : c;
  return text;
}

// A hand-off to letta-python-dev; `more` are members of its payload, with ' for ".
inline event::Envelope MakeHandoff(const std::string& more = "",
                                   const std::vector<Uuid>& parents = {},
                                   const std::string& to_agent = "letta-python-dev") {
  return MakeEnvelope(kHandoff,
                      Json(StrCat("{'workflow_id':'", NewId().ToString(),
                                  "','from_agent':'bmad-architect','to_agent':'", to_agent,
                                  "','task_description':'Build it'", more, "}")),
                      parents);
}

class Bridging {
 public:
  Bridging() {
    std::string sql;
    for (const char* table :
         {"events", "event_ids", "event_edges", "event_orphans", "late_parents", "memberships",
          "workflow_projects", "aggregates", "letta_sessions", "letta_tasks", "letta_handoff_keys",
          "letta_leases", "letta_orders", "letta_memories", "letta_checkpoints", "letta_questions",
          "letta_late_answers", "letta_tool_calls", "letta_agents", "letta_agent_numbers"}) {
      StrAppend(&sql, "DELETE FROM ", table, ";");
    }
    MustExecute(sql);
  }

  static pg::Config Database() {
    pg::Config config = Shared().Writer();
    config.settings = reaction::DatabaseSettings();
    return config;
  }

  void MustExecute(const std::string& sql) const {
    const absl::Status status = TestDatabase::Connect(Shared().Admin())->Execute(sql);
    INFO(status);
    REQUIRE(status.ok());
  }
  std::int64_t Number(const std::string& sql) const {
    const std::string query = StrCat("SELECT (", sql, ")::bigint");
    return Ask(query).Int8(0, 0);
  }
  std::int64_t Count(const std::string& from) const {
    return Number(StrCat("SELECT count(*) FROM ", from));
  }
  std::string Text(const std::string& sql) const {
    const std::string query = StrCat("SELECT (", sql, ")::text");
    const pg::Result rows = Ask(query);
    return std::string(rows.Bytes(0, 0));
  }

  // As the manager does with what comes over the bus.
  void Store(const event::Envelope& envelope) const {
    const auto connection = TestDatabase::Connect(Shared().Writer());
    const auto stored = AppendAll(*connection, {envelope});
    INFO(stored.status());
    REQUIRE(stored.ok());
  }

  // As the reactor does with an event that is stored.
  absl::Status TryReact(const event::Envelope& envelope) {
    sequence::NewEvent event = sequence::Prepare(envelope);
    event.payload_errors = registry.Check(envelope.type, envelope.payload);
    const reaction::Incoming incoming{.event = event, .position = 1};
    return reaction::Decide(
               pool,
               [&](pg::Connection& connection) { return reactions.React(connection, incoming); })
        .status();
  }
  void React(const event::Envelope& envelope) {
    const absl::Status status = TryReact(envelope);
    INFO(status);
    REQUIRE(status.ok());
  }
  Uuid Take(const event::Envelope& envelope) {
    Store(envelope);
    React(envelope);
    return envelope.id;
  }

  letta::Task TaskOf(const Uuid& id) const {
    auto task = letta::ReadState(
        Text(StrCat("SELECT state FROM letta_tasks WHERE task_id = '", id.ToString(), "'")));
    REQUIRE(task.ok());
    return *std::move(task);
  }
  std::string StatusOf(const Uuid& id) const {
    return Text(StrCat("SELECT coalesce((SELECT status FROM letta_tasks WHERE task_id = '",
                       id.ToString(), "'), 'none')"));
  }

  // The task's events in the order of the log: those that the bridge made, and others' that settled its questions.
  letta::Task FoldOf(const Uuid& id) const {
    const std::string query = StrCat(
        "SELECT event_id, event_type, events.payload, settled.request_id, correlation_ids FROM "
        "events "
        "LEFT JOIN letta_questions AS settled "
        "  ON settled.settled_by = event_id AND settled.task_id = '",
        id.ToString(), "' WHERE event_id = '", id.ToString(),
        "' OR settled.request_id IS NOT NULL OR events.payload::text LIKE '%\"task_id\":\"",
        id.ToString(), "\"%' ORDER BY position");
    const pg::Result rows = Ask(query);
    letta::Task task;
    for (int row = 0; row < rows.rows(); ++row) {
      std::vector<Uuid> parents = rows.Ids(row, 4);
      if (const auto request = rows.OptionalId(row, 3)) parents.push_back(*request);
      letta::Apply({.id = rows.Id(row, 0),
                    .type = rows.Bytes(row, 1),
                    .payload = rows.Bytes(row, 2),
                    .parents = parents},
                   task);
    }
    return task;
  }

  // The stored state of each task is the fold of its events, byte for byte.
  void CheckStates() const {
    const pg::Result rows = Ask("SELECT task_id, state::text FROM letta_tasks");
    for (int row = 0; row < rows.rows(); ++row) {
      CHECK(letta::WriteState(FoldOf(rows.Id(row, 0))) == rows.Bytes(row, 1));
    }
  }

  absl::StatusOr<letta::ClaimResult> Claim(const Uuid& task_id, const std::string& holder,
                                           int most = 10) {
    absl::StatusOr<letta::ClaimResult> result = absl::UnknownError("not asked");
    const auto outcome =
        reaction::Decide(pool, [&](pg::Connection& connection) -> absl::StatusOr<sequence::Unit> {
          result = letta::ClaimTask(connection, task_id, holder, most, clock.Now());
          if (!result.ok()) return result.status();
          if (!result->claim) return absl::CancelledError("not claimed");
          return sequence::Unit();
        });
    return result;
  }

  SystemClock clock;
  TimeOrderedIds ids{clock};
  wire::PayloadRegistry registry;
  prometheus::Registry prometheus;
  letta::Metrics metrics{prometheus};
  reaction::EventFactory factory{"letta-bridge", "test", registry, clock, ids};
  pg::Pool pool{Database(), 8};
  letta::Reactions reactions{
      {.agent_types = {"python-dev", "rust-dev", "qa"}}, factory, clock, ids, metrics, [] {}};

 private:
  static const TestDatabase& Shared() {
    static const TestDatabase database;
    return database;
  }

  pg::Result Ask(const std::string& query) const {
    const pg::Statement statement = {"ask", query.c_str()};
    auto rows = TestDatabase::Connect(Shared().Admin())->Query(statement);
    INFO(query << ": " << rows.status());
    REQUIRE(rows.ok());
    return *std::move(rows);
  }
};

}  // namespace god33::testing
