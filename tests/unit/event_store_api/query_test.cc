#include "services/event-store-api/query.h"

#include <catch2/catch.hpp>
#include <functional>
#include <map>

#include "base/error.h"
#include "unit/printers.h"

namespace god33::api {
namespace {

using Request = store::v1::ListEventsRequest;

constexpr char kA[] = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
constexpr char kB[] = "11111111-1111-4111-8111-111111111111";

EventQuery Read(const Request& request) {
  const auto query = ReadQuery(request);
  INFO(query.status());
  REQUIRE(query.ok());
  return *query;
}

// The field at fault; empty: none.
std::string FaultOf(const Request& request) {
  const absl::Status status = ReadQuery(request).status();
  if (status.ok()) return {};
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == "INVALID_ARGUMENT");
  CHECK(MessageOf(status).starts_with(FieldOf(status) + ": "));
  return FieldOf(status);
}

std::string FaultAfter(const std::function<void(Request&)>& change) {
  Request request;
  change(request);
  return FaultOf(request);
}

TEST_CASE("an empty request asks for the first hundred events of all") {
  const EventQuery query = Read({});
  CHECK(query.filter.empty());
  CHECK(query.limit == 100);
  CHECK(query.offset == 0);
  CHECK_FALSE(query.descending);
  CHECK(query.page_token.empty());
  CHECK(query.min_position == 0);
}

TEST_CASE("all filters are read") {
  Request request;
  request.set_workflow_id("6F9619FF-8B86-4011-B42D-00C04FC964FF");
  request.add_event_type("agent.letta.*");
  request.add_event_type("a.b");
  request.set_correlation_id(kB);
  request.set_collaboration_id(kA);
  request.set_agent_id("letta-python-dev-001");
  request.set_session_id(kB);
  request.mutable_start_time()->set_seconds(1769508000);
  request.mutable_end_time()->set_seconds(1769511600);
  request.set_limit(1000);
  request.set_offset(1'000'000);
  request.set_order("desc");
  request.set_min_position(7);
  const EventQuery query = Read(request);
  CHECK_FALSE(query.filter.empty());
  CHECK(query.filter.workflow == Uuid::Parse(kA));
  REQUIRE(query.filter.types.size() == 2);
  CHECK(query.filter.types[0].Matches("agent.letta.checkpoint.saved"));
  CHECK(query.filter.types[1].text() == "a.b");
  CHECK(query.filter.correlation == Uuid::Parse(kB));
  CHECK(query.filter.collaboration == Uuid::Parse(kA));
  CHECK(query.filter.agent == "letta-python-dev-001");
  CHECK(query.filter.session == Uuid::Parse(kB));
  CHECK(query.filter.start == absl::FromUnixSeconds(1769508000));
  CHECK(query.filter.end == absl::FromUnixSeconds(1769511600));
  CHECK(query.limit == 1000);
  CHECK(query.offset == 1'000'000);
  CHECK(query.descending);
  CHECK(query.min_position == 7);
}

TEST_CASE("any one filter makes the filter not empty") {
  const std::vector<std::function<void(Request&)>> changes = {
      [](Request& r) { r.set_workflow_id(kA); },    [](Request& r) { r.add_event_type("*"); },
      [](Request& r) { r.set_correlation_id(kA); }, [](Request& r) { r.set_collaboration_id(kA); },
      [](Request& r) { r.set_agent_id("a"); },      [](Request& r) { r.set_session_id(kA); },
      [](Request& r) { r.mutable_since(); },        [](Request& r) { r.mutable_end_time(); }};
  for (const auto& change : changes) {
    Request request;
    change(request);
    CHECK_FALSE(Read(request).filter.empty());
  }
}

TEST_CASE("since and start_time are one filter under two names") {
  Request request;
  request.mutable_since()->set_seconds(1769508000);
  CHECK(Read(request).filter.start == absl::FromUnixSeconds(1769508000));
  request.mutable_start_time()->set_seconds(1769508000);
  CHECK(FaultOf(request) == "since");
}

TEST_CASE("bounds below a microsecond become those that events with microseconds can meet") {
  // Events have whole microseconds: at or after .0000015 is at or after .000002, before .0000015 is
  // before .000002.
  Request request;
  request.mutable_start_time()->set_seconds(1769508000);
  request.mutable_start_time()->set_nanos(1'500);
  request.mutable_end_time()->set_seconds(1769508000);
  request.mutable_end_time()->set_nanos(1'500);
  CHECK(Read(request).filter.start == absl::FromUnixMicros(1769508000'000002));
  CHECK(Read(request).filter.end == absl::FromUnixMicros(1769508000'000002));
  request.mutable_start_time()->set_nanos(1'000);
  request.mutable_end_time()->set_nanos(999'999'999);
  CHECK(Read(request).filter.start == absl::FromUnixMicros(1769508000'000001));
  CHECK(Read(request).filter.end == absl::FromUnixMicros(1769508001'000000));
}

TEST_CASE("the first and the last instant of the calendar may be asked for") {
  Request request;
  request.mutable_start_time()->set_seconds(-62135596800);
  request.mutable_end_time()->set_seconds(253402300799);
  CHECK(Read(request).filter.start == absl::FromUnixSeconds(-62135596800));
  CHECK(Read(request).filter.end == absl::FromUnixSeconds(253402300799));
}

TEST_CASE("the order is ascending unless asked for otherwise") {
  Request request;
  request.set_order("asc");
  CHECK_FALSE(Read(request).descending);
  request.set_order("desc");
  CHECK(Read(request).descending);
  for (const char* order : {"DESC", "descending", "position", " asc"}) {
    request.set_order(order);
    CHECK(FaultOf(request) == "order");
  }
}

TEST_CASE("a legacy reader gets the newest first, unless he asks otherwise") {
  store::v1::ListEventsRequest request;
  request.set_generation("legacy");
  CHECK(ReadQuery(request)->descending);
  request.set_order("asc");
  CHECK_FALSE(ReadQuery(request)->descending);
  request.set_generation("next");
  CHECK(FieldOf(ReadQuery(request).status()) == "generation");
}

TEST_CASE("each error names its field") {
  CHECK(FaultAfter([](Request& r) { r.set_workflow_id("x"); }) == "workflow_id");
  CHECK(FaultAfter([](Request& r) { r.set_correlation_id("x"); }) == "correlation_id");
  CHECK(FaultAfter([](Request& r) { r.set_collaboration_id("x"); }) == "collaboration_id");
  CHECK(FaultAfter([](Request& r) { r.set_session_id("x"); }) == "session_id");
  CHECK(FaultAfter([](Request& r) { r.add_event_type("a..b"); }) == "event_type");
  CHECK(FaultAfter([](Request& r) { r.add_event_type("a.b*"); }) == "event_type");
  CHECK(FaultAfter([](Request& r) { r.set_agent_id(std::string(256, 'a')); }) == "agent_id");
  CHECK(FaultAfter([](Request& r) { r.set_agent_id(std::string("a\0", 2)); }) == "agent_id");
  CHECK(FaultAfter([](Request& r) { r.mutable_since()->set_nanos(-1); }) == "since");
  CHECK(FaultAfter([](Request& r) { r.mutable_start_time()->set_seconds(253402300800); }) ==
        "start_time");
  CHECK(FaultAfter([](Request& r) { r.mutable_end_time()->set_seconds(-62135596801); }) ==
        "end_time");
  CHECK(FaultAfter([](Request& r) { r.mutable_end_time()->set_nanos(1'000'000'000); }) ==
        "end_time");
  CHECK(FaultAfter([](Request& r) { r.set_limit(0); }) == "limit");
  CHECK(FaultAfter([](Request& r) { r.set_limit(-1); }) == "limit");
  CHECK(FaultAfter([](Request& r) { r.set_limit(1001); }) == "limit");
  CHECK(FaultAfter([](Request& r) { r.set_offset(-1); }) == "offset");
  CHECK(FaultAfter([](Request& r) { r.set_offset(1'000'001); }) == "offset");
  CHECK(FaultAfter([](Request& r) { r.set_min_position(-1); }) == "min_position");
}

TEST_CASE("a filter that is given and empty is an error, never all events") {
  CHECK(FaultAfter([](Request& r) { r.set_workflow_id(""); }) == "workflow_id");
  CHECK(FaultAfter([](Request& r) { r.set_correlation_id(""); }) == "correlation_id");
  CHECK(FaultAfter([](Request& r) { r.set_collaboration_id(""); }) == "collaboration_id");
  CHECK(FaultAfter([](Request& r) { r.set_session_id(""); }) == "session_id");
  CHECK(FaultAfter([](Request& r) { r.set_agent_id(""); }) == "agent_id");
  CHECK(FaultAfter([](Request& r) { r.add_event_type(""); }) == "event_type");
}

TEST_CASE("an offset goes with no page token, not even zero") {
  Request request;
  request.set_page_token("token");
  CHECK(Read(request).page_token == "token");
  request.set_offset(0);
  CHECK(FaultOf(request) == "offset");
}

TEST_CASE("at most 50 event types may be asked for") {
  Request request;
  for (int i = 0; i < 50; ++i) request.add_event_type("a.b");
  CHECK(Read(request).filter.types.size() == 50);
  request.add_event_type("a.b");
  CHECK(FaultOf(request) == "event_type");
}

TEST_CASE("an error quotes what came in part, never half a character") {
  std::string text(79, 'x');
  for (int i = 0; i < 1000; ++i) text += "\xC3\xA9";
  Request request;
  request.set_workflow_id(text);
  const std::string message(MessageOf(ReadQuery(request).status()));
  CHECK(message.size() < 200);
  for (std::size_t at = message.find('\xC3'); at != std::string::npos;
       at = message.find('\xC3', at + 1)) {
    CHECK(message.substr(at, 2) == "\xC3\xA9");
  }
}

TEST_CASE("limits of lists are 1 to 1,000, and 100 if not given") {
  CHECK(*ReadLimit(false, 0) == 100);
  CHECK(*ReadLimit(true, 1) == 1);
  CHECK(*ReadLimit(true, 1000) == 1000);
  CHECK(FieldOf(ReadLimit(true, 0).status()) == "limit");
  CHECK(FieldOf(ReadLimit(true, 1001).status()) == "limit");
}

TEST_CASE("text filters are 1 to 255 bytes, and empty if not given") {
  CHECK(*ReadText("project_name", false, "ignored") == "");
  CHECK(*ReadText("project_name", true, std::string(255, 'x')) == std::string(255, 'x'));
  CHECK(FieldOf(ReadText("project_name", true, "").status()) == "project_name");
  CHECK_FALSE(ReadText("project_name", true, std::string(256, 'x')).ok());
  CHECK_FALSE(ReadText("project_name", true, std::string("\0", 1)).ok());
}

TEST_CASE("the same filters have the same fingerprint, whatever is asked beside them") {
  Request request;
  request.set_workflow_id(kA);
  request.add_event_type("a.*");
  request.mutable_since()->set_seconds(7);
  const std::string fingerprint = Read(request).filter.Fingerprint();
  CHECK_FALSE(fingerprint.empty());
  Request same;
  same.set_workflow_id("6F9619FF8B864011B42D00C04FC964FF");
  same.add_event_type("a.*");
  same.mutable_start_time()->set_seconds(7);
  same.set_limit(5);
  same.set_order("desc");
  same.set_page_token("token");
  same.set_min_position(9);
  CHECK(Read(same).filter.Fingerprint() == fingerprint);
}

TEST_CASE("different filters have different fingerprints") {
  const std::map<std::string, std::function<void(Request&)>> changes = {
      {"none", [](Request&) {}},
      {"workflow", [](Request& r) { r.set_workflow_id(kA); }},
      {"another workflow", [](Request& r) { r.set_workflow_id(kB); }},
      {"correlation", [](Request& r) { r.set_correlation_id(kA); }},
      {"collaboration", [](Request& r) { r.set_collaboration_id(kA); }},
      {"session", [](Request& r) { r.set_session_id(kA); }},
      {"agent", [](Request& r) { r.set_agent_id("a"); }},
      {"an agent that looks like a type", [](Request& r) { r.set_agent_id("a;a.b"); }},
      {"agent and type",
       [](Request& r) {
         r.set_agent_id("a");
         r.add_event_type("a.b");
       }},
      {"since", [](Request& r) { r.mutable_since()->set_seconds(7); }},
      {"another since", [](Request& r) { r.mutable_since()->set_nanos(7000); }},
      {"end", [](Request& r) { r.mutable_end_time()->set_seconds(7); }},
      {"a type", [](Request& r) { r.add_event_type("a.b"); }},
      {"a pattern", [](Request& r) { r.add_event_type("a.*"); }},
      {"two types",
       [](Request& r) {
         r.add_event_type("a");
         r.add_event_type("b");
       }},
      {"one type that looks like two", [](Request& r) { r.add_event_type("a;b"); }},
      {"one type that ends like one", [](Request& r) { r.add_event_type("a;b;"); }},
  };
  std::map<std::string, std::string> seen;
  for (const auto& [name, change] : changes) {
    Request request;
    change(request);
    const auto [other, added] = seen.emplace(Read(request).filter.Fingerprint(), name);
    CAPTURE(name, other->second);
    CHECK(added);
  }
}

}  // namespace
}  // namespace god33::api
