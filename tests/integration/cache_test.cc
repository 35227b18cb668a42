#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/stop.h"
#include "eventlog/fold_source.h"
#include "projection/payload.h"
#include "services/event-store-api/lookups.h"
#include "services/event-store-api/stream_hub.h"
#include "services/event-store-manager/projector.h"
#include "testing/servers.h"
#include "tests/integration/events.h"

namespace god33::api {
namespace {

using store::v1::GetEventRequest;
using store::v1::GetEventResponse;
using store::v1::GetSessionRequest;
using store::v1::GetSessionResponse;
using store::v1::GetWorkflowRequest;
using store::v1::GetWorkflowResponse;
using testing::AppendAll;
using testing::MakeEnvelope;
using testing::NewId;
using testing::TestDatabase;

const auth::Principal kAnybody;

// The reading side of one process, without its transport.
class Replica {
 public:
  explicit Replica(const TestDatabase& database, std::size_t cache_bytes = 16 << 20)
      : reader_({.database = database.Reader(), .connections = 4}),
        cache_(cache_bytes, metrics_),
        hub_(std::make_unique<StreamHub>(
            StreamHub::Options{.database = {.database = database.Reader(), .connections = 1}},
            clock_, cache_, stream_metrics_)) {}

  absl::Status Get(const Uuid& id, std::int64_t min_position, GetEventResponse& response) {
    GetEventRequest request;
    request.set_event_id(id.ToString());
    return Answer(request, min_position, response);
  }
  absl::Status Get(const Uuid& id, std::int64_t min_position, GetWorkflowResponse& response) {
    GetWorkflowRequest request;
    request.set_workflow_id(id.ToString());
    return Answer(request, min_position, response);
  }
  absl::Status Get(const Uuid& id, std::int64_t min_position, GetSessionResponse& response) {
    GetSessionRequest request;
    request.set_session_id(id.ToString());
    return Answer(request, min_position, response);
  }

  // Asks until the answer comes from memory.
  template <typename Response>
  bool Remembers(const Uuid& id, prometheus::Counter& hits) {
    const double before = hits.Value();
    for (int i = 0; i < 500; ++i) {
      Response response;
      if (!Get(id, 0, response).ok()) return false;
      if (hits.Value() > before) return true;
      Stop().WaitFor(absl::Milliseconds(10));
    }
    return false;
  }

  CacheMetrics& metrics() { return metrics_; }
  AnswerCache& cache() { return cache_; }
  void EndTail() { hub_.reset(); }

 private:
  template <typename Request, typename Response>
  absl::Status Answer(Request& request, std::int64_t min_position, Response& response) {
    request.set_min_position(min_position);
    response.Clear();
    if (lookups_.Find(request, kAnybody, response)) return absl::OkStatus();
    return lookups_.Read(request, kAnybody, response);
  }

  prometheus::Registry registry_;
  CacheMetrics metrics_{registry_};
  StreamMetrics stream_metrics_{registry_};
  SystemClock clock_;
  Reader reader_;
  EventStore events_{reader_};
  WorkflowStore workflows_{reader_};
  WorkflowHistory history_{reader_};
  SessionStore sessions_{reader_};
  AnswerCache cache_;
  Lookups lookups_{events_, workflows_, history_, sessions_, cache_};
  std::unique_ptr<StreamHub> hub_;
};

std::string Quoted(const char* key, const Uuid& id) {
  return StrCat("\"", key, "\":\"", id.ToString(), "\"");
}

bool Until(const std::function<bool()>& condition) {
  const std::int64_t deadline = MonotonicNanos() + 20'000'000'000;
  const Stop never;
  while (!condition()) {
    if (MonotonicNanos() > deadline) return false;
    never.WaitFor(absl::Milliseconds(5));
  }
  return true;
}

// A projector on a thread of its own, that can be told to pause, and that sometimes takes a workflow for
// one that can't be folded, as after a failure, and mends it later.
class BackgroundProjector {
 public:
  BackgroundProjector(const TestDatabase& database, bool whims)
      : projector_(database.Writer(), metrics_),
        connection_(TestDatabase::Connect(database.Writer())),
        whims_(whims) {
    auto lease = eventlog::AcquireCursor(*connection_, "projector", "test", absl::Seconds(60));
    REQUIRE(lease.ok());
    REQUIRE(*lease);
    lease_ = **lease;
    thread_ = std::thread([this] { Run(); });
  }

  ~BackgroundProjector() { Finish().IgnoreError(); }

  // Folds what there is, and ends. Returns the first error.
  absl::Status Finish() {
    stop_.Request();
    if (thread_.joinable()) thread_.join();
    return status_;
  }

  void Freezes(const std::vector<Uuid>& workflows) { workflows_ = workflows; }

 private:
  void Run() {
    std::mt19937 random(11);
    for (;;) {
      const bool stopping = stop_.requested();
      if (whims_ && !stopping && random() % 40 == 0) stop_.WaitFor(absl::Milliseconds(60));
      if (whims_ && !stopping && random() % 60 == 0) Freeze(random);
      auto more = projector_.Step(*connection_, lease_);
      if (!more.ok()) {
        status_ = more.status();
        return;
      }
      if (*more) continue;
      if (stopping) return;
      stop_.WaitFor(absl::Milliseconds(3));
    }
  }

  void Freeze(std::mt19937& random) {
    if (workflows_.empty() || lease_.within > 0) return;
    constexpr pg::Statement kFreeze = {"freeze_for_test", R"sql(
      INSERT INTO fold_failures (projection, aggregate_id, since, position, error, next_attempt_at)
      VALUES ('workflow', $1::uuid, $2::bigint, $2::bigint, 'test', now() + interval '50 ms')
      ON CONFLICT DO NOTHING)sql"};
    const auto frozen = connection_->Query(
        kFreeze,
        pg::Params().Id(workflows_[random() % workflows_.size()]).Int8(lease_.position + 1));
    if (!frozen.ok()) status_ = frozen.status();
  }

  prometheus::Registry registry_;
  manager::Metrics metrics_{registry_};
  manager::Projector projector_;
  std::unique_ptr<pg::Connection> connection_;
  const bool whims_;
  std::vector<Uuid> workflows_;
  eventlog::CursorLease lease_;
  absl::Status status_;
  Stop stop_;
  std::thread thread_;
};

// What happens to a few workflows and sessions at random: hand-offs, recoveries, parents after their
// children; in bursts, so that there is something to remember between them.
class Writer {
 public:
  Writer(const TestDatabase& database, const std::vector<Uuid>& workflows,
         const std::vector<Uuid>& sessions, unsigned seed)
      : connection_(TestDatabase::Connect(database.Writer())),
        workflows_(workflows),
        sessions_(sessions),
        random_(seed) {}

  void Burst() {
    std::vector<event::Envelope> events;
    const unsigned size = 1 + random_() % 4;
    for (unsigned i = 0; i < size; ++i) events.push_back(Random());
    // Under load the wait for the log's lock may end too early; the same events again are duplicates.
    while (!AppendAll(*connection_, events).ok()) Stop().WaitFor(absl::Milliseconds(10));
  }

  const std::vector<Uuid>& known() const { return known_; }

 private:
  event::Envelope Random() {
    event::Envelope event = random_() % 2 == 0 ? OfWorkflow() : OfSession();
    if (!known_.empty() && random_() % 3 == 0) {
      event.parents.push_back(known_[random_() % known_.size()]);
    }
    if (random_() % 5 == 0) {
      owed_.push_back(NewId());
      event.parents.push_back(owed_.back());
    } else if (!owed_.empty() && random_() % 2 == 0) {
      event.id = owed_.front();
      owed_.erase(owed_.begin());
    }
    known_.push_back(event.id);
    return event;
  }

  event::Envelope OfWorkflow() {
    const std::vector<std::string> types = {
        "bmad.workflow.started", "bmad.workflow.phase.completed", "agent.handoff.accepted", "a.b",
        "bmad.workflow.handoff.requested"};
    std::string payload = "{\"phase\":\"p\",\"project_name\":\"x\",\"to_agent\":\"dev\"";
    if (random_() % 3 == 0) StrAppend(&payload, ",", Quoted("workflow_id", Any(workflows_)));
    return MakeEnvelope(types[random_() % types.size()], payload + "}");
  }

  event::Envelope OfSession() {
    const std::vector<std::string> types = {
        "agent.letta.checkpoint.saved", "agent.letta.session.paused",
        "agent.letta.session.resumed",  "agent.letta.session.recovery.started",
        "agent.letta.task.completed",   "other.note"};
    const std::vector<const char*> second = {"new_session_id", "new\\u005Fsession_id",
                                             "\\u006eew_session_id"};
    std::string payload =
        StrCat("{\"checkpoint_id\":\"c", random_() % 100, "\",\"reason\":\"h\\u00e9\"");
    if (random_() % 5 != 0) StrAppend(&payload, ",", Quoted("session_id", Any(sessions_)));
    if (random_() % 4 == 0) {
      StrAppend(&payload, ",", Quoted(second[random_() % second.size()], Any(sessions_)));
    }
    return MakeEnvelope(types[random_() % types.size()], payload + "}");
  }

  const Uuid& Any(const std::vector<Uuid>& ids) { return ids[random_() % ids.size()]; }

  std::unique_ptr<pg::Connection> connection_;
  const std::vector<Uuid>& workflows_;
  const std::vector<Uuid>& sessions_;
  std::mt19937 random_;
  std::vector<Uuid> known_;
  std::vector<Uuid> owed_;
};

std::string Short(const projection::SessionState& state) {
  return StrCat(state.version, " ", state.position, " ", state.status, " ", state.checkpoint_id,
                " ", projection::MetadataJson(state));
}

std::string Short(const store::v1::AgentSession& session) {
  return StrCat(session.version(), " ", session.position(), " ", session.status(), " ",
                session.checkpoint_id(), " ", session.metadata().text());
}

// All sessions as they were at every position, folded without a database's projection.
class SessionOracle {
 public:
  explicit SessionOracle(pg::Connection& connection, std::int64_t head) {
    eventlog::FoldSource source(connection);
    std::map<Uuid, projection::SessionState> states;
    for (std::int64_t position = 0; position < head; position += 50) {
      const auto items = source.Items(position, std::min(head, position + 50), 0, 1'000'000);
      REQUIRE(items.ok());
      auto events = source.Events(*items);
      REQUIRE(events.ok());
      for (const eventlog::FoldItem& item : *items) {
        if (item.workflow) continue;
        events->at(item.position).since = item.since;
        for (const Uuid& id : projection::SessionsOf(events->at(item.position))) {
          projection::SessionState& state = states[id];
          state.id = id;
          REQUIRE(projection::Apply(events->at(item.position), state).ok());
          at_[id][item.position] = Short(state);
        }
        if (events->at(item.position).type != "agent.letta.checkpoint.saved") continue;
        const projection::Payload payload(events->at(item.position).payload);
        auto session = payload.Id("session_id");
        if (!session) session = payload.Id("new_session_id");
        if (session) checkpoints_[*session].insert(item.position);
      }
    }
  }

  std::string At(const Uuid& id, std::int64_t position) const {
    const auto& states = at_.at(id);
    const auto after = states.upper_bound(position);
    return after == states.begin() ? "none" : std::prev(after)->second;
  }

  // The newest 100, as answers have them.
  std::set<std::int64_t> Checkpoints(const Uuid& id) const {
    const auto found = checkpoints_.find(id);
    return found == checkpoints_.end() ? std::set<std::int64_t>() : found->second;
  }

 private:
  std::map<Uuid, std::map<std::int64_t, std::string>> at_;
  std::map<Uuid, std::set<std::int64_t>> checkpoints_;
};

struct Seen {
  std::map<std::pair<Uuid, std::int64_t>, std::set<std::string>> workflows;
  std::vector<std::pair<Uuid, GetSessionResponse>> sessions;
  std::vector<std::string> mistakes;
};

// Asks for anything; what one reader is told of an aggregate never goes back.
void Ask(Replica& replica, Replica& plain, const std::vector<Uuid>& workflows,
         const std::vector<Uuid>& sessions, const std::atomic<bool>& over, unsigned seed,
         Seen& seen) {
  std::mt19937 random(seed);
  std::map<Uuid, std::int64_t> last;
  std::int64_t newest = 0;
  std::vector<Uuid> events;
  const auto check = [&](const Uuid& id, std::int64_t position, std::int64_t min_position) {
    if (position < min_position) seen.mistakes.push_back("min_position");
    if (position < last[id]) seen.mistakes.push_back("went back");
    last[id] = position;
    newest = std::max(newest, position);
  };
  while (!over) {
    const std::int64_t min_position = random() % 4 == 0 ? newest : 0;
    if (random() % 2 == 0) {
      const Uuid& id = workflows[random() % workflows.size()];
      GetWorkflowResponse response;
      if (!replica.Get(id, min_position, response).ok()) continue;
      check(id, response.position(), min_position);
      // A frozen one's state is older than what is folded.
      if (response.workflow().has_frozen()) continue;
      for (const std::string& text : response.workflow().correlation_ids()) {
        if (events.size() < 200) events.push_back(*Uuid::Parse(text));
      }
      seen.workflows[{id, response.position()}].insert(response.workflow().SerializeAsString());
    } else {
      const Uuid& id = sessions[random() % sessions.size()];
      GetSessionResponse response;
      if (!replica.Get(id, min_position, response).ok()) continue;
      check(id, response.position(), min_position);
      if (seen.sessions.size() < 200'000) seen.sessions.push_back({id, response});
    }
    if (!events.empty()) {
      const Uuid& id = events[random() % events.size()];
      GetEventResponse cached, direct;
      if (!replica.Get(id, min_position, cached).ok() || !plain.Get(id, 0, direct).ok() ||
          cached.SerializeAsString() != direct.SerializeAsString()) {
        seen.mistakes.push_back("event");
      }
    }
  }
}

TEST_CASE("what is remembered is what the database says at the position that is stated") {
  TestDatabase database;
  std::vector<Uuid> workflows, sessions;
  for (int i = 0; i < 8; ++i) workflows.push_back(NewId());
  for (int i = 0; i < 8; ++i) sessions.push_back(NewId());
  BackgroundProjector projector(database, true);
  projector.Freezes(workflows);
  Replica first(database), second(database), plain(database, 0);

  std::atomic<bool> over{false};
  std::array<Seen, 4> seen;
  std::vector<std::thread> readers;
  for (unsigned i = 0; i < seen.size(); ++i) {
    readers.emplace_back(
        [&, i] { Ask(i % 2 == 0 ? first : second, plain, workflows, sessions, over, i, seen[i]); });
  }
  std::vector<std::thread> writers;
  for (unsigned i = 0; i < 2; ++i) {
    writers.emplace_back([&, i] {
      Writer writer(database, workflows, sessions, 100 + i);
      std::mt19937 random(i);
      for (int round = 0; round < 150; ++round) {
        writer.Burst();
        Stop().WaitFor(absl::Milliseconds(random() % 60));
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  Stop().WaitFor(absl::Milliseconds(300));
  over = true;
  for (std::thread& reader : readers) reader.join();
  REQUIRE(projector.Finish().ok());

  Reader reader({.database = database.Reader(), .connections = 1});
  const std::int64_t head = EventStore(reader).List({}).value().position;
  WorkflowHistory history(reader);
  const auto connection = TestDatabase::Connect(database.Reader());
  const SessionOracle oracle(*connection, head);
  std::size_t states = 0;
  std::size_t answers = 0;
  for (const Seen& each : seen) {
    CHECK(each.mistakes == std::vector<std::string>());
    for (const auto& [at, texts] : each.workflows) {
      REQUIRE(texts.size() == 1);
      store::v1::Workflow workflow;
      REQUIRE(history.Get({.workflow = at.first, .at_position = at.second}, workflow).ok());
      CHECK(workflow.SerializeAsString() == *texts.begin());
      ++states;
    }
    for (const auto& [id, response] : each.sessions) {
      ++answers;
      if (Short(response.session()) != oracle.At(id, response.position())) {
        CHECK(Short(response.session()) == oracle.At(id, response.position()));
      }
      std::set<std::int64_t> shown;
      for (const auto& checkpoint : response.session().checkpoints()) {
        shown.insert(checkpoint.position());
      }
      const std::set<std::int64_t> all = oracle.Checkpoints(id);
      const bool whole = std::all_of(all.begin(), all.end(), [&](std::int64_t position) {
        return position > response.position() || shown.contains(position) ||
               (shown.size() == 100 && position < *shown.begin());
      });
      if (!whole) FAIL_CHECK("a checkpoint is missing at " << response.position());
    }
  }
  const auto hits = [&](const auto counters) {
    return ((first.metrics().*counters).hits.Value() + (second.metrics().*counters).hits.Value());
  };
  INFO(states << " states, " << answers << " session answers, hits " << hits(&CacheMetrics::event)
              << " " << hits(&CacheMetrics::workflow) << " " << hits(&CacheMetrics::session));
  CHECK(states > 200);
  CHECK(hits(&CacheMetrics::event) > 1000);
  CHECK(hits(&CacheMetrics::workflow) > 200);
  CHECK(hits(&CacheMetrics::session) > 200);
  // Before its first look, and when a busy machine holds it up.
  CHECK(first.metrics().bypassed_tail.Value() < 0.05 * hits(&CacheMetrics::event));
  CHECK(plain.metrics().event.misses.Value() == 0);
}

TEST_CASE("who passes the position of his own write sees it, however hot the workflow is") {
  TestDatabase database;
  BackgroundProjector projector(database, false);
  Replica replica(database);
  const Uuid workflow = NewId();
  std::atomic<bool> over{false};
  std::thread others([&] {
    while (!over) {
      GetWorkflowResponse response;
      replica.Get(workflow, 0, response).IgnoreError();
    }
  });
  const auto connection = TestDatabase::Connect(database.Writer());
  int stale = 0;
  for (int i = 1; i <= 1000; ++i) {
    const auto stored = AppendAll(
        *connection, {MakeEnvelope("a.b", StrCat("{", Quoted("workflow_id", workflow), "}"))});
    if (!stored.ok()) break;
    GetWorkflowResponse response;
    const absl::Status status = replica.Get(workflow, i, response);
    stale += !status.ok() || response.position() < i || response.workflow().version() < i;
    if (i % 20 == 0) Stop().WaitFor(absl::Milliseconds(15));
  }
  over = true;
  others.join();
  CHECK(stale == 0);
  CHECK(replica.metrics().workflow.hits.Value() > 0);
}

// A log with one event, workflow and session, all folded, and a replica that remembers them.
struct Remembered {
  Remembered() : projector(database, false), replica(database) {
    const event::Envelope started =
        MakeEnvelope("agent.letta.checkpoint.saved",
                     StrCat("{", Quoted("workflow_id", workflow), ",",
                            Quoted("session_id", session), ",\"checkpoint_id\":\"c\"}"));
    event = started.id;
    REQUIRE(AppendAll(*connection, {started}).ok());
    REQUIRE(Until([this] {
      GetWorkflowResponse response;
      return replica.Get(workflow, 1, response).ok();
    }));
    REQUIRE(RemembersAll());
  }

  bool RemembersAll() {
    return replica.Remembers<GetEventResponse>(event, replica.metrics().event.hits) &&
           replica.Remembers<GetWorkflowResponse>(workflow, replica.metrics().workflow.hits) &&
           replica.Remembers<GetSessionResponse>(session, replica.metrics().session.hits);
  }

  void Execute(const std::string& sql) {
    const absl::Status status = TestDatabase::Connect(database.Admin())->Execute(sql);
    INFO(MessageOf(status));
    REQUIRE(status.ok());
  }

  TestDatabase database;
  std::unique_ptr<pg::Connection> connection = TestDatabase::Connect(database.Writer());
  const Uuid workflow = NewId();
  const Uuid session = NewId();
  Uuid event;
  BackgroundProjector projector;
  Replica replica;
};

TEST_CASE("without the tail nothing is taken from memory after a second") {
  Remembered log;
  log.replica.EndTail();
  CHECK(Until([&] {
    GetEventResponse response;
    REQUIRE(log.replica.Get(log.event, 0, response).ok());
    return log.replica.metrics().bypassed_tail.Value() > 0;
  }));
  // What changes now is seen.
  REQUIRE(AppendAll(*log.connection,
                    {MakeEnvelope("a.b", StrCat("{", Quoted("workflow_id", log.workflow), "}"))})
              .ok());
  GetWorkflowResponse response;
  REQUIRE(log.replica.Get(log.workflow, 2, response).ok());
  CHECK(response.workflow().version() == 2);
  REQUIRE(log.replica.Get(log.workflow, 0, response).ok());
  CHECK(response.workflow().version() == 2);
}

TEST_CASE("a tail that is cut off again and again comes back, and nothing is wrong meanwhile") {
  Remembered log;
  for (int i = 2; i < 12; ++i) {
    log.Execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'god33_reader' AND "
        "datname = current_database()");
    REQUIRE(AppendAll(*log.connection,
                      {MakeEnvelope("a.b", StrCat("{", Quoted("workflow_id", log.workflow), "}"))})
                .ok());
    GetWorkflowResponse response;
    REQUIRE(Until([&] { return log.replica.Get(log.workflow, i, response).ok(); }));
    CHECK(response.workflow().version() == i);
  }
  CHECK(log.RemembersAll());
}

TEST_CASE("another log, or one that was set back, leaves nothing of the old one in memory") {
  Remembered log;
  const auto entries = [&] {
    const CacheMetrics& metrics = log.replica.metrics();
    return metrics.event.entries.Value() + metrics.workflow.entries.Value() +
           metrics.session.entries.Value();
  };
  REQUIRE(entries() == 3);
  log.Execute("UPDATE log_identity SET log_id = gen_random_uuid()");
  CHECK(Until([&] { return entries() == 0; }));
  CHECK(log.RemembersAll());
  CHECK(entries() == 3);
  log.Execute("UPDATE cursors SET position = 0");
  CHECK(Until([&] { return log.replica.cache().point().projected == 0 || entries() < 3; }));
}

TEST_CASE("an event that retention has dropped is not answered from memory") {
  Remembered log;
  log.Execute("UPDATE log_months SET first_position = 2");
  log.Execute("DELETE FROM events");
  CHECK(Until([&] {
    GetEventResponse response;
    return !log.replica.Get(log.event, 0, response).ok();
  }));
  CHECK(Until([&] {
    GetSessionResponse response;
    REQUIRE(log.replica.Get(log.session, 0, response).ok());
    return response.session().checkpoints().empty();
  }));
}

TEST_CASE("the state of what is frozen is not remembered") {
  Remembered log;
  for (const auto& [projection, id] : std::vector<std::pair<std::string, Uuid>>{
           {"workflow", log.workflow}, {"session", log.session}}) {
    log.Execute(
        StrCat("INSERT INTO fold_failures (projection, aggregate_id, since, position, error, "
               "next_attempt_at) VALUES ('",
               projection, "', '", id.ToString(), "', 2, 2, 'test', 'infinity')"));
  }
  // The event takes the old states away; it is not folded into them.
  REQUIRE(
      AppendAll(*log.connection, {MakeEnvelope("agent.letta.session.paused",
                                               StrCat("{", Quoted("workflow_id", log.workflow), ",",
                                                      Quoted("session_id", log.session), "}"))})
          .ok());
  GetWorkflowResponse workflow;
  GetSessionResponse session;
  REQUIRE(log.replica.Get(log.workflow, 2, workflow).ok());
  REQUIRE(log.replica.Get(log.session, 2, session).ok());
  REQUIRE(Until([&] { return log.replica.cache().point().projected == 2; }));
  for (int i = 0; i < 10; ++i) {
    REQUIRE(log.replica.Get(log.workflow, 0, workflow).ok());
    REQUIRE(log.replica.Get(log.session, 0, session).ok());
    CHECK(workflow.workflow().version() == 1);
    CHECK(session.session().version() == 1);
  }
  CHECK(log.replica.metrics().workflow.entries.Value() == 0);
  CHECK(log.replica.metrics().session.entries.Value() == 0);
  // A late fold, below the projector's position, is seen at once.
  log.Execute("UPDATE fold_failures SET next_attempt_at = now()");
  CHECK(Until([&] {
    REQUIRE(log.replica.Get(log.workflow, 0, workflow).ok());
    REQUIRE(log.replica.Get(log.session, 0, session).ok());
    return workflow.workflow().version() == 2 && session.session().version() == 2;
  }));
  CHECK(log.RemembersAll());
}

TEST_CASE("an answer to what is not there is not remembered") {
  Remembered log;
  const Uuid workflow = NewId();
  GetWorkflowResponse response;
  CHECK(ReasonOf(log.replica.Get(workflow, 0, response)) == "WORKFLOW_NOT_FOUND");
  REQUIRE(AppendAll(*log.connection,
                    {MakeEnvelope("a.b", StrCat("{", Quoted("workflow_id", workflow), "}"))})
              .ok());
  CHECK(log.replica.Get(workflow, 2, response).ok());
}

}  // namespace
}  // namespace god33::api
