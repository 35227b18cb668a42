#include "tools/god33/payload_schema.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "json/value.h"
#include "proto/documentation.h"
#include "tools/god33/visible.h"

namespace god33::cli {
namespace {

const transcode::Comments& Documented() {
  static const transcode::Comments comments(ProtoDocumentation());
  return comments;
}

const PayloadField& Find(const std::vector<PayloadField>& fields, std::string_view name) {
  const auto field = std::find_if(fields.begin(), fields.end(),
                                  [&](const PayloadField& each) { return each.name == name; });
  REQUIRE(field != fields.end());
  return *field;
}

const wire::PayloadRegistry::Entry& EntryOf(std::string_view type) {
  static const wire::PayloadRegistry registry;
  return registry.entries().find(type)->second;
}

std::vector<PayloadField> FieldsOfType(std::string_view type) {
  return FieldsOf(*EntryOf(type).schema, Documented());
}

TEST_CASE("every registered type's example is a payload without a fault, with every field") {
  const wire::PayloadRegistry registry;
  for (const auto& [type, entry] : registry.entries()) {
    const std::string example = ExamplePayload(*entry.schema);
    CAPTURE(type, example);
    const auto payload = json::Value::Parse(example);
    REQUIRE(payload.ok());
    CHECK(registry.Check(type, example).empty());
    for (int i = 0; i < entry.schema->field_count(); ++i) {
      CHECK(payload->Find(entry.schema->field(i)->name()));
    }
  }
}

TEST_CASE("every registered type's JSON Schema is JSON, with a line about what it is") {
  const wire::PayloadRegistry registry;
  for (const auto& [type, entry] : registry.entries()) {
    CAPTURE(type);
    const std::string text = JsonSchema(type, entry, Documented());
    const auto schema = json::Value::Parse(text);
    REQUIRE(schema.ok());
    CHECK(schema->Find("title")->ToString() == type);
    CHECK(schema->Find("description")->ToString() == entry.summary);
    CHECK(schema->Find("$schema")->ToString() == "https://json-schema.org/draft/2020-12/schema");
  }
}

TEST_CASE("fields are told with type, other name and the proto's comment") {
  const auto handoff = FieldsOfType("bmad.workflow.handoff.requested");
  CHECK(Find(handoff, "workflow_id").type == "UUID");
  CHECK(Find(handoff, "workflow_id").required == "yes");
  CHECK(Find(handoff, "task_description").required == "yes, or task");
  CHECK(Find(handoff, "task_description").meaning ==
        "What is to be done. `task` is read as the same field.");
  CHECK(Find(handoff, "context").type == "object");
  CHECK(Find(handoff, "deadline").type == "RFC 3339 time");
  CHECK(Find(handoff, "priority").required.empty());
}

TEST_CASE("fields of objects stand below their field") {
  const auto completed = FieldsOfType("agent.letta.task.completed");
  CHECK(Find(completed, "artifacts").type == "list of objects");
  CHECK(Find(completed, "artifacts[].path").type == "string");
  CHECK(Find(completed, "validation.coverage_pct").type == "number");
  const auto saved = FieldsOfType("agent.letta.checkpoint.saved");
  CHECK(Find(saved, "context_snapshot.files_modified").type == "list of strings");
  CHECK(Find(saved, "context_snapshot.next_steps").type == "any JSON");
  CHECK(Find(saved, "metrics.tokens_used").type == "whole number");
}

TEST_CASE("null is allowed where nothing is required, and only there") {
  const std::string text =
      JsonSchema("bmad.workflow.started", EntryOf("bmad.workflow.started"), Documented());
  const auto schema = json::Value::Parse(text);
  const auto properties = schema->Find("properties");
  CHECK(properties->Find("project_name")->Find("type")->text() == "\"string\"");
  CHECK(properties->Find("phase")->Find("type")->text() == R"(["string","null"])");
  CHECK(schema->Find("required")->text() == R"(["workflow_id","project_name"])");
}

TEST_CASE("meanings are wrapped to the screen, and never when piped") {
  const std::string type = "bmad.workflow.handoff.requested";
  const std::string piped = SchemaText(type, EntryOf(type), Documented(), {});
  CHECK(piped.find("What is to be done. `task` is read as the same field.\n") != std::string::npos);
  CHECK(piped.find("god33 event schema " + type + " --example | god33 event publish " + type) !=
        std::string::npos);
  const std::string narrow =
      SchemaText(type, EntryOf(type), Documented(), {.terminal = true, .width = 80});
  CHECK(narrow.find("What is to be done. `task` is read as the same field.") == std::string::npos);
  CHECK(narrow.find("…") == std::string::npos);
}

}  // namespace
}  // namespace god33::cli
