#include "services/event-store-api/stream_filter.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace god33::api {
namespace {

using store::v1::StreamEventsRequest;

constexpr char kId[] = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
constexpr char kOtherId[] = "7f9619ff-8b86-4011-b42d-00c04fc964ff";

StreamFilter Read(const StreamEventsRequest& request) {
  const auto read = ReadStreamRequest(request);
  REQUIRE(read.ok());
  return read->filter;
}

std::string FieldAtFault(const StreamEventsRequest& request) {
  const auto read = ReadStreamRequest(request);
  REQUIRE(absl::IsInvalidArgument(read.status()));
  return FieldOf(read.status());
}

// An event at position 10.
StreamEntry Entry(std::int64_t due = 10) {
  StreamEntry entry;
  entry.position = 10;
  entry.due = due;
  entry.type = "agent.letta.checkpoint.saved";
  entry.agent = "letta-1";
  return entry;
}

TEST_CASE("a stream without filters gets every event at its own position") {
  const StreamFilter all;
  CHECK(all.order() == StreamOrder::kLog);
  CHECK(all.Matches(Entry()));
  CHECK_FALSE(all.Matches(Entry(12)));
}

TEST_CASE("all filters must match, of the types one") {
  StreamEventsRequest request;
  request.add_event_types("a.b");
  request.add_event_types("agent.letta.*");
  CHECK(Read(request).Matches(Entry()));
  request.set_agent_id("letta-1");
  CHECK(Read(request).Matches(Entry()));
  request.set_correlation_id(kId);
  CHECK_FALSE(Read(request).Matches(Entry()));
  StreamEntry child = Entry();
  child.parents = {*Uuid::Parse(kOtherId), *Uuid::Parse(kId)};
  CHECK(Read(request).Matches(child));
  CHECK(Read(request).order() == StreamOrder::kLog);
  request.set_agent_id("letta-2");
  CHECK_FALSE(Read(request).Matches(child));
  request.set_agent_id("letta-1");
  request.clear_event_types();
  request.add_event_types("agent.letta");
  CHECK_FALSE(Read(request).Matches(child));
}

TEST_CASE("a workflow's stream gets an event when it joins, once") {
  StreamEventsRequest request;
  request.set_workflow_id(kId);
  const StreamFilter filter = Read(request);
  CHECK(filter.order() == StreamOrder::kSettled);
  const auto joined = [](std::int64_t due, std::int64_t since) {
    StreamEntry entry = Entry(due);
    entry.workflows = {{*Uuid::Parse(kOtherId), 12}, {*Uuid::Parse(kId), since}};
    return entry;
  };
  CHECK(filter.Matches(joined(10, 10)));
  CHECK_FALSE(filter.Matches(joined(12, 10)));  // joined the other one
  CHECK_FALSE(filter.Matches(joined(10, 15)));
  CHECK_FALSE(filter.Matches(joined(12, 15)));
  CHECK(filter.Matches(joined(15, 15)));
  CHECK_FALSE(filter.Matches(Entry()));
}

TEST_CASE("with a workflow and a project an event is due when it has both") {
  StreamEventsRequest request;
  request.set_workflow_id(kId);
  request.set_project("p");
  const StreamFilter filter = Read(request);
  const auto entry = [](std::int64_t due) {
    StreamEntry result = Entry(due);
    result.workflows = {{*Uuid::Parse(kId), 12}};
    result.projects = {{"q", 10}, {"p", 20}};
    return result;
  };
  CHECK_FALSE(filter.Matches(entry(10)));
  CHECK_FALSE(filter.Matches(entry(12)));
  CHECK(filter.Matches(entry(20)));
}

TEST_CASE("a bad request is refused by the field's name") {
  StreamEventsRequest request;
  request.set_after(-1);
  CHECK(FieldAtFault(request) == "after");
  request.set_after(5);
  request.set_within(6);
  CHECK(FieldAtFault(request) == "within");
  request.set_within(-1);
  CHECK(FieldAtFault(request) == "within");
  request.Clear();
  request.set_within(1);
  CHECK(FieldAtFault(request) == "within");
  request.Clear();
  request.set_workflow_id("");
  CHECK(FieldAtFault(request) == "workflow_id");
  request.Clear();
  request.set_correlation_id("x");
  CHECK(FieldAtFault(request) == "correlation_id");
  request.Clear();
  request.set_agent_id("");
  CHECK(FieldAtFault(request) == "agent_id");
  request.Clear();
  request.set_project(std::string(256, 'x'));
  CHECK(FieldAtFault(request) == "project");
  request.Clear();
  request.add_event_types("a..b");
  CHECK(FieldAtFault(request) == "event_types");
  request.Clear();
  for (int i = 0; i < 50; ++i) request.add_event_types("a.b");
  CHECK(ReadStreamRequest(request).ok());
  request.add_event_types("a.b");
  CHECK(FieldAtFault(request) == "event_types");
}

TEST_CASE("a stream may begin anywhere, or now") {
  StreamEventsRequest request;
  CHECK_FALSE(ReadStreamRequest(request)->after.has_value());
  request.set_after(0);
  CHECK(ReadStreamRequest(request)->after == 0);
  request.set_after(7);
  request.set_within(7);
  CHECK(ReadStreamRequest(request)->within == 7);
}

}  // namespace
}  // namespace god33::api
