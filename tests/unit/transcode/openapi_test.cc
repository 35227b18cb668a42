#include "transcode/openapi.h"

#include <catch2/catch.hpp>
#include <set>

#include "google/protobuf/descriptor.pb.h"
#include "json/value.h"
#include "kinds.pb.h"

namespace god33::transcode {
namespace {

using json::Value;

// The part of the description that the keys lead to, as text; "none" if there is none.
std::string At(const Value& document, const std::vector<std::string>& keys) {
  std::optional<Value> value = document;
  for (const std::string& key : keys) {
    value = value->Find(key);
    if (!value) return "none";
  }
  return std::string(value->text());
}

void Add(const google::protobuf::FileDescriptor& file, std::set<std::string>& added,
         google::protobuf::FileDescriptorSet& files) {
  if (!added.insert(file.name()).second) return;
  for (int i = 0; i < file.dependency_count(); ++i) Add(*file.dependency(i), added, files);
  file.CopyTo(files.add_file());
}

// The kinds' file with a comment on PostKinds, as protoc keeps it.
std::string Documented() {
  google::protobuf::FileDescriptorSet files;
  std::set<std::string> added;
  Add(*test::Kinds::descriptor()->file(), added, files);
  auto& kinds = *files.mutable_file(files.file_size() - 1);
  auto& comment = *kinds.mutable_source_code_info()->add_location();
  for (const int step : {6, 0, 2, 1}) comment.add_path(step);  // service 0, method 1
  for (const int place : {1, 0, 1}) comment.add_span(place);
  comment.set_leading_comments(" Takes kinds. And tells\n more.\n\n Much more.\n");
  return files.SerializeAsString();
}

std::string Describe(std::string_view documented,
                     const std::vector<HandMadeRoute>& hand_made = {}) {
  const auto* service = test::Kinds::descriptor()->file()->FindServiceByName("KindsService");
  const auto table = RouteTable::Compile({service});
  REQUIRE(table.ok());
  return WriteOpenApi(*table, hand_made, {.title = "t", .version = "1", .description = "d"},
                      documented);
}

Value Parsed(const std::string& text) {
  const auto document = Value::Parse(text);
  REQUIRE(document.ok());
  return *document;
}

TEST_CASE("every binding is an operation with a name of its own") {
  const std::string text = Describe(Documented());
  const Value document = Parsed(text);
  CHECK(At(document, {"openapi"}) == "\"3.1.0\"");
  CHECK(At(document, {"paths", "/kinds", "get", "operationId"}) !=
        At(document, {"paths", "/kinds/{text}", "get", "operationId"}));
  CHECK(At(document, {"paths", "/kinds", "post", "operationId"}) == "\"PostKinds\"");
  CHECK(At(document, {"paths", "/inners/{inner.text}", "patch", "requestBody", "content",
                      "application/json", "schema"}) == R"({"$ref":"#/components/schemas/Inner"})");
  CHECK(At(document, {"paths", "/texts", "post", "requestBody", "content", "application/json",
                      "schema"}) == R"({"type":"array","items":{"type":"string"}})");
}

TEST_CASE("comments are the words of the description") {
  const std::string text = Describe(Documented());
  const Value document = Parsed(text);
  CHECK(At(document, {"paths", "/kinds", "post", "summary"}) == "\"Takes kinds\"");
  CHECK(At(document, {"paths", "/kinds", "post", "description"}) ==
        R"("Takes kinds. And tells more.\n\nMuch more.")");
}

TEST_CASE("schemas say what the writer writes") {
  const std::string text = Describe(Documented());
  const Value document = Parsed(text);
  const auto property = [&](const std::string& name) {
    return At(document, {"components", "schemas", "Kinds", "properties", name});
  };
  CHECK(property("int64") == R"({"type":"integer","format":"int64"})");
  CHECK(property("data") == R"({"type":"string","contentEncoding":"base64"})");
  CHECK(property("color") ==
        R"({"type":"string","enum":["COLOR_UNSPECIFIED","COLOR_RED","COLOR_BLUE"]})");
  CHECK(property("maybe_text") == R"({"anyOf":[{"type":"string"},{"type":"null"}]})");
  CHECK(property("time") ==
        R"({"anyOf":[{"type":"string","format":"date-time"},{"type":"null"}]})");
  CHECK(property("jsons") ==
        R"({"type":"array","items":{"description":"Any JSON value, kept digit for digit."}})");
  CHECK(property("counts") ==
        R"({"type":"object","additionalProperties":{"type":"integer","format":"int64"}})");
  CHECK(At(document, {"components", "schemas", "Inner", "properties", "inners"}) ==
        R"({"type":"array","items":{"$ref":"#/components/schemas/Inner"}})");
  CHECK(At(document, {"components", "schemas", "Problem", "type"}) == "\"object\"");
}

TEST_CASE("a route that is made by hand stands beside the others, its query made from a message") {
  const HandMadeRoute route = {.path = "/live",
                               .operation_id = "Live",
                               .tag = "Live",
                               .summary = "s",
                               .query = test::Inner::descriptor(),
                               .parameters = R"([{"name":"Last-Event-ID","in":"header"}])",
                               .responses = R"({"101":{"description":"d"}})",
                               .members = R"({"x-more":[1]})",
                               .schemas = R"({"Frame":{"type":"object"}})",
                               .refers_to = {test::Inner::descriptor()}};
  const std::string text = Describe(Documented(), {route});
  const Value document = Parsed(text);
  const auto live = [&](const std::string& key) {
    return At(document, {"paths", "/live", "get", key});
  };
  CHECK(live("operationId") == "\"Live\"");
  CHECK(live("tags") == R"(["Live"])");
  CHECK(live("description") == "none");
  CHECK(live("x-more") == "[1]");
  CHECK(live("parameters") ==
        R"([{"name":"text","in":"query","schema":{"type":"string"}},)"
        R"({"name":"number","in":"query","schema":{"type":"integer","format":"int32"}},)"
        R"({"name":"inner.text","in":"query","schema":{"type":"string"}},)"
        R"({"name":"inner.number","in":"query","schema":{"type":"integer","format":"int32"}},)"
        R"({"name":"Last-Event-ID","in":"header"}])");
  CHECK(At(document, {"paths", "/live", "get", "responses", "101"}) == R"({"description":"d"})");
  CHECK(At(document, {"paths", "/live", "get", "responses", "4XX"}) != "none");
  CHECK(At(document, {"components", "schemas", "Frame"}) == R"({"type":"object"})");
  CHECK(At(document, {"components", "schemas", "Inner"}) != "none");
  CHECK(At(document, {"paths", "/kinds", "post"}) != "none");
}

TEST_CASE("without documentation the description is there, without words") {
  const std::string text = Describe("no descriptors");
  const Value document = Parsed(text);
  CHECK(At(document, {"paths", "/kinds", "post", "summary"}) == "none");
  CHECK(At(document, {"paths", "/kinds", "post", "operationId"}) == "\"PostKinds\"");
}

}  // namespace
}  // namespace god33::transcode
