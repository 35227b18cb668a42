#include "services/event-store-api/causation_tree.h"

#include <algorithm>
#include <catch2/catch.hpp>

namespace god33::api {
namespace {

TEST_CASE("a root alone is a tree") {
  CHECK(WriteTree({{.json = "0"}}, false) ==
        R"({"event":0,"depth":0,"truncated":false,"children":[]})");
}

TEST_CASE("children stand below their parents in the order of the list") {
  const std::vector<TreeEvent> events = {{.json = "0"},
                                         {.json = "1", .depth = 1, .before = 0},
                                         {.json = "2", .depth = 1, .before = 0},
                                         {.json = "3", .depth = 2, .before = 1},
                                         {.json = "4", .depth = 2, .before = 2},
                                         {.json = "5", .depth = 2, .before = 2},
                                         {.json = "6", .depth = 3, .before = 4}};
  CHECK(WriteTree(events, true) ==
        R"({"event":0,"depth":0,"truncated":true,"children":[)"
        R"({"event":1,"depth":1,"children":[{"event":3,"depth":2,"children":[]}]},)"
        R"({"event":2,"depth":1,"children":[)"
        R"({"event":4,"depth":2,"children":[{"event":6,"depth":3,"children":[]}]},)"
        R"({"event":5,"depth":2,"children":[]}]}]})");
}

TEST_CASE("a tree as deep as it likes needs no stack") {
  std::vector<TreeEvent> events(200'000);
  for (std::size_t i = 0; i < events.size(); ++i) {
    events[i] = {.json = "{}", .depth = static_cast<int>(i), .before = i == 0 ? 0 : i - 1};
  }
  const std::string json = WriteTree(events, false);
  CHECK(json.size() < events.size() * (2 + kTreeEventBytes));
  CHECK(std::count(json.begin(), json.end(), '[') == std::count(json.begin(), json.end(), ']'));
  CHECK(json.ends_with("]}]}"));
}

}  // namespace
}  // namespace god33::api
