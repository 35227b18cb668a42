#include "wire/proto.h"

#include <string>
#include <string_view>

#include "absl/container/flat_hash_set.h"
#include "base/error.h"
#include "base/strings.h"
#include "event/check.h"
#include "json/check.h"
#include "json/value.h"

namespace god33::wire {
namespace v1 = event::v1;
namespace {

using event::AgentContext;
using event::CheckEnvelope;
using event::CodeState;
using event::Envelope;
using event::Source;

absl::StatusOr<Uuid> ReadId(std::string_view field, const std::string& text) {
  if (const auto id = Uuid::Parse(text)) return *id;
  return InvalidField(field, text.empty()
                                 ? "expected a UUID, got none"
                                 : StrCat("expected a UUID, got \"", Clip(text, 80), "\""));
}

template <typename Message>
absl::StatusOr<std::string> ReadMeta(std::string_view field, const Message& message) {
  if (!message.has_meta() || message.meta().text().empty()) return std::string();
  if (absl::Status status = json::Check(message.meta().text()); !status.ok()) {
    return InvalidField(field, MessageOf(status));
  }
  // null is the same as none, as it is on the bus.
  const bool null = json::Value::Checked(message.meta().text()).is_null();
  return null ? std::string() : message.meta().text();
}

absl::StatusOr<AgentContext> ReadContext(const v1::AgentContext& proto) {
  AgentContext context;
  if (proto.has_type()) context.type = proto.type();
  if (proto.has_name()) context.name = proto.name();
  if (proto.has_system_prompt()) context.system_prompt = proto.system_prompt();
  if (proto.has_instance_id()) context.instance_id = proto.instance_id();
  context.mcp_servers = {proto.mcp_servers().begin(), proto.mcp_servers().end()};
  context.file_references = {proto.file_references().begin(), proto.file_references().end()};
  context.url_references = {proto.url_references().begin(), proto.url_references().end()};
  if (proto.has_code_state()) {
    const v1::CodeState& from = proto.code_state();
    CodeState& code = context.code_state.emplace();
    if (from.has_repo_url()) code.repo_url = from.repo_url();
    if (from.has_branch()) code.branch = from.branch();
    if (from.has_working_diff()) code.working_diff = from.working_diff();
    if (from.has_branch_diff()) code.branch_diff = from.branch_diff();
    if (from.has_last_commit_hash()) code.last_commit_hash = from.last_commit_hash();
  }
  if (proto.has_checkpoint_id()) context.checkpoint_id = proto.checkpoint_id();
  auto meta = ReadMeta("agent_context.meta", proto);
  if (!meta.ok()) return meta.status();
  context.meta = *std::move(meta);
  return context;
}

absl::Status ReadParents(const v1::EventEnvelope& proto, Envelope& envelope) {
  absl::flat_hash_set<Uuid> seen{envelope.id};
  for (int i = 0; i < proto.correlation_ids_size(); ++i) {
    const auto parent = ReadId(StrCat("correlation_ids[", i, "]"), proto.correlation_ids(i));
    if (!parent.ok()) return parent.status();
    if (seen.insert(*parent).second) envelope.parents.push_back(*parent);
  }
  return absl::OkStatus();
}

absl::Status ReadPayload(const v1::EventEnvelope& proto, Envelope& envelope) {
  if (!proto.has_payload()) return InvalidField("payload", "expected an object, got none");
  const auto payload = json::Value::Parse(proto.payload().text());
  if (!payload.ok()) return InvalidField("payload", MessageOf(payload.status()));
  if (!payload->is_object()) {
    return InvalidField("payload",
                        StrCat("expected an object, got ", json::Describe(payload->kind())));
  }
  envelope.payload = payload->text();
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<Envelope> FromProto(const v1::EventEnvelope& proto) {
  Envelope envelope;
  const auto id = ReadId("event_id", proto.event_id());
  if (!id.ok()) return id.status();
  envelope.id = *id;
  envelope.type = proto.event_type();
  if (!proto.has_timestamp()) return InvalidField("timestamp", "expected a time, got none");
  const auto time = ReadTime("timestamp", proto.timestamp());
  if (!time.ok()) return time.status();
  envelope.time = *time;
  if (!proto.version().empty()) envelope.version = proto.version();
  if (!proto.has_source()) return InvalidField("source", "expected a source, got none");
  envelope.source.host = proto.source().host();
  envelope.source.type = proto.source().type();
  if (proto.source().has_app()) envelope.source.app = proto.source().app();
  auto meta = ReadMeta("source.meta", proto.source());
  if (!meta.ok()) return meta.status();
  envelope.source.meta = *std::move(meta);
  if (absl::Status status = ReadParents(proto, envelope); !status.ok()) return status;
  if (proto.has_agent_context()) {
    auto context = ReadContext(proto.agent_context());
    if (!context.ok()) return context.status();
    if (*context != AgentContext()) envelope.agent_context = *std::move(context);
  }
  if (absl::Status status = ReadPayload(proto, envelope); !status.ok()) return status;
  if (absl::Status status = CheckEnvelope(envelope); !status.ok()) {
    return MakeError(absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENT", MessageOf(status),
                     FieldOf(status));
  }
  return envelope;
}

void ToProto(const Source& source, v1::Source& proto) {
  proto.set_host(source.host);
  proto.set_type(source.type);
  if (source.app) proto.set_app(*source.app);
  if (!source.meta.empty()) proto.mutable_meta()->set_text(source.meta);
}

void ToProto(const AgentContext& context, v1::AgentContext& proto) {
  if (context.type) proto.set_type(*context.type);
  if (context.name) proto.set_name(*context.name);
  if (context.system_prompt) proto.set_system_prompt(*context.system_prompt);
  if (context.instance_id) proto.set_instance_id(*context.instance_id);
  for (const std::string& text : context.mcp_servers) proto.add_mcp_servers(text);
  for (const std::string& text : context.file_references) proto.add_file_references(text);
  for (const std::string& text : context.url_references) proto.add_url_references(text);
  if (const auto& code = context.code_state) {
    v1::CodeState& to = *proto.mutable_code_state();
    if (code->repo_url) to.set_repo_url(*code->repo_url);
    if (code->branch) to.set_branch(*code->branch);
    if (code->working_diff) to.set_working_diff(*code->working_diff);
    if (code->branch_diff) to.set_branch_diff(*code->branch_diff);
    if (code->last_commit_hash) to.set_last_commit_hash(*code->last_commit_hash);
  }
  if (context.checkpoint_id) proto.set_checkpoint_id(*context.checkpoint_id);
  if (!context.meta.empty()) proto.mutable_meta()->set_text(context.meta);
}

void ToProto(const Envelope& envelope, v1::EventEnvelope& proto) {
  proto.set_event_id(envelope.id.ToString());
  proto.set_event_type(envelope.type);
  *proto.mutable_timestamp() = ToProto(envelope.time);
  proto.set_version(envelope.version);
  ToProto(envelope.source, *proto.mutable_source());
  for (const Uuid& parent : envelope.parents) proto.add_correlation_ids(parent.ToString());
  if (envelope.agent_context) ToProto(*envelope.agent_context, *proto.mutable_agent_context());
  proto.mutable_payload()->set_text(envelope.payload);
}

}  // namespace god33::wire
