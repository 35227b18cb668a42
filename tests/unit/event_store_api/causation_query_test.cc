#include "services/event-store-api/causation_query.h"

#include <catch2/catch.hpp>
#include <functional>
#include <set>

#include "base/error.h"
#include "unit/printers.h"

namespace god33::api {
namespace {

using Down = store::v1::GetDescendantsRequest;
using Up = store::v1::GetAncestorsRequest;

constexpr char kId[] = "6f9619ff-8b86-4011-b42d-00c04fc964ff";
constexpr char kOther[] = "11111111-1111-4111-8111-111111111111";

template <typename Request>
CausationQuery Read(const std::function<void(Request&)>& change) {
  Request request;
  request.set_event_id(kId);
  change(request);
  const auto query = ReadQuery(request);
  INFO(query.status());
  REQUIRE(query.ok());
  return *query;
}

template <typename Request>
std::string FaultAfter(const std::function<void(Request&)>& change) {
  Request request;
  request.set_event_id(kId);
  change(request);
  const absl::Status status = ReadQuery(request).status();
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  return FieldOf(status);
}

TEST_CASE("descendants are asked for flat, a hundred at a time, a hundred levels deep") {
  const CausationQuery query = Read<Down>([](Down&) {});
  CHECK(query.event_id == Uuid::Parse(kId));
  CHECK(query.direction == Direction::kDescendants);
  CHECK(query.format == CausationFormat::kFlat);
  CHECK(query.max_depth == 100);
  CHECK(query.limit == 100);
  CHECK(Read<Up>([](Up&) {}).direction == Direction::kAncestors);
}

TEST_CASE("each format has a limit of its own") {
  const auto limit_of = [](const char* format) {
    return Read<Down>([format](Down& r) { r.set_format(format); }).limit;
  };
  CHECK(limit_of("flat") == 100);
  CHECK(limit_of("tree") == 1000);
  CHECK(limit_of("graph") == 10'000);
  const auto most = [](const char* format, int limit) {
    return FaultAfter<Down>([=](Down& r) {
      r.set_format(format);
      r.set_limit(limit);
    });
  };
  CHECK(most("flat", 1001) == "limit");
  CHECK(most("tree", 1001) == "limit");
  CHECK(most("graph", 10'001) == "limit");
  CHECK(most("graph", 0) == "limit");
}

TEST_CASE("what is not understood is refused by name") {
  CHECK(FaultAfter<Down>([](Down& r) { r.set_event_id("x"); }) == "event_id");
  CHECK(FaultAfter<Down>([](Down& r) { r.set_format("TREE"); }) == "format");
  CHECK(FaultAfter<Up>([](Up& r) { r.set_format("tree"); }) == "format");
  CHECK(FaultAfter<Down>([](Down& r) { r.set_max_depth(0); }) == "max_depth");
  CHECK(FaultAfter<Down>([](Down& r) { r.set_max_depth(10'001); }) == "max_depth");
  CHECK(FaultAfter<Up>([](Up& r) { r.set_min_position(-1); }) == "min_position");
  for (const char* format : {"tree", "graph"}) {
    CHECK(FaultAfter<Down>([format](Down& r) {
            r.set_format(format);
            r.set_page_token("token");
          }) == "page_token");
  }
}

TEST_CASE("pages of one answer have one fingerprint, others have others") {
  const auto print = [](const std::function<void(Down&)>& change) {
    return Read<Down>(change).Fingerprint();
  };
  const std::string plain = print([](Down&) {});
  CHECK(print([](Down& r) { r.set_limit(7); }) == plain);
  CHECK(print([](Down& r) { r.set_page_token("token"); }) == plain);
  CHECK(print([](Down& r) { r.set_min_position(7); }) == plain);
  const std::set<std::string> all = {plain, print([](Down& r) { r.set_event_id(kOther); }),
                                     print([](Down& r) { r.set_max_depth(7); }),
                                     Read<Up>([](Up&) {}).Fingerprint()};
  CHECK(all.size() == 4);
}

}  // namespace
}  // namespace god33::api
