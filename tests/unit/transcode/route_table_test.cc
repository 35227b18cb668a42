#include "transcode/route_table.h"

#include <catch2/catch.hpp>

#include "base/error.h"
#include "god33/store/v1/event_store.pb.h"
#include "google/api/annotations.pb.h"
#include "google/protobuf/text_format.h"
#include "kinds.pb.h"

namespace god33::transcode {
namespace {

namespace pb = google::protobuf;

// Services made up on the spot.
class Services {
 public:
  // `methods`: the method_descriptor_protos of a service that takes and returns Kinds, in text
  // format.
  explicit Services(const std::string& methods) {
    pb::FileDescriptorProto file;
    REQUIRE(pb::TextFormat::ParseFromString(
        R"(name: "test.proto" package: "test" syntax: "proto3"
           dependency: ["kinds.proto", "google/api/annotations.proto"]
           service { name: "S" )" +
            methods + " }",
        &file));
    for (auto& method : *file.mutable_service(0)->mutable_method()) {
      method.set_input_type(".god33.transcode.test.Kinds");
      method.set_output_type(".god33.transcode.test.Kinds");
    }
    file_ = pool_.BuildFile(file);
    REQUIRE(file_ != nullptr);
  }

  absl::StatusOr<RouteTable> Compile() const { return RouteTable::Compile({file_->service(0)}); }

 private:
  pb::DescriptorPool pool_{pb::DescriptorPool::generated_pool()};
  const pb::FileDescriptor* file_;
};

std::string Method(const std::string& name, const std::string& rule) {
  return "method { name: \"" + name + "\" options { [google.api.http] { " + rule + " } } }";
}

// The name of the method that answers, or the verbs that are allowed, in brackets.
std::string Find(const RouteTable& table, std::string_view verb, std::string_view path) {
  const auto match = table.Find(verb, path);
  REQUIRE(match.ok());
  return match->route != nullptr ? match->route->method->name() : "[" + match->allow + "]";
}

TEST_CASE("the event store's routes are those of the architecture") {
  const auto* service =
      pb::DescriptorPool::generated_pool()->FindServiceByName("god33.store.v1.EventStoreService");
  const auto table = RouteTable::Compile({service});
  REQUIRE(table.ok());
  CHECK(Find(*table, "GET", "/api/v1/events") == "ListEvents");
  CHECK(Find(*table, "POST", "/api/v1/events") == "AppendEvent");
  CHECK(Find(*table, "GET", "/api/v1/events/6f9619ff-8b86-d011-b42d-00c04fc964ff") == "GetEvent");
  CHECK(Find(*table, "HEAD", "/api/v1/events/x") == "GetEvent");
  CHECK(Find(*table, "DELETE", "/api/v1/events") == "[GET, HEAD, POST]");
  CHECK(Find(*table, "get", "/api/v1/events") == "[GET, HEAD, POST]");
  CHECK(Find(*table, "OPTIONS", "/api/v1/events/x") == "[GET, HEAD]");
  CHECK(Find(*table, "GET", "/api/v1/nothing") == "[]");
  CHECK(Find(*table, "GET", "/api/v1/events/x/") == "[]");
  CHECK(Find(*table, "GET", "*") == "[]");
}

TEST_CASE("a match has the decoded variables and the annotation's body and answer") {
  const auto* service =
      pb::DescriptorPool::generated_pool()->FindServiceByName("god33.store.v1.EventStoreService");
  const auto table = RouteTable::Compile({service});
  const auto get = table->Find("GET", "/api/v1/events/a%20b");
  CHECK(get->variables == std::vector<std::string>{"a b"});
  CHECK(get->route->path.text() == "/api/v1/events/{event_id}");
  CHECK(get->route->response_field->name() == "event");
  const auto post = table->Find("POST", "/api/v1/events");
  CHECK(post->route->body_field->name() == "event");
  CHECK_FALSE(post->route->whole_body);
  CHECK(FieldOf(table->Find("GET", "/api/v1/events/%").status()) == "event_id");
}

TEST_CASE("the most specific route answers, whatever the order of declaration") {
  const Services services(
      Method("Rest", R"(get: "/a/{text=**}")") + Method("One", R"(get: "/a/{text}")") +
      Method("Literal", R"(get: "/a/b")") + Method("Verb", R"(get: "/a/{text}:run")") +
      Method("Post", R"(post: "/a/b")"));
  const auto table = services.Compile();
  REQUIRE(table.ok());
  CHECK(Find(*table, "GET", "/a/b") == "Literal");
  CHECK(Find(*table, "GET", "/a/c") == "One");
  CHECK(Find(*table, "GET", "/a/c:run") == "Verb");
  CHECK(Find(*table, "GET", "/a/c/d") == "Rest");
  CHECK(Find(*table, "POST", "/a/b") == "Post");
  CHECK(Find(*table, "POST", "/a/c") == "[GET, HEAD]");
  CHECK(Find(*table, "PUT", "/a/b") == "[GET, HEAD, POST]");
}

TEST_CASE("a less specific route answers a verb that the more specific one has not") {
  const Services services(Method("Get", R"(get: "/a/{text}")") + Method("Post", R"(post: "/a/b")"));
  const auto table = services.Compile();
  CHECK(Find(*table, "GET", "/a/b") == "Get");
}

TEST_CASE("all patterns and additional bindings are routes") {
  const Services services(
      Method("Many",
             R"(get: "/a" additional_bindings { put: "/b" } additional_bindings { delete: "/c" }
                        additional_bindings { patch: "/d" }
                        additional_bindings { custom { kind: "SEARCH" path: "/e" } }
                        additional_bindings { custom { kind: "*" path: "/f" } })") +
      Method("Get", R"(get: "/f")"));
  const auto table = services.Compile();
  REQUIRE(table.ok());
  for (const auto& [verb, path] : {std::pair("GET", "/a"),
                                   {"PUT", "/b"},
                                   {"DELETE", "/c"},
                                   {"PATCH", "/d"},
                                   {"SEARCH", "/e"},
                                   {"ANY", "/f"}}) {
    CHECK(Find(*table, verb, path) == "Many");
  }
  CHECK(Find(*table, "GET", "/f") == "Get");
}

TEST_CASE("methods without an annotation have no route") {
  const auto table = Services("method { name: \"Plain\" }").Compile();
  REQUIRE(table.ok());
  CHECK(table->routes().empty());
}

TEST_CASE("bindings that match the same requests are refused with both names") {
  const Services services(Method("One", R"(get: "/a/{text}/b")") +
                          Method("Two", R"(get: "/a/{maybe_text=*}/b")"));
  const auto table = services.Compile();
  CHECK(table.status().code() == absl::StatusCode::kInvalidArgument);
  const std::string message(MessageOf(table.status()));
  CHECK(message.find("test.S.One") != std::string::npos);
  CHECK(message.find("test.S.Two") != std::string::npos);
}

TEST_CASE("annotations that can't work are refused with the method's name") {
  for (const char* rule : {
           R"(get: "a")",               // no path
           R"(body: "*")",              // no pattern
           R"(custom { path: "/a" })",  // no verb
           R"(get: "/{nothing}")",      // unknown fields
           R"(get: "/{inner.nothing}")",
           R"(get: "/{text.length}")",
           R"(post: "/a" body: "nothing")",
           R"(get: "/a" response_body: "nothing")",
           R"(get: "/{texts}")",  // lists, messages
           R"(get: "/{inner}")",
           R"(get: "/{json}")",
           R"(get: "/{time.seconds}")",
           R"(get: "/a" additional_bindings { get: "/{" })",
       }) {
    CAPTURE(rule);
    const auto table = Services(Method("Bad", rule)).Compile();
    CHECK(table.status().code() == absl::StatusCode::kInvalidArgument);
    CHECK(std::string(MessageOf(table.status())).rfind("test.S.Bad: ", 0) == 0);
  }
  const Services streaming(
      R"(method { name: "Bad" server_streaming: true options { [google.api.http] { get: "/a" } } })");
  CHECK_FALSE(streaming.Compile().ok());
}

TEST_CASE("a list and anything else at the same path are two methods") {
  const Services services(Method("One", R"(post: "/kinds" body: "inner")") +
                          Method("Other", R"(post: "/kinds/{text}" body: "inner")") +
                          Method("Many", R"(post: "/kinds" body: "inners")") +
                          Method("Put", R"(put: "/kinds" body: "inners")"));
  const auto table = services.Compile();
  REQUIRE(table.ok());
  const auto find = [&](std::string_view body) {
    return table->Find("POST", "/kinds", body)->route->method->name();
  };
  CHECK(find("[]") == "Many");
  CHECK(find(" \r\n\t[1") == "Many");
  for (const char* other : {"", "{}", "x[", "\"[\"", "null"}) CHECK(find(other) == "One");
  CHECK(table->Find("PUT", "/kinds", "{}")->route->method->name() == "Put");
  CHECK(Find(*table, "GET", "/kinds") == "[POST, PUT]");
}

TEST_CASE("two lists at the same path clash") {
  const Services services(Method("A", R"(post: "/kinds" body: "inners")") +
                          Method("B", R"(post: "/kinds" body: "texts")"));
  CHECK_FALSE(services.Compile().ok());
}

}  // namespace
}  // namespace god33::transcode
