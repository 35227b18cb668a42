#include "transcode/path_template.h"

#include <catch2/catch.hpp>
#include <optional>

#include "base/error.h"

namespace god33::transcode {
namespace {

using Values = std::vector<std::string>;

// The values of the variables, or nullopt if the path does not match.
std::optional<Values> Match(std::string_view text, std::string_view path) {
  const auto parsed = PathTemplate::Parse(text);
  REQUIRE(parsed.ok());
  const RawSegments segments = SplitPath(path);
  if (!parsed->Matches(segments)) return std::nullopt;
  auto values = parsed->Extract(segments);
  REQUIRE(values.ok());
  return *values;
}

TEST_CASE("a literal template matches its path alone") {
  CHECK(Match("/api/v1/events", "/api/v1/events") == Values{});
  for (const char* path : {"/api/v1", "/api/v1/events/", "/api/v1/events/a", "/api/v1/event",
                           "//api/v1/events", "/API/v1/events", "/", ""}) {
    CHECK(Match("/api/v1/events", path) == std::nullopt);
  }
}

TEST_CASE("a literal is matched decoded") {
  CHECK(Match("/event-types", "/%65vent%2Dtypes") == Values{});
  CHECK(Match("/event-types", "/event%2-types") == std::nullopt);
}

TEST_CASE("a variable takes one segment that is not empty") {
  CHECK(Match("/events/{id}", "/events/a") == Values{"a"});
  CHECK(Match("/events/{id=*}", "/events/a") == Values{"a"});
  CHECK(Match("/events/{id}/parents", "/events/../parents") == Values{".."});
  for (const char* path : {"/events/", "/events", "/events/a/b", "/events//"}) {
    CHECK(Match("/events/{id}", path) == std::nullopt);
  }
}

TEST_CASE("a variable's value is decoded after splitting") {
  CHECK(Match("/{a}/{b}", "/x%2Fy/%20+%25") == Values{"x/y", " +%"});
  CHECK(Match("/{a.b.c}", "/%C3%A9") == Values{"\xC3\xA9"});
}

TEST_CASE("a value that can't be decoded is an error with the variable's field") {
  const auto parsed = PathTemplate::Parse("/{a}/{b}");
  const auto values = parsed->Extract(SplitPath("/x/%zz"));
  CHECK(FieldOf(values.status()) == "b");
}

TEST_CASE("a variable may take several segments") {
  CHECK(Match("/v1/{name=shelves/*/books/*}", "/v1/shelves/1/books/2") ==
        Values{"shelves/1/books/2"});
  CHECK(Match("/v1/{name=shelves/*}/books/{id}", "/v1/shelves/1/books/2") ==
        Values{"shelves/1", "2"});
  CHECK(Match("/v1/{name=shelves/*}", "/v1/racks/1") == std::nullopt);
}

TEST_CASE("in a value of several segments encoded slashes stay encoded") {
  CHECK(Match("/{path=a/*}", "/a/b%2Fc%2fd%20e") == Values{"a/b%2Fc%2fd e"});
  CHECK(Match("/{path=**}", "/%2F/%41") == Values{"%2F/A"});
}

TEST_CASE("two asterisks take the rest of the path") {
  CHECK(Match("/files/{path=**}", "/files/a/b/c") == Values{"a/b/c"});
  CHECK(Match("/files/{path=**}", "/files") == Values{""});
  CHECK(Match("/files/{path=x/**}", "/files/x/y") == Values{"x/y"});
  CHECK(Match("/files/**", "/files/a/b") == Values{});
  CHECK(Match("/files/{path=**}", "/files/a//b") == std::nullopt);
  CHECK(Match("/files/{path=**}", "/file") == std::nullopt);
}

TEST_CASE("a verb is part of the last segment") {
  CHECK(Match("/tasks/{id}:cancel", "/tasks/a:cancel") == Values{"a"});
  CHECK(Match("/tasks/{id}:cancel", "/tasks/a:b:cancel") == Values{"a:b"});
  CHECK(Match("/tasks:cancel", "/tasks:cancel") == Values{});
  CHECK(Match("/files/{path=**}:copy", "/files/a/b:copy") == Values{"a/b"});
  CHECK(Match("/tasks/{id}", "/tasks/a:cancel") == Values{"a:cancel"});
  for (const char* path : {"/tasks/a", "/tasks/:cancel", "/tasks/a:Cancel", "/tasks/a%3Acancel"}) {
    CHECK(Match("/tasks/{id}:cancel", path) == std::nullopt);
  }
}

TEST_CASE("malformed templates are refused") {
  for (const char* text :
       {"",          "a",       "/",     "//a",      "/a/",      "/{",     "/{}",   "/{a",
        "/{a=}",     "/{a=b",   "/{=b}", "/{a={b}}", "/a:",      "/a:b:c", "/***",  "/**/a",
        "/{a=**}/b", "/{a}{b}", "/a{b}", "/{a}b",    "/{a}/{a}", "/{a b}", "/a:b/c"}) {
    CAPTURE(text);
    CHECK_FALSE(PathTemplate::Parse(text).ok());
  }
}

TEST_CASE("templates that match the same paths have one shape") {
  const auto shape = [](std::string_view text) { return PathTemplate::Parse(text)->Shape(); };
  CHECK(shape("/a/{b}/c") == shape("/a/{other=*}/c"));
  CHECK(shape("/a/*") == shape("/{b=a/*}"));
  CHECK(shape("/a/{b}") != shape("/a/{b=**}"));
  CHECK(shape("/a/{b}") != shape("/a/{b}:c"));
}

}  // namespace
}  // namespace god33::transcode
