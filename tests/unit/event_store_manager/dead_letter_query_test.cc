#include "services/event-store-manager/dead_letter_query.h"

#include <catch2/catch.hpp>
#include <cstdint>

#include "absl/strings/escaping.h"
#include "base/error.h"
#include "testing/random.h"
#include "unit/printers.h"

namespace god33::manager {
namespace {

using store::v1::DropDeadLettersRequest;
using store::v1::ListDeadLettersRequest;
using store::v1::SendBackDeadLetterRequest;
using store::v1::SendBackDeadLettersRequest;
using testing::Random;

DeadLetterToken Sample() {
  return {.fingerprint = "0123456789abcdef",
          .unix_micros = 1769508000000001,
          .id = 4711,
          .total = 10000,
          .total_exact = false};
}

std::string FieldOfQuery(const ListDeadLettersRequest& request) {
  const auto query = ReadQuery(request);
  return query.ok() ? "" : FieldOf(query.status());
}

TEST_CASE("a token of dead letters comes back as it was") {
  CHECK(*DecodeToken(EncodeToken(Sample())) == Sample());
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    Random random(seed);
    DeadLetterToken token = Sample();
    token.unix_micros = random.Between(0, 253402300799000000);
    token.id = random.Between(0, INT64_MAX);
    token.total = random.Between(0, INT64_MAX);
    token.total_exact = random.OneIn(2);
    CHECK(*DecodeToken(EncodeToken(token)) == token);
  }
}

TEST_CASE("what is no token of dead letters is refused by name") {
  const std::string good = EncodeToken(Sample());
  std::vector<std::string> bad{"x", "!", good + "x", good.substr(1), std::string(500, 'A')};
  for (const char* text : {"", "d1", "d1|f|1|1|1", "d2|f|1|1|1|x", "d1|f|-1|1|1|x", "d1|f|1|-1|1|x",
                           "d1|f|1|1|-1|x", "d1|f|1|1|1|y", "d1|f|1|1|1|x|", "d1|f|a|1|1|x",
                           "d1|f|1||1|x", "d1|f|253402300800000000|1|1|x"}) {
    bad.push_back(absl::WebSafeBase64Escape(text));
  }
  for (const std::string& text : bad) {
    CAPTURE(text);
    CHECK(FieldOf(DecodeToken(text).status()) == "page_token");
  }
}

TEST_CASE("a token belongs to its filters") {
  ListDeadLettersRequest request;
  request.set_reason("unreadable");
  DeadLetterToken token = Sample();
  token.fingerprint = ReadQuery(request)->filter.Fingerprint();
  request.set_page_token(EncodeToken(token));
  CHECK(*ReadQuery(request)->after == token);
  request.set_state("all");
  CHECK(FieldOfQuery(request) == "page_token");
  request.clear_state();
  request.set_routing_key("a");
  CHECK(FieldOfQuery(request) == "page_token");
}

TEST_CASE("a list without anything is of the newest 100 open ones") {
  const auto query = ReadQuery(ListDeadLettersRequest());
  REQUIRE(query.ok());
  CHECK(query->limit == 100);
  CHECK(query->filter.states == std::vector<std::string>{"open"});
  CHECK_FALSE(query->after);
}

TEST_CASE("filters that can't be read are refused by name") {
  const auto field_of = [](auto set) {
    ListDeadLettersRequest request;
    set(request);
    return FieldOfQuery(request);
  };
  CHECK(field_of([](auto& r) { r.set_reason(""); }) == "reason");
  CHECK(field_of([](auto& r) { r.set_reason(std::string("a\0b", 3)); }) == "reason");
  CHECK(field_of([](auto& r) { r.set_routing_key(""); }) == "routing_key");
  CHECK(field_of([](auto& r) { r.set_routing_key(std::string(1001, 'k')); }) == "routing_key");
  CHECK(field_of([](auto& r) { r.set_event_type("a..b"); }) == "event_type");
  CHECK(field_of([](auto& r) { r.set_event_type(""); }) == "event_type");
  CHECK(field_of([](auto& r) { r.set_state("closed"); }) == "state");
  CHECK(field_of([](auto& r) { r.mutable_since()->set_seconds(INT64_MAX); }) == "since");
  CHECK(field_of([](auto& r) { r.mutable_until()->set_nanos(-1); }) == "until");
  CHECK(field_of([](auto& r) { r.set_limit(0); }) == "limit");
  CHECK(field_of([](auto& r) { r.set_limit(1001); }) == "limit");
}

TEST_CASE("what is done to all is done to open ones, within limits") {
  SendBackDeadLettersRequest send;
  CHECK(ReadBulk(send)->limit == 1000);
  CHECK(ReadBulk(send)->rate == 100);
  send.set_rate(10'001);
  CHECK(FieldOf(ReadBulk(send).status()) == "rate");
  send.set_rate(10'000);
  send.set_limit(100'001);
  CHECK(FieldOf(ReadBulk(send).status()) == "limit");
  send.set_limit(100'000);
  CHECK(ReadBulk(send)->rate == 10'000);
  for (const char* state : {"sent_back", "dropped", "all", "x"}) {
    send.mutable_filter()->set_state(state);
    CHECK(FieldOf(ReadBulk(send).status()) == "filter.state");
  }
  send.mutable_filter()->set_state("open");
  CHECK(ReadBulk(send).ok());
  DropDeadLettersRequest drop;
  drop.mutable_filter()->set_event_type("a.*");
  CHECK(ReadBulk(drop)->filter.type->text() == "a.*");
  drop.mutable_filter()->set_reason("");
  CHECK(FieldOf(ReadBulk(drop).status()) == "filter.reason");
}

TEST_CASE("an edited body is JSON or bytes, and never nothing") {
  SendBackDeadLetterRequest request;
  CHECK(CheckEdit(request).ok());
  request.mutable_edited()->set_text("{\"a\":1}");
  CHECK(CheckEdit(request).ok());
  request.set_edited_bytes("x");
  CHECK(FieldOf(CheckEdit(request)) == "edited_bytes");
  request.clear_edited();
  CHECK(CheckEdit(request).ok());
  request.set_edited_bytes("");
  CHECK(FieldOf(CheckEdit(request)) == "edited_bytes");
  request.clear_edited_bytes();
  for (const char* text : {"", "{", "{\"a\":01}", "hello"}) {
    request.mutable_edited()->set_text(text);
    CHECK(FieldOf(CheckEdit(request)) == "edited");
  }
}

}  // namespace
}  // namespace god33::manager
