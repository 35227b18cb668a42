#include <grpcpp/create_channel.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>
#include <thread>

#include "base/stop.h"
#include "rpc/health.h"
#include "rpc/server.h"
#include "rpc/status.h"
#include "services/event-store-api/service.h"
#include "services/event-store-manager/adoption.h"
#include "testing/servers.h"
#include "tests/integration/events.h"

namespace god33::api {
namespace {

using store::v1::EventStoreService;
using store::v1::StreamEventsRequest;
using store::v1::StreamEventsResponse;
using testing::AppendAll;
using testing::MakeEnvelope;
using testing::NewId;
using testing::TestDatabase;

// The service on a port of its own, with small bounds.
class StreamServer {
 public:
  explicit StreamServer(TestDatabase& database, StreamHub::Options options = {})
      : metrics_(registry_),
        stream_metrics_(registry_),
        cache_metrics_(registry_),
        reader_({.database = database.Reader()}),
        events_(reader_),
        workflows_(reader_),
        executor_(2, 100) {
    options.database = {.database = database.Reader(), .connections = 2};
    hub_ = std::make_unique<StreamHub>(options, clock_, cache_, stream_metrics_);
    service_ = std::make_unique<QueryService>(events_, causation_, workflows_, sessions_, lookups_,
                                              payloads_, executor_, *hub_, metrics_);
    auto server = rpc::Server::Start({.listen = "127.0.0.1:0"}, {service_.get()}, health_);
    REQUIRE(server.ok());
    server_ = *std::move(server);
    stub_ = EventStoreService::NewStub(
        grpc::CreateChannel(server_->address(), grpc::InsecureChannelCredentials()));
  }

  ~StreamServer() {
    hub_->Close();
    server_->Stop(absl::Seconds(3));
  }

  EventStoreService::Stub& stub() { return *stub_; }
  StreamHub& hub() { return *hub_; }
  double open() { return stream_metrics_.open.Value(); }
  double cut_off() { return stream_metrics_.cut_off.Value(); }

 private:
  prometheus::Registry registry_;
  Metrics metrics_;
  StreamMetrics stream_metrics_;
  CacheMetrics cache_metrics_;
  AnswerCache cache_{1 << 20, cache_metrics_};
  SystemClock clock_;
  wire::PayloadRegistry payloads_;
  Reader reader_;
  EventStore events_;
  CausationStore causation_{reader_};
  WorkflowStore workflows_;
  WorkflowHistory history_{reader_};
  SessionStore sessions_{reader_};
  Lookups lookups_{events_, workflows_, history_, sessions_, cache_};
  Executor executor_;
  rpc::Health health_;
  std::unique_ptr<StreamHub> hub_;
  std::unique_ptr<QueryService> service_;
  std::unique_ptr<rpc::Server> server_;
  std::unique_ptr<EventStoreService::Stub> stub_;
};

// One call of StreamEvents.
class Call {
 public:
  Call(StreamServer& server, const StreamEventsRequest& request)
      : reader_(server.stub().StreamEvents(&context_, request)) {}
  ~Call() {
    if (!reader_) return;
    context_.TryCancel();
    End().IgnoreError();
  }

  // False at the end.
  bool Read(StreamEventsResponse& frame) { return reader_->Read(&frame); }

  // The next frame; ends the test case if there is none.
  StreamEventsResponse Next() {
    StreamEventsResponse frame;
    if (!Read(frame)) FAIL("the stream ended: " << MessageOf(End()));
    return frame;
  }

  // The next event's position.
  std::int64_t NextEvent() {
    for (;;) {
      const StreamEventsResponse frame = Next();
      if (frame.has_event()) return frame.event().position();
    }
  }

  void Cancel() { context_.TryCancel(); }

  // Reads what is left, and returns how the call ended.
  absl::Status End() {
    StreamEventsResponse frame;
    while (reader_->Read(&frame)) last_ = frame;
    const absl::Status status = rpc::FromGrpc(reader_->Finish());
    reader_.reset();
    return status;
  }
  const StreamEventsResponse& last() const { return last_; }

 private:
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReader<StreamEventsResponse>> reader_;
  StreamEventsResponse last_;
};

void AdoptAll(pg::Connection& connection) {
  for (;;) {
    const auto step = manager::AdoptStep(connection, 1'000'000'000);
    REQUIRE(step.ok());
    if (!*step) return;
  }
}

std::string InWorkflow(const Uuid& workflow) {
  return StrCat("{\"workflow_id\":\"", workflow.ToString(), "\"}");
}

bool Until(const std::function<bool()>& condition) {
  const std::int64_t deadline = MonotonicNanos() + 20'000'000'000;
  const Stop never;
  while (!condition()) {
    if (MonotonicNanos() > deadline) return false;
    never.WaitFor(absl::Milliseconds(10));
  }
  return true;
}

const std::vector<std::string> kTypes = {"bmad.workflow.started", "agent.letta.task.completed",
                                         "agent.letta.checkpoint.saved", "a.b"};

// Appends at random what all filters find, sometimes children before their parents.
class Writer {
 public:
  Writer(TestDatabase& database, const std::vector<Uuid>& workflows, const Uuid& parent,
         unsigned seed)
      : connection_(TestDatabase::Connect(database.Writer())),
        workflows_(workflows),
        random_(seed),
        known_(10, parent) {}

  void Append() {
    std::vector<event::Envelope> envelopes;
    const unsigned size = 1 + random_() % 8;
    for (unsigned i = 0; i < size; ++i) envelopes.push_back(Random());
    std::shuffle(envelopes.begin(), envelopes.end(), random_);
    // Under load the wait for the log's lock may end too early; the same events again are duplicates.
    while (!AppendAll(*connection_, envelopes).ok()) Stop().WaitFor(absl::Milliseconds(10));
  }

  // The parents that were promised.
  void Finish() {
    while (!owed_.empty()) Append();
  }

 private:
  event::Envelope Random() {
    std::string payload = StrCat("{\"agent_id\":\"agent-", random_() % 3, "\"");
    if (random_() % 4 == 0) {
      StrAppend(&payload, ",\"workflow_id\":\"",
                workflows_[random_() % workflows_.size()].ToString(), "\"");
    }
    if (random_() % 12 == 0) StrAppend(&payload, ",\"project_name\":\"p", random_() % 2, "\"");
    payload.push_back('}');
    event::Envelope envelope = MakeEnvelope(kTypes[random_() % kTypes.size()], payload);
    if (!known_.empty() && random_() % 2 == 0) {
      envelope.parents.push_back(known_[random_() % known_.size()]);
    }
    if (random_() % 6 == 0) {
      owed_.push_back(NewId());
      envelope.parents.push_back(owed_.back());
    } else if (!owed_.empty() && random_() % 3 == 0) {
      envelope.id = owed_.front();
      envelope.parents.clear();
      owed_.erase(owed_.begin());
    }
    known_.push_back(envelope.id);
    return envelope;
  }

  std::unique_ptr<pg::Connection> connection_;
  const std::vector<Uuid>& workflows_;
  std::mt19937 random_;
  std::vector<Uuid> known_, owed_;
};

// Follows the log with one filter, goes away at random and comes back.
class Subscriber {
 public:
  Subscriber(StreamServer& server, StreamEventsRequest request, unsigned seed)
      : server_(server), request_(std::move(request)), random_(seed), thread_([this] { Run(); }) {}

  // Waits until it has seen everything up to `position`.
  void Finish(std::int64_t position) {
    target_.store(position);
    thread_.join();
  }

  std::vector<std::int64_t> positions;
  std::vector<std::string> problems;
  int calls = 0;
  int closed = 0;  // calls that the server ended

 private:
  void Run() {
    const std::int64_t deadline = MonotonicNanos() + 60'000'000'000;
    while (problems.empty() && !Follow()) {
      if (MonotonicNanos() > deadline) problems.push_back("too late");
    }
  }

  // True: everything was seen.
  bool Follow() {
    ++calls;
    Call call(server_, request_);
    int left = 1 + static_cast<int>(random_() % 200);
    StreamEventsResponse frame;
    StreamPoint last{request_.after(), request_.within()};
    for (bool first = true; left-- > 0; first = false) {
      if (!call.Read(frame)) {
        const absl::Status status = call.End();
        if (!absl::IsUnavailable(status)) problems.emplace_back(MessageOf(status));
        ++closed;
        return false;
      }
      if (first != frame.has_subscribed()) problems.push_back("subscribed is not the first frame");
      const StreamPoint point{frame.position(), frame.within()};
      if (point < last) problems.push_back("the position goes back");
      last = point;
      request_.set_after(point.position);
      request_.set_within(point.within);
      if (frame.has_event()) positions.push_back(frame.event().position());
      const std::int64_t target = target_.load();
      if (target > 0 && point.position >= target) return true;
    }
    return false;
  }

  StreamServer& server_;
  StreamEventsRequest request_;
  std::mt19937 random_;
  std::atomic<std::int64_t> target_ = 0;
  std::thread thread_;
};

// What a scan of the tables gives, in the order of the stream.
class Oracle {
 public:
  explicit Oracle(pg::Connection& connection) {
    constexpr pg::Statement kEvents = {
        "oracle_events", "SELECT " GOD33_EVENT_COLUMNS " FROM events AS e ORDER BY e.position"};
    const auto rows = connection.Query(kEvents);
    REQUIRE(rows.ok());
    for (int i = 0; i < rows->rows(); ++i) events_.push_back(eventlog::ReadEvent(*rows, i));
    constexpr pg::Statement kMembers = {"oracle_members", R"sql(
      SELECT m.position, m.group_id, m.since, coalesce(p.project, ''), coalesce(p.position, 0)
      FROM memberships AS m LEFT JOIN workflow_projects AS p ON p.workflow_id = m.group_id
      WHERE m.kind = 'w')sql"};
    const auto members = connection.Query(kMembers);
    REQUIRE(members.ok());
    for (int i = 0; i < members->rows(); ++i) {
      const std::int64_t position = members->Int8(i, 0);
      const std::int64_t since = members->Int8(i, 2);
      workflows_[{position, members->Id(i, 1)}] = since;
      late += since != position;
      const std::string project(members->Bytes(i, 3));
      if (project.empty()) continue;
      const std::int64_t owned = std::max(since, members->Int8(i, 4));
      const auto [known, added] = projects_.emplace(std::pair(position, project), owned);
      if (!added) known->second = std::min(known->second, owned);
    }
  }

  std::vector<std::int64_t> Expected(const StreamEventsRequest& request) const {
    std::set<std::pair<std::int64_t, std::int64_t>> due;
    for (const eventlog::StoredEvent& event : events_) {
      std::int64_t when = event.position;
      const event::Facts facts = event::FactsOf(event.envelope);
      if (request.has_workflow_id()) {
        const auto found = workflows_.find({event.position, *Uuid::Parse(request.workflow_id())});
        if (found == workflows_.end()) continue;
        when = std::max(when, found->second);
      }
      if (request.has_project() && facts.project.empty()) {
        const auto found = projects_.find({event.position, request.project()});
        if (found == projects_.end()) continue;
        when = std::max(when, found->second);
      } else if (request.has_project() && facts.project != request.project()) {
        continue;
      }
      if (request.has_agent_id() && facts.agent_id != request.agent_id()) continue;
      if (request.has_correlation_id()) {
        const auto& parents = event.envelope.parents;
        const Uuid parent = *Uuid::Parse(request.correlation_id());
        if (std::find(parents.begin(), parents.end(), parent) == parents.end()) continue;
      }
      bool type = request.event_types().empty();
      for (const std::string& pattern : request.event_types()) {
        type |= event::TypePattern::Parse(pattern)->Matches(event.envelope.type);
      }
      if (type && when > request.after()) due.emplace(when, event.position);
    }
    std::vector<std::int64_t> positions;
    for (const auto& [_, position] : due) positions.push_back(position);
    return positions;
  }

  std::int64_t head() const { return events_.back().position; }
  int late = 0;

 private:
  std::vector<eventlog::StoredEvent> events_;
  std::map<std::pair<std::int64_t, Uuid>, std::int64_t> workflows_;
  std::map<std::pair<std::int64_t, std::string>, std::int64_t> projects_;
};

// Where two sequences part; empty: nowhere.
std::string FirstDifference(const std::vector<std::int64_t>& got,
                            const std::vector<std::int64_t>& expected) {
  const auto [a, b] = std::mismatch(got.begin(), got.end(), expected.begin(), expected.end());
  if (a == got.end() && b == expected.end()) return "";
  std::string text = StrCat("at index ", a - got.begin(), " of ", expected.size(), ", got:");
  for (auto it = a; it != got.end() && it - a < 5; ++it) StrAppend(&text, " ", *it);
  StrAppend(&text, ", expected:");
  for (auto it = b; it != expected.end() && it - b < 5; ++it) StrAppend(&text, " ", *it);
  return text;
}

std::vector<StreamEventsRequest> RandomFilters(const std::vector<Uuid>& workflows,
                                               const Uuid& parent) {
  std::vector<StreamEventsRequest> requests(9);
  requests[1].add_event_types("agent.letta.*");
  requests[2].add_event_types("a.b");
  requests[2].add_event_types("bmad.*.started");
  requests[3].set_workflow_id(workflows[0].ToString());
  requests[4].set_workflow_id(workflows[1].ToString());
  requests[4].set_agent_id("agent-1");
  requests[5].set_project("p0");
  requests[6].set_project("p1");
  requests[6].set_workflow_id(workflows[2].ToString());
  requests[7].set_agent_id("agent-2");
  requests[8].set_correlation_id(parent.ToString());
  return requests;
}

TEST_CASE("subscribers that come and go beside writers see exactly what the store holds") {
  TestDatabase database;
  std::vector<Uuid> workflows;
  for (int i = 0; i < 6; ++i) workflows.push_back(NewId());
  const auto connection = TestDatabase::Connect(database.Writer());
  const event::Envelope parent = MakeEnvelope("a.parent");
  REQUIRE(AppendAll(*connection, {parent, MakeEnvelope("a.b", "{}", {parent.id})}).ok());
  {
    Writer before(database, workflows, parent.id, 99);
    for (int i = 0; i < 60; ++i) before.Append();
    before.Finish();
    AdoptAll(*connection);
  }

  // Small bounds, so that streams fall behind all the time.
  StreamServer server(database, {.most_events = 60, .heartbeat = absl::Milliseconds(100)});
  std::vector<StreamEventsRequest> requests;
  std::vector<std::unique_ptr<Subscriber>> subscribers;
  std::mt19937 random(5);
  for (int round = 0; round < 2; ++round) {
    for (StreamEventsRequest& request : RandomFilters(workflows, parent.id)) {
      request.set_after(round == 0 ? 0 : static_cast<std::int64_t>(random() % 100));
      requests.push_back(request);
      subscribers.push_back(std::make_unique<Subscriber>(server, request, random()));
    }
  }

  std::vector<std::thread> threads;
  for (unsigned i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      Writer writer(database, workflows, parent.id, i);
      for (int n = 0; n < 150; ++n) writer.Append();
      writer.Finish();
    });
  }
  std::atomic<bool> writing = true;
  std::thread adopter([&] {
    const auto adopting = TestDatabase::Connect(database.Writer());
    for (;;) {
      const bool last = !writing.load();
      const auto step = manager::AdoptStep(*adopting, 1'000'000'000);
      if (step.ok() && *step) continue;
      if (step.ok() && last) return;
      Stop().WaitFor(absl::Milliseconds(10));
    }
  });
  // Every connection of the readers, the tail's among them.
  const auto admin = TestDatabase::Connect(database.Admin());
  for (int i = 0; i < 8; ++i) {
    REQUIRE(admin
                ->Execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                          "WHERE datname = current_database() AND usename = 'god33_reader'")
                .ok());
    Stop().WaitFor(absl::Milliseconds(100));
  }
  for (std::thread& thread : threads) thread.join();
  writing.store(false);
  adopter.join();

  const Oracle oracle(*connection);
  CHECK(oracle.late > 50);
  for (std::size_t i = 0; i < subscribers.size(); ++i) {
    subscribers[i]->Finish(oracle.head());
    const Subscriber& subscriber = *subscribers[i];
    INFO(requests[i].ShortDebugString() << " over " << subscriber.calls << " calls");
    CHECK(subscriber.problems == std::vector<std::string>());
    const std::vector<std::int64_t> expected = oracle.Expected(requests[i]);
    CHECK(!expected.empty());
    CHECK(FirstDifference(subscriber.positions, expected) == "");
  }
}

TEST_CASE("an event that joins a workflow late is sent when it joins, and resuming doubles none") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid workflow = NewId();
  const event::Envelope parent = MakeEnvelope("a.parent", InWorkflow(workflow));
  std::vector<event::Envelope> early = {
      MakeEnvelope("a.first", InWorkflow(workflow)), MakeEnvelope("a.child", "{}", {parent.id}),
      MakeEnvelope("a.other"), MakeEnvelope("a.child", "{}", {parent.id})};
  REQUIRE(AppendAll(*connection, early).ok());

  StreamServer server(database, {.heartbeat = absl::Milliseconds(100)});
  StreamEventsRequest request;
  request.set_workflow_id(workflow.ToString());
  request.set_after(0);
  Call live(server, request);
  CHECK(live.NextEvent() == 1);
  REQUIRE(AppendAll(*connection, {parent, MakeEnvelope("a.next", InWorkflow(workflow))}).ok());
  // Not before it is known who joins by the parent.
  StreamEventsResponse frame = live.Next();
  while (frame.position() < 4) frame = live.Next();
  CHECK(frame.has_heartbeat());
  CHECK(frame.position() == 4);
  AdoptAll(*connection);
  const std::vector<std::int64_t> expected = {2, 4, 5, 6};
  std::vector<StreamEventsResponse> frames;
  while (frames.size() < expected.size()) {
    frame = live.Next();
    if (frame.has_event()) frames.push_back(frame);
  }
  const std::vector<StreamPoint> points = {{4, 2}, {4, 4}, {5, 0}, {6, 0}};
  for (std::size_t i = 0; i < frames.size(); ++i) {
    CHECK(frames[i].event().position() == expected[i]);
    CHECK(frames[i].position() == points[i].position);
    CHECK(frames[i].within() == points[i].within);
    // Whoever was cut off behind this frame gets the next one.
    request.set_after(points[i].position);
    request.set_within(points[i].within);
    Call resumed(server, request);
    for (std::size_t next = i + 1; next < expected.size(); ++next) {
      CHECK(resumed.NextEvent() == expected[next]);
    }
  }
  // Without `within` nothing is lost.
  request.set_after(4);
  request.set_within(0);
  Call again(server, request);
  CHECK(again.NextEvent() == 2);
}

// As if retention had dropped a month that ended there: a second one begins with the next position.
void DropUpTo(const TestDatabase& database, std::int64_t last) {
  const absl::Status status =
      TestDatabase::Connect(database.Admin())
          ->Execute(
              StrCat("DELETE FROM events WHERE position <= ", last,
                     "; INSERT INTO dropped_months SELECT month - interval '1 month', 1, ", last,
                     ", 0 FROM log_months; UPDATE log_months SET first_position = ", last + 1));
  INFO(status);
  REQUIRE(status.ok());
}

TEST_CASE("late members that retention has dropped make no gap in a workflow's stream") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  const Uuid workflow = NewId();
  const event::Envelope parent = MakeEnvelope("a.parent", InWorkflow(workflow));
  // More than a read of the database takes.
  std::vector<event::Envelope> children;
  for (int i = 0; i < 1200; ++i) children.push_back(MakeEnvelope("a.child", "{}", {parent.id}));
  REQUIRE(AppendAll(*connection, children).ok());
  REQUIRE(AppendAll(*connection, {MakeEnvelope("a.first", InWorkflow(workflow)), parent,
                                  MakeEnvelope("a.last", InWorkflow(workflow))})
              .ok());
  AdoptAll(*connection);
  DropUpTo(database, 1200);
  StreamServer server(database);
  StreamEventsRequest request;
  request.set_workflow_id(workflow.ToString());
  request.set_after(1200);
  Call call(server, request);
  CHECK(call.NextEvent() == 1201);
  CHECK(call.NextEvent() == 1202);
  CHECK(call.NextEvent() == 1203);
}

TEST_CASE("a stream from below the horizon is refused, and told where it may begin") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  REQUIRE(
      AppendAll(*connection, {MakeEnvelope("a.b"), MakeEnvelope("a.b"), MakeEnvelope("a.b")}).ok());
  DropUpTo(database, 2);
  StreamServer server(database);
  StreamEventsRequest request;
  for (const std::int64_t after : {0, 1}) {
    request.set_after(after);
    Call refused(server, request);
    const absl::Status status = refused.End();
    CHECK(status.code() == absl::StatusCode::kOutOfRange);
    CHECK(ReasonOf(status) == "RETENTION");
    CHECK(FieldOf(status) == "after");
    CHECK(MetadataOf(status).at("position") == "2");
    CHECK(MetadataOf(status).at("horizon") == "3");
  }
  request.set_after(2);
  Call resumed(server, request);
  CHECK(resumed.NextEvent() == 3);
}

TEST_CASE("who does not read is cut off, beside those who do") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  StreamServer server(
      database,
      {.most_events = 10, .heartbeat = absl::Milliseconds(100), .stall = absl::Milliseconds(500)});
  StreamEventsRequest request;
  request.set_after(0);
  Call slow(server, request);
  Call fast(server, request);
  REQUIRE(slow.Next().has_subscribed());
  constexpr int kEvents = 60;
  const std::string payload = StrCat("{\"text\":\"", std::string(300'000, 'x'), "\"}");
  for (int i = 1; i <= kEvents; ++i) {
    REQUIRE(AppendAll(*connection, {MakeEnvelope("a.large", payload)}).ok());
    REQUIRE(fast.NextEvent() == i);
  }
  // The slow one's heartbeats and events wait for it to read, until the server has had enough. What it
  // had been given before still comes, then the reason.
  REQUIRE(Until([&server] { return server.cut_off() == 1; }));
  const absl::Status status = slow.End();
  CHECK(absl::IsResourceExhausted(status));
  CHECK(ReasonOf(status) == "SLOW_READER");
  REQUIRE(slow.last().has_event());
  CHECK(slow.last().position() < kEvents);
  CHECK(MetadataOf(status)["position"] == StrCat(slow.last().position()));
  // It goes on from there.
  request.set_after(slow.last().position());
  Call resumed(server, request);
  for (std::int64_t i = slow.last().position() + 1; i <= kEvents; ++i) {
    CHECK(resumed.NextEvent() == i);
  }
  REQUIRE(AppendAll(*connection, {MakeEnvelope("a.small")}).ok());
  CHECK(fast.NextEvent() == kEvents + 1);
}

TEST_CASE("a stream from now on begins at the end of the log") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  StreamServer server(database, {.heartbeat = absl::Milliseconds(100)});
  REQUIRE(AppendAll(*connection, {MakeEnvelope("a.a"), MakeEnvelope("a.b")}).ok());
  Call call(server, {});
  const StreamEventsResponse frame = call.Next();
  CHECK(frame.has_subscribed());
  CHECK(frame.position() == 2);
  REQUIRE(AppendAll(*connection, {MakeEnvelope("a.c")}).ok());
  CHECK(call.NextEvent() == 3);
}

TEST_CASE("a stream is refused with the reason") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  REQUIRE(AppendAll(*connection, {MakeEnvelope("a.a")}).ok());
  StreamServer server(database, {.most_streams = 1});
  const auto refuses = [&server](const StreamEventsRequest& request, const char* field) {
    const absl::Status status = Call(server, request).End();
    INFO(field << ": " << status.ToString());
    CHECK(absl::IsInvalidArgument(status));
    CHECK(FieldOf(status) == field);
    CHECK(Until([&server] { return server.open() == 0; }));
  };
  StreamEventsRequest request;
  request.set_after(-1);
  refuses(request, "after");
  request.set_after(2);
  refuses(request, "after");
  request.set_after(1);
  request.set_within(2);
  refuses(request, "within");
  request.Clear();
  request.set_workflow_id("x");
  refuses(request, "workflow_id");

  Call only(server, {});
  REQUIRE(only.Next().has_subscribed());
  const absl::Status status = Call(server, {}).End();
  CHECK(absl::IsResourceExhausted(status));
  CHECK(ReasonOf(status) == "TOO_MANY_STREAMS");
}

TEST_CASE("streams end when the log is replaced, and when the replica stops") {
  TestDatabase database;
  const auto connection = TestDatabase::Connect(database.Writer());
  REQUIRE(AppendAll(*connection, {MakeEnvelope("a.a")}).ok());
  StreamServer server(database);
  StreamEventsRequest request;
  request.set_after(0);
  Call old(server, request);
  REQUIRE(old.NextEvent() == 1);
  REQUIRE(TestDatabase::Connect(database.Admin())
              ->Execute("UPDATE log_identity SET log_id = gen_random_uuid()")
              .ok());
  const absl::Status changed = old.End();
  CHECK(absl::IsAborted(changed));
  CHECK(ReasonOf(changed) == "LOG_CHANGED");
  CHECK(MetadataOf(changed).empty());

  Call last(server, request);
  REQUIRE(last.NextEvent() == 1);
  server.hub().Close();
  const absl::Status stopped = last.End();
  CHECK(absl::IsUnavailable(stopped));
  CHECK(ReasonOf(stopped) == "STOPPING");
  CHECK(MetadataOf(stopped)["position"] == "1");
}

}  // namespace
}  // namespace god33::api
