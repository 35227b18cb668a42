#include "tools/god33/event_schema.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/str_join.h"
#include "base/error.h"
#include "base/strings.h"
#include "proto/documentation.h"
#include "tools/god33/api_client.h"
#include "tools/god33/confirm.h"
#include "tools/god33/event_view.h"
#include "tools/god33/json_layout.h"
#include "tools/god33/near_names.h"
#include "tools/god33/payload_schema.h"

namespace god33::cli {
namespace {

namespace v1 = store::v1;

constexpr absl::Duration kPatience = absl::Seconds(2);

absl::Status NoSchema(const std::string& type, const wire::PayloadRegistry& registry) {
  std::vector<std::string> names;
  for (const auto& [name, entry] : registry.entries()) names.push_back(name);
  const std::vector<std::string> near = NearNames(type, names);
  return WithHint(
      MakeError(absl::StatusCode::kNotFound, "SCHEMA_NOT_FOUND",
                StrCat("no schema is registered for \"", Clip(type, 80), "\"")),
      StrCat(near.empty() ? "" : StrCat("near ones: ", absl::StrJoin(near, ", "), "; "),
             "`god33 event schema` lists all; without a schema a payload may be any object"));
}

// What the store has seen, on top of what is registered here.
absl::Status AddSeen(std::map<std::string, v1::EventType>& types, const Session& session) {
  ApiClient client(session.options.api_address, std::min(session.options.timeout, kPatience));
  const auto answer = client.Call(&ApiClient::Stub::ListEventTypes, v1::ListEventTypesRequest());
  if (!answer.ok()) return answer.status();
  for (const v1::EventType& seen : answer->event_types()) {
    const auto [type, added] = types.try_emplace(seen.name(), seen);
    if (!added && seen.has_first_position()) {
      type->second.set_first_position(seen.first_position());
    }
  }
  return absl::OkStatus();
}

absl::Status ListTypes(const wire::PayloadRegistry& registry, Session& session) {
  std::map<std::string, v1::EventType> types;
  for (const auto& [name, entry] : registry.entries()) {
    v1::EventType& type = types[name];
    type.set_name(name);
    type.set_summary(entry.summary);
    type.set_registered(true);
  }
  const absl::Status seen = AddSeen(types, session);
  v1::ListEventTypesResponse answer;
  for (auto& [name, type] : types) *answer.add_event_types() = std::move(type);
  ListPrinter printer(session.paper, *v1::ListEventTypesResponse::descriptor(), EventTypeView());
  absl::Status status = printer.AddPage(answer);
  if (status.ok()) status = printer.Finish(answer);
  if (status.ok() && !seen.ok()) {
    session.Note(StrCat("Only the registered types: ", MessageOf(seen), "."));
  }
  return status;
}

}  // namespace

absl::Status ShowSchema(const SchemaOptions& options, Session& session) {
  const wire::PayloadRegistry registry;
  if (options.type.empty()) {
    return options.example ? Usage("--example needs a TYPE") : ListTypes(registry, session);
  }
  const auto entry = registry.entries().find(options.type);
  if (entry == registry.entries().end()) return NoSchema(options.type, registry);
  if (options.example) {
    const std::string example = ExamplePayload(*entry->second.schema);
    return PrintJson(session.paper, example,
                     [&] { return StrCat(IndentJson(example, Unsafe::kEscape), "\n"); });
  }
  const transcode::Comments comments(ProtoDocumentation());
  return PrintJson(session.paper, JsonSchema(options.type, entry->second, comments), [&] {
    return SchemaText(options.type, entry->second, comments, session.paper.screen);
  });
}

}  // namespace god33::cli
