#include "wire/read.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "event/check.h"
#include "event/fields.h"
#include "event/parts.h"
#include "god33/event/v1/envelope.pb.h"
#include "json/check.h"
#include "json/value.h"
#include "json/write.h"
#include "wire/proto.h"

namespace god33::wire {
namespace v1 = event::v1;
namespace {

using event::AddToMeta;
using event::AgentContext;
using event::CheckEnvelope;
using event::Envelope;
using event::Fields;
using event::InvalidEnvelope;
using event::NewMember;
using event::ReadContext;
using event::ReadSource;
using event::ReadTextSource;

// WriteJson puts meta two levels below the root, and the payload one.
constexpr std::size_t kEnvelopeDepth = 2;

absl::Status Unreadable(std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, "unreadable", message);
}

// What PostgreSQL keeps of a time.
absl::Time WholeMicros(absl::Time time) {
  return absl::FromUnixMicros(absl::ToUnixMicros(time));
}

std::string Quote(std::string_view text) {
  std::string quoted;
  json::AppendString(quoted, text);
  return quoted;
}

// Reads one JSON object of whichever shape. `space_` is the source's own name, in which ids that
// are no UUIDs are told apart.
class JsonReader {
 public:
  JsonReader(const Message& message, const json::Value& root)
      : message_(message), root_(root), fields_(root) {}

  absl::StatusOr<Envelope> Read() {
    if (fields_.Has("specversion")) {
      if (absl::Status status = ReadCloudEvent(); !status.ok()) return status;
    } else if (fields_.Has("hook_type") && !fields_.Has("payload")) {
      if (absl::Status status = ReadHookd(); !status.ok()) return status;
    } else if (fields_.Has("id") && (fields_.Has("ts") || fields_.Has("data"))) {
      if (absl::Status status = ReadLegacy(); !status.ok()) return status;
    } else {
      if (absl::Status status = ReadCanonical(); !status.ok()) return status;
    }
    for (const json::Member& member : fields_.Rest()) Keep(member.raw_key, member.value.text());
    AddToMeta(envelope_.source.meta, kept_);
    if (absl::Status status = CheckEnvelope(envelope_); !status.ok()) return status;
    return std::move(envelope_);
  }

 private:
  // {event_id, event_type, timestamp, version, source, correlation_ids, agent_context, payload},
  // and zellij-driver's {event_type, timestamp, payload, metadata{source, version, correlation_id,
  // session}}.
  absl::Status ReadCanonical() {
    TakeType("event_type");
    if (absl::Status status = TakeTime("timestamp"); !status.ok()) return status;
    if (absl::Status status = TakeVersion(); !status.ok()) return status;
    TakeSource();
    TakeMetadata();
    if (absl::Status status = TakeId("event_id"); !status.ok()) return status;
    if (metadata_parent_) AddParent(*metadata_parent_);
    TakeParents({"correlation_ids", "correlation_id", "causation_id"});
    DropStoreFields();
    if (const auto context = fields_.Peek("agent_context"); context && context->is_object()) {
      fields_.Take("agent_context");
      envelope_.agent_context = ReadContext(*context);
      if (*envelope_.agent_context == AgentContext()) envelope_.agent_context.reset();
    }
    return TakePayload("payload", Payload::kRequired);
  }

  // {id, ts, event_type, source, data, target?, correlation_id?, session_id?}
  absl::Status ReadLegacy() {
    TakeType("event_type");
    if (absl::Status status = TakeTime("ts"); !status.ok()) return status;
    TakeSource();
    if (absl::Status status = TakeId("id"); !status.ok()) return status;
    TakeParents({"correlation_id", "causation_id"});
    return TakePayload("data", Payload::kOptional);
  }

  // Everything but the envelope's own fields is the payload.
  absl::Status ReadHookd() {
    envelope_.source = {.host = "unknown", .type = "hook", .app = "hookd"};
    space_ = "hookd";
    TakeType("event_type");
    if (absl::Status status = TakeTime("timestamp"); !status.ok()) return status;
    if (absl::Status status = TakeId("event_id"); !status.ok()) return status;
    TakeParents({"correlation_id", "causation_id"});
    // As they were written, nulls and duplicates included: a payload comes back as it was.
    static constexpr std::string_view kOwn[] = {"event_type", "timestamp", "event_id",
                                                "correlation_id", "causation_id"};
    json::Writer writer(envelope_.payload);
    writer.BeginObject();
    for (const json::Member member : root_.members()) {
      if (std::find(std::begin(kOwn), std::end(kOwn), member.key()) != std::end(kOwn)) continue;
      writer.RawKey(member.raw_key);
      writer.Raw(member.value.text());
    }
    writer.EndObject();
    fields_.TakeRest();
    return absl::OkStatus();
  }

  // CloudEvents 1.0, structured mode, with the extensions correlationid and causationid.
  absl::Status ReadCloudEvent() {
    fields_.Take("specversion");
    TakeType("type");
    space_ = fields_.TakeString("source").value_or("");
    envelope_.source = {.host = "unknown", .type = "service", .app = space_};
    if (fields_.Has("time")) {
      if (absl::Status status = TakeTime("time"); !status.ok()) return status;
    } else if (message_.timestamp) {
      envelope_.time = WholeMicros(*message_.timestamp);
    } else {
      envelope_.time = WholeMicros(message_.received_at);
      envelope_.time_given = false;
    }
    if (absl::Status status = TakeId("id"); !status.ok()) return status;
    TakeParents({"correlationid", "causationid"});
    return TakePayload("data", Payload::kOptional);
  }

  // An event that was read from the store and is published again has what the store added: together these
  // are the store's, not the producer's.
  void DropStoreFields() {
    if (!fields_.Has("position") || !fields_.Has("recorded_at") || !fields_.Has("payload_errors"))
      return;
    for (const char* key : {"position", "recorded_at", "payload_errors"}) fields_.Take(key);
  }

  void TakeType(std::string_view key) { envelope_.type = fields_.TakeString(key).value_or(""); }

  absl::Status TakeTime(std::string_view key) {
    const auto value = fields_.Take(key);
    if (!value) return InvalidEnvelope(key, "expected an RFC 3339 time, got none");
    if (key == "ts" && value->kind() == json::Kind::kNumber) return TakeUnixTime(*value);
    if (!value->is_string()) {
      return InvalidEnvelope(
          key, StrCat("expected an RFC 3339 time, got ", json::Describe(value->kind())));
    }
    const auto time = ParseTimestamp(value->ToString());
    if (!time.ok()) return InvalidEnvelope(key, MessageOf(time.status()));
    envelope_.time = *time;
    return absl::OkStatus();
  }

  // Legacy producers also send seconds, or milliseconds, since 1970.
  absl::Status TakeUnixTime(const json::Value& value) {
    constexpr double kMostSeconds = 253402300799;  // the end of the year 9999
    constexpr double kLeastMillis = 1e11;          // as seconds this would be the year 5138
    double number = 0;
    const char* end = value.text().data() + value.text().size();
    const auto [rest, error] = std::from_chars(value.text().data(), end, number);
    if (number >= kLeastMillis) number /= 1000;
    if (error != std::errc() || !(number >= 0 && number <= kMostSeconds)) {
      return InvalidEnvelope("ts", "expected an RFC 3339 time or seconds since 1970");
    }
    envelope_.time = absl::FromUnixMicros(std::llround(number * 1e6));
    return absl::OkStatus();
  }

  absl::Status TakeVersion() {
    const auto version = fields_.Take("version");
    if (!version) return absl::OkStatus();
    if (version->is_string()) {
      const std::string text = version->ToString();
      if (!text.empty()) envelope_.version = text;
    } else if (version->kind() == json::Kind::kNumber) {
      envelope_.version = version->text();
    } else {
      return InvalidEnvelope("version",
                             StrCat("expected a string, got ", json::Describe(version->kind())));
    }
    return absl::OkStatus();
  }

  void TakeSource() {
    envelope_.source = {.host = "unknown", .type = "manual"};
    const auto source = fields_.Peek("source");
    if (!source) return;
    if (source->is_object()) {
      fields_.Take("source");
      envelope_.source = ReadSource(*source);
      source_is_object_ = true;
      space_ = envelope_.source.app.value_or(envelope_.source.host);
    } else if (source->is_string()) {
      fields_.Take("source");
      space_ = source->ToString();
      envelope_.source = ReadTextSource(space_);
    }
  }

  void TakeMetadata() {
    const auto metadata = fields_.Peek("metadata");
    if (!metadata || !metadata->is_object()) return;
    fields_.Take("metadata");
    Fields inner(*metadata);
    if (!source_is_object_ && space_.empty()) {
      space_ = inner.TakeString("source").value_or("");
      if (!space_.empty()) envelope_.source = ReadTextSource(space_);
    }
    metadata_parent_ = inner.TakeString("correlation_id");
    for (const json::Member& member : inner.Rest()) Keep(member.raw_key, member.value.text());
  }

  absl::Status TakeId(std::string_view key) {
    const auto value = fields_.Take(key);
    // An empty id of a producer's own would become the same one for all its events.
    const bool empty = value && !source_is_object_ && value->text() == R"("")";
    if (!value || empty) {
      const auto message_id = Uuid::Parse(message_.message_id);
      envelope_.id = message_id
                         ? *message_id
                         : Uuid::NameBased(kNamespaceOid, StrCat("bloodbank:", envelope_.type, ":",
                                                                 Sha256Hex(message_.body)));
      return absl::OkStatus();
    }
    const std::string text = value->is_string() ? value->ToString() : std::string(value->text());
    if (const auto id = Uuid::Parse(text)) {
      envelope_.id = *id;
      return absl::OkStatus();
    }
    if (source_is_object_ || space_.empty()) {
      return InvalidEnvelope(key, StrCat("expected a UUID, got ", Quote(Clip(text, 80))));
    }
    envelope_.id = Derived(text);
    Keep(R"("original_id")", value->text());
    return absl::OkStatus();
  }

  // An id of the producer's own, in the space of its source.
  Uuid Derived(std::string_view id) const {
    return Uuid::NameBased(kNamespaceOid, StrCat("bloodbank:", space_, ":", id));
  }

  void TakeParents(std::initializer_list<std::string_view> keys) {
    for (const std::string_view key : keys) {
      const auto value = fields_.Take(key);
      if (!value) continue;
      if (value->kind() == json::Kind::kArray) {
        for (const json::Value element : value->elements()) AddParent(element);
      } else {
        AddParent(*value);
      }
    }
    if (!originals_.empty()) {
      std::string list;
      json::Writer writer(list);
      writer.BeginArray();
      for (const std::string& original : originals_) writer.Raw(original);
      writer.EndArray();
      Keep(R"("original_correlation_ids")", list);
    }
  }

  void AddParent(const json::Value& value) {
    if (value.is_null()) return;
    AddParent(value.is_string() ? value.ToString() : std::string(value.text()));
  }

  void AddParent(const std::string& text) {
    if (text.empty()) return;
    std::optional<Uuid> parent = Uuid::Parse(text);
    if (!parent) {
      parent = Derived(text);
      originals_.push_back(Quote(text));
    }
    if (*parent != envelope_.id && seen_.insert(*parent).second)
      envelope_.parents.push_back(*parent);
  }

  enum class Payload { kRequired, kOptional };

  absl::Status TakePayload(std::string_view key, Payload need) {
    const auto payload = fields_.Take(key);
    if (payload && payload->is_object()) {
      envelope_.payload = payload->text();
    } else if (!payload && need == Payload::kOptional) {
      envelope_.payload = "{}";
    } else {
      return InvalidEnvelope(key, StrCat("expected an object, got ",
                                         payload ? json::Describe(payload->kind()) : "none"));
    }
    return absl::OkStatus();
  }

  void Keep(std::string_view quoted_key, std::string_view json) {
    kept_.push_back({std::string(quoted_key), std::string(json)});
  }

  const Message& message_;
  const json::Value root_;
  Fields fields_;
  Envelope envelope_;
  bool source_is_object_ = false;
  std::string space_;
  std::optional<std::string> metadata_parent_;
  std::vector<std::string> originals_;  // parents that are no UUIDs, as JSON
  absl::flat_hash_set<Uuid> seen_;
  std::vector<NewMember> kept_;
};

// Media types know no case, and parameters may follow (RFC 9110, 8.3.1).
bool IsProtobuf(std::string_view content_type) {
  const auto type = ToAbsl(content_type.substr(0, content_type.find_first_of("; \t")));
  return absl::EqualsIgnoreCase(type, "application/protobuf") ||
         absl::EqualsIgnoreCase(type, "application/x-protobuf") ||
         absl::EqualsIgnoreCase(type, "application/vnd.google.protobuf");
}

// Of a message that is deeper than kMaxDepth as a whole: no part of the envelope may be.
absl::Status CheckDepth(const Envelope& envelope) {
  const auto check = [](std::string_view field, const std::string& json) {
    const absl::Status status = json.empty() ? absl::OkStatus() : json::Check(json);
    return status.ok() ? status : InvalidEnvelope(field, MessageOf(status));
  };
  absl::Status status = check("payload", envelope.payload);
  if (status.ok()) status = check("source.meta", envelope.source.meta);
  if (status.ok() && envelope.agent_context) {
    status = check("agent_context.meta", envelope.agent_context->meta);
  }
  return status;
}

absl::StatusOr<Envelope> ReadProtobuf(std::string_view body) {
  v1::EventEnvelope proto;
  if (!proto.ParseFromArray(body.data(), static_cast<int>(body.size()))) {
    return Unreadable("not a god33.event.v1.EventEnvelope");
  }
  auto envelope = FromProto(proto);
  if (envelope.ok()) return envelope;
  return MakeError(absl::StatusCode::kInvalidArgument, "invalid_envelope",
                   MessageOf(envelope.status()), FieldOf(envelope.status()));
}

}  // namespace

absl::StatusOr<Envelope> ReadMessage(const Message& message) {
  if (IsProtobuf(message.content_type)) return ReadProtobuf(message.body);
  auto root = json::Value::Parse(message.body);
  // An envelope may hold parts that are kMaxDepth deep; its own braces come on top.
  const bool deep = !root.ok();
  if (deep) root = json::Value::Parse(message.body, json::kMaxDepth + kEnvelopeDepth);
  if (!root.ok()) return Unreadable(MessageOf(root.status()));
  if (!root->is_object()) {
    return Unreadable(StrCat("expected a JSON object, got ", json::Describe(root->kind())));
  }
  auto envelope = JsonReader(message, *root).Read();
  if (deep && envelope.ok()) {
    if (absl::Status status = CheckDepth(*envelope); !status.ok()) return status;
  }
  return envelope;
}

}  // namespace god33::wire
