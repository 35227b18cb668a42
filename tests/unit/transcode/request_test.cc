#include "transcode/request.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "base/strings.h"
#include "god33/store/v1/dead_letters.pb.h"
#include "god33/store/v1/event_store.pb.h"
#include "kinds.pb.h"

namespace god33::transcode {
namespace {

using google::protobuf::DescriptorPool;

const RouteTable& Table() {
  static const RouteTable table = *RouteTable::Compile(
      {DescriptorPool::generated_pool()->FindServiceByName("god33.transcode.test.KindsService"),
       DescriptorPool::generated_pool()->FindServiceByName("god33.store.v1.EventStoreService"),
       DescriptorPool::generated_pool()->FindServiceByName("god33.store.v1.DeadLetterService")});
  return table;
}

template <typename Message = test::Kinds>
absl::StatusOr<Message> ReadAs(std::string_view verb, std::string_view target,
                               std::string_view body) {
  const std::size_t question = std::min(target.find('?'), target.size());
  const auto match = Table().Find(verb, target.substr(0, question));
  REQUIRE(match.ok());
  REQUIRE(match->route != nullptr);
  const auto query = http::ParseQuery(target.substr(std::min(question + 1, target.size())));
  REQUIRE(query.ok());
  Message message;
  absl::Status status = ReadRequest(*match, *query, body, message);
  if (!status.ok()) return status;
  return message;
}

// The message in protobuf's one-line text format, or the error's message.
std::string Read(std::string_view verb, std::string_view target, std::string_view body = "") {
  const auto message = ReadAs(verb, target, body);
  if (message.ok()) return message->ShortDebugString();
  CHECK(message.status().code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(message.status()) == "INVALID_ARGUMENT");
  CHECK_FALSE(FieldOf(message.status()).empty());
  return std::string(MessageOf(message.status()));
}

TEST_CASE("query parameters of every kind are read") {
  CHECK(
      Read("GET",
           "/kinds?flag=true&int32=-5&int64=9007199254740993&uint64=18446744073709551615"
           "&float=1.5&double=-Infinity&text=a%20b+c&data=AP8%3D&color=COLOR_BLUE&maybe_int64=0") ==
      R"(flag: true int32: -5 int64: 9007199254740993 uint64: 18446744073709551615 float: 1.5 )"
      R"(double: -inf text: "a b c" data: "\000\377" color: COLOR_BLUE maybe_int64: 0)");
  CHECK(Read("GET", "/kinds?color=1&duration=1.5s&wrapped_text=&wrapped_int64=7&choice_int64=3") ==
        "color: COLOR_RED duration { seconds: 1 nanos: 500000000 } wrapped_text { } "
        "wrapped_int64 { value: 7 } choice_int64: 3");
}

TEST_CASE("a verb behind a collection is a route beside that of its elements") {
  const auto many = ReadAs<store::v1::SendBackDeadLettersRequest>(
      "POST", "/api/v1/dead-letters:send-back", R"({"filter":{"reason":"x"},"rate":5})");
  REQUIRE(many.ok());
  CHECK(many->filter().reason() == "x");
  CHECK(many->rate() == 5);
  CHECK(Table().Find("GET", "/api/v1/dead-letters:send-back")->route == nullptr);
  CHECK(Table().Find("POST", "/api/v1/dead-letters:other")->route == nullptr);
  CHECK_FALSE(
      ReadAs<store::v1::GetDeadLetterRequest>("GET", "/api/v1/dead-letters/5:drop", "").ok());
}

TEST_CASE("bytes come as base64, and none at all are not the same as not given") {
  const auto read = [](std::string_view body) {
    return ReadAs<store::v1::SendBackDeadLetterRequest>("POST", "/api/v1/dead-letters/7/send-back",
                                                        body);
  };
  const auto request = read(R"({"edited_bytes":"AP9oZWxsbw==","again":true})");
  REQUIRE(request.ok());
  CHECK(request->dead_letter_id() == 7);
  CHECK(request->edited_bytes() == std::string("\0\xFFhello", 7));
  CHECK(read(R"({"edited_bytes":"AP_-"})")->edited_bytes() == std::string("\0\xFF\xFE", 3));
  CHECK(read(R"({"edited_bytes":""})")->has_edited_bytes());
  CHECK_FALSE(read("{}")->has_edited_bytes());
  CHECK(FieldOf(read(R"({"edited_bytes":"*"})").status()) == "edited_bytes");
  CHECK(FieldOf(read(R"({"edited_bytes":5})").status()) == "edited_bytes");
  CHECK(read(R"({"edited":{"n":1.50}})")->edited().text() == R"({"n":1.50})");
}

TEST_CASE("nested fields and lists are read") {
  CHECK(Read("GET", "/kinds?inner.text=a&inner.inner.number=2&texts=b&texts=&int32s=1&int32s=1") ==
        R"(inner { text: "a" inner { number: 2 } } texts: "b" texts: "" int32s: 1 int32s: 1)");
}

TEST_CASE("times may have an offset whose plus was not escaped") {
  for (const char* time :
       {"2026-01-01T00:00:00Z", "2026-01-01T01:00:00%2B01:00", "2026-01-01T01:00:00+01:00",
        "2026-01-01T01:00:00+0100", "2025-12-31T23:00:00-01:00", "2026-01-01+01:00:00+01:00",
        "2026-01-01T01:00:00.000+01:00", "2026-01-01+00:00:00"}) {
    CAPTURE(time);
    CHECK(Read("GET", StrCat("/kinds?time=", time)) == "time { seconds: 1767225600 }");
  }
  CHECK(Read("GET", "/kinds?times=2026-01-01T01:00:00+01:00") == "times { seconds: 1767225600 }");
  CHECK(Read("GET", "/times/2026-01-01T01:00:00+01:00") == "time { seconds: 1767225600 }");
}

TEST_CASE("malformed parameters are errors with the field's name") {
  for (const char* query : {"flag=1",           "flag=",
                            "flag=TRUE",        "int32=",
                            "int32=a",          "int32=1.0",
                            "int32=2147483648", "int32=+1",
                            "int32=%201",       "uint32=-1",
                            "double=",          "double=inf",
                            "double=nan",       "double=0x10",
                            "double=1e999",     "float=1e39",
                            "text=%ff",         "text=%c3%28",
                            "texts=%ed%a0%80",  "data=?",
                            "color=",           "color=red",
                            "color=1.5",        "time=",
                            "time=yesterday",   "time=2026-13-01T00:00:00Z",
                            "duration=5",       "wrapped_int64=",
                            "inner.number=x"}) {
    CAPTURE(query);
    const std::string_view text = query;
    const auto message = ReadAs("GET", StrCat("/kinds?", text), "");
    CHECK(FieldOf(message.status()) == text.substr(0, text.find('=')));
    CHECK(ReasonOf(message.status()) == "INVALID_ARGUMENT");
  }
}

TEST_CASE("unknown parameters are errors") {
  for (const char* name :
       {"nothing", "maybeText", "inner", "inner.", ".inner", "inner.nothing", "inners",
        "inners.text", "text.length", "time.seconds", "wrapped_text.value", "json", "json.text",
        "counts", "counts.a", "Text", "inner..text"}) {
    CAPTURE(name);
    CHECK(FieldOf(ReadAs("GET", StrCat("/kinds?", name, "=1"), "").status()) == name);
  }
}

TEST_CASE("a single value may be given once") {
  CHECK(Read("GET", "/kinds?text=a&text=a") == "text: given more than once");
  CHECK(Read("GET", "/kinds?text=&text=") == "text: given more than once");
  CHECK(Read("GET", "/kinds?inner.text=a&inner.text=b") == "inner.text: given more than once");
  CHECK(Read("GET", "/kinds?choice_text=a&choice_int64=1") ==
        "choice_int64: can't be given together with choice_text");
}

TEST_CASE("what the path gives can't be given in the query") {
  CHECK(Read("GET", "/kinds/a%2Fb") == R"(text: "a/b")");
  CHECK(Read("GET", "/kinds/x/numbers/5?text=t") == R"(int32: 5 text: "t" inner { text: "x" })");
  CHECK(Read("GET", "/kinds/a?text=a") == "text: given by the path already");
  CHECK(Read("GET", "/kinds/x/numbers/5?inner.text=x") == "inner.text: given by the path already");
  CHECK(Read("GET", "/kinds/x/numbers/5?inner.number=1") ==
        R"(int32: 5 inner { text: "x" number: 1 })");
}

TEST_CASE("malformed path variables are errors with the field's name") {
  CHECK(Read("GET", "/kinds/x/numbers/five").rfind("int32: expected an integer", 0) == 0);
  CHECK(Read("GET", "/kinds/%ff").rfind("text: expected UTF-8 text", 0) == 0);
}

TEST_CASE("a body that is the whole message leaves nothing for the query") {
  CHECK(Read("POST", "/kinds", R"({"text":"a","inner":{"number":1}})") ==
        R"(text: "a" inner { number: 1 })");
  CHECK(Read("POST", "/kinds", "") == "");
  CHECK(Read("POST", "/kinds?int32=1", R"({"text":"a"})") ==
        "int32: expected in the body, not as a query parameter");
}

TEST_CASE("a body that is one field leaves the others for the query") {
  CHECK(Read("PATCH", "/inners/x?int32=1", R"({"number":2})") ==
        R"(int32: 1 inner { text: "x" number: 2 })");
  CHECK(Read("PATCH", "/inners/x?inner.number=1", "{}") ==
        "inner.number: expected in the body, not as a query parameter");
  CHECK(Read("PATCH", "/inners/x", R"({"numbr":2})") == "inner.numbr: unknown field");
  CHECK(Read("POST", "/texts?text=a", R"(["b"])") == R"(text: "a" texts: "b")");
  CHECK(Read("POST", "/texts?texts=a", R"(["b"])") ==
        "texts: expected in the body, not as a query parameter");
}

TEST_CASE("a body may repeat what the path says, but not contradict it") {
  CHECK(Read("PUT", "/kinds/a", R"({"text":"a","int32":1})") == R"(int32: 1 text: "a")");
  CHECK(Read("PUT", "/kinds/a", R"({"text":"b"})") == "text: the body and the path differ");
  CHECK(Read("PATCH", "/inners/x", R"({"text":"x"})") == R"(inner { text: "x" })");
  CHECK(Read("PATCH", "/inners/x", R"({"text":"y"})") ==
        "inner.text: the body and the path differ");
}

TEST_CASE("a body where none is taken is an error") {
  CHECK(Read("GET", "/kinds", "{}") == "body: expected none");
}

TEST_CASE("the architecture's query for events is read") {
  const auto request = ReadAs<store::v1::ListEventsRequest>(
      "GET",
      "/api/v1/events?workflow_id=w&event_type=agent.letta.*&event_type=bmad.%23&since="
      "2026-01-01T00:00:00+00:00&limit=1000&offset=0&order=desc",
      "");
  REQUIRE(request.ok());
  CHECK(request->ShortDebugString() ==
        R"(workflow_id: "w" event_type: "agent.letta.*" event_type: "bmad.#" )"
        R"(since { seconds: 1767225600 } limit: 1000 offset: 0 order: "desc")");
}

TEST_CASE("appending an event takes the event as body and the rest as parameters") {
  const auto request = ReadAs<store::v1::AppendEventRequest>(
      "POST", "/api/v1/events?validate=strict&expected_version=0",
      R"({"event_type":"a.b","payload":{"n":1.10}})");
  REQUIRE(request.ok());
  CHECK(request->ShortDebugString() ==
        R"(event { event_type: "a.b" payload { text: "{\"n\":1.10}" } } expected_version: 0 )"
        R"(validate: "strict")");
  const auto hostile = ReadAs<store::v1::AppendEventRequest>(
      "POST", "/api/v1/events", R"({"event_type":"a.b","source":{"foo":1}})");
  CHECK(FieldOf(hostile.status()) == "event.source.foo");
}

TEST_CASE("ten thousand parameters are read or refused in one go") {
  std::string query = "/kinds?int32s=0";
  for (int i = 1; i < 10'000; ++i) StrAppend(&query, "&int32s=", i);
  CHECK(ReadAs("GET", query, "")->int32s_size() == 10'000);
  std::string deep = "/kinds?inner";
  for (int i = 0; i < 10'000; ++i) deep += ".inner";
  CHECK(FieldOf(ReadAs("GET", deep + ".text=a", "").status()).size() == 80);
}

}  // namespace
}  // namespace god33::transcode
