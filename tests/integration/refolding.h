#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "base/stop.h"
#include "services/event-store-manager/projection_jobs.h"
#include "testing/servers.h"
#include "tests/integration/events.h"
#include "tests/integration/projecting.h"

// Jobs on the projections, and logs on which they have something to do.

namespace god33::testing {

using manager::ProjectionDifference;
using manager::ProjectionJob;
using manager::ProjectionJobs;
using manager::ProjectionScope;

inline std::string Quoted(const char* key, const Uuid& id) {
  return StrCat("\"", key, "\":\"", id.ToString(), "\"");
}

inline void Run(const TestDatabase& database, const std::string& sql) {
  const absl::Status status = TestDatabase::Connect(database.Admin())->Execute(sql);
  INFO(status);
  REQUIRE(status.ok());
}

inline std::string Text(const TestDatabase& database, const std::string& sql) {
  const pg::Statement statement = {"text", sql.c_str()};
  const auto rows = TestDatabase::Connect(database.Admin())->Query(statement);
  INFO(rows.status());
  REQUIRE(rows.ok());
  return rows->rows() == 0 ? "(none)" : std::string(rows->Bytes(0, 0));
}

// The whole of the projections as text, in a fixed order.
inline std::string Dump(const TestDatabase& database) {
  return Text(database, R"sql(
    SELECT coalesce(string_agg(line, E'\n' ORDER BY line), '') FROM (
      SELECT 'w' || w::text AS line FROM workflow_state AS w
      UNION ALL SELECT 's' || s::text FROM agent_sessions AS s
      UNION ALL SELECT 'f' || concat_ws(' ', projection, aggregate_id, since, position, error)
        FROM fold_failures) AS lines)sql");
}

inline Uuid Start(const TestDatabase& database, const std::string& kind,
                  ProjectionScope scope = {}) {
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid id = NewId();
  const absl::Status status =
      ProjectionJobs(*connection)
          .Insert({.id = id, .kind = kind, .requested_by = "test", .scope = scope});
  INFO(status);
  REQUIRE(status.ok());
  return id;
}

inline ProjectionJob Find(const TestDatabase& database, const Uuid& id) {
  const auto connection = TestDatabase::Connect(database.Writer());
  const auto job = ProjectionJobs(*connection).Find(id);
  REQUIRE(job.ok());
  REQUIRE(*job);
  return **job;
}

inline std::vector<ProjectionDifference> Differences(const TestDatabase& database, const Uuid& id) {
  const auto connection = TestDatabase::Connect(database.Writer());
  auto differences = ProjectionJobs(*connection).Differences(id);
  REQUIRE(differences.ok());
  return *std::move(differences);
}

// Steps until the job has ended; it may have to wait for a moment.
inline ProjectionJob SeeThrough(const TestDatabase& database, Projecting& projecting,
                                const Uuid& id) {
  const Stop never;
  for (int i = 0; i < 200; ++i) {
    projecting.CatchUp();
    const ProjectionJob job = Find(database, id);
    if (job.state != "running") return job;
    never.WaitFor(absl::Milliseconds(50));
  }
  return Find(database, id);
}

// Whether folding everything again gives what is live.
inline ProjectionJob Verify(const TestDatabase& database, Projecting& projecting,
                            ProjectionScope scope = {}) {
  const ProjectionJob job = SeeThrough(database, projecting, Start(database, "verify", scope));
  INFO(job.error);
  REQUIRE(job.state == "completed");
  return job;
}

inline ProjectionJob Rebuild(const TestDatabase& database, Projecting& projecting) {
  const ProjectionJob job = SeeThrough(database, projecting, Start(database, "rebuild"));
  INFO(job.error);
  REQUIRE(job.state == "completed");
  return job;
}

// A log of workflows and sessions whose parents, projects and hand-offs come late or never; some
// aggregates can't be folded to their end, if `failing`.
inline std::vector<event::Envelope> RandomLog(unsigned seed, int size, bool failing = true) {
  std::mt19937 random(seed);
  std::vector<Uuid> workflows;
  std::vector<Uuid> sessions;
  for (int i = 0; i < 12; ++i) workflows.push_back(NewId());
  for (int i = 0; i < 10; ++i) sessions.push_back(NewId());
  const std::vector<std::string> types = {
      "bmad.workflow.started",       "bmad.workflow.phase.completed",
      "agent.handoff.requested",     "bmad.workflow.handoff.requested",
      "agent.handoff.accepted",      "agent.letta.checkpoint.saved",
      "agent.letta.task.completed",  "agent.letta.session.paused",
      "agent.letta.session.resumed", "agent.letta.session.recovery.started",
      "agent.letta.session.failed",  "agent.message.sent",
      "bmad.workflow.completed",     "some.thing"};
  std::vector<event::Envelope> events;
  for (int i = 0; i < size; ++i) {
    event::Envelope event = MakeEnvelope(types[random() % types.size()]);
    event.time = absl::FromUnixSeconds(1'700'000'000 + static_cast<int>(random() % 5000));
    std::string phase = StrCat("p", random() % 4);
    if (failing && random() % 60 == 0) phase = std::string(60, 'x');
    if (random() % 15 == 0) phase = "refused";
    std::string payload =
        StrCat("{\"phase\":\"", phase, "\",\"from_agent\":\"bmad-", random() % 3,
               "\",\"to_agent\":\"letta-", random() % 3, "\",\"checkpoint_id\":\"c", i, "\"");
    if (random() % 5 == 0) {
      StrAppend(&payload, ",\"project_name\":\"project-", random() % 3, "\"");
    }
    if (random() % 4 == 0) {
      StrAppend(&payload, ",", Quoted("workflow_id", workflows[random() % workflows.size()]));
    }
    if (random() % 2 == 0) {
      StrAppend(&payload, ",", Quoted("session_id", sessions[random() % sessions.size()]));
    }
    if (random() % 6 == 0) {
      StrAppend(&payload, ",", Quoted("new_session_id", sessions[random() % sessions.size()]));
    }
    if (failing && random() % 200 == 0) {
      StrAppend(&payload, ",\"agent_instance_id\":\"", std::string(300, 'y'), "\"");
    }
    event.payload = payload + "}";
    if (random() % 4 == 0) {
      event.agent_context = event::AgentContext{.type = StrCat("letta-", random() % 3),
                                                .instance_id = StrCat("i-", random() % 3)};
    }
    for (std::size_t p = random() % 3; p > 0 && !events.empty(); --p) {
      const std::size_t back = 1 + random() % std::min<std::size_t>(events.size(), 60);
      const Uuid& parent = events[events.size() - back].id;
      if (std::find(event.parents.begin(), event.parents.end(), parent) == event.parents.end()) {
        event.parents.push_back(parent);
      }
    }
    events.push_back(event);
  }
  for (std::size_t i = 0; i + 40 < events.size(); i += 5) {
    std::swap(events[i], events[i + random() % 40]);
  }
  return events;
}

}  // namespace god33::testing
