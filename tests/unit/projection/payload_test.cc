#include "projection/payload.h"

#include <catch2/catch.hpp>

#include "unit/printers.h"

namespace god33::projection {
namespace {

TEST_CASE("texts and ids are read by key") {
  const Payload payload(R"({"a":"x\ny","id":"6F9619FF-8B86-D011-B42D-00C04FC964FF"})");
  CHECK(payload.Text("a") == "x\ny");
  CHECK(payload.Id("id") == Uuid::Parse("6f9619ff-8b86-d011-b42d-00c04fc964ff"));
}

TEST_CASE("what is missing or of another kind counts as absent") {
  const Payload payload(R"({"n":7,"z":null,"o":{"a":"x"},"id":"x"})");
  for (const char* key : {"n", "z", "o", "a", ""}) {
    CHECK(payload.Text(key).empty());
    CHECK_FALSE(payload.Id(key));
  }
  CHECK_FALSE(payload.Id("id"));
}

TEST_CASE("of duplicates the last counts") {
  CHECK(Payload(R"({"a":"x","a":"y"})").Text("a") == "y");
  CHECK(Payload(R"({"a":"x","a":7})").Text("a").empty());
}

}  // namespace
}  // namespace god33::projection
