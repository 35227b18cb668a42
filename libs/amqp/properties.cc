#include "amqp/properties.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <string_view>

#include "base/error.h"
#include "base/strings.h"
#include "json/write.h"

namespace god33::amqp {
namespace {

constexpr int kMostDepth = 32;

// A short string's, in bytes.
constexpr std::size_t kMostShort = 255;

// Properties stand in one frame of 128 KiB; the short texts among them and ours have the rest.
constexpr std::size_t kMostHeaders = 120'000;

// Kind and value of a field, or kind and length, at most; and the length of a key.
constexpr std::size_t kFieldBytes = 10;

std::string_view View(amqp_bytes_t bytes) {
  return {static_cast<const char*>(bytes.bytes), bytes.len};
}

void WriteTable(json::Writer& writer, const amqp_table_t& table, int depth);

void WriteNumber(json::Writer& writer, double number) {
  if (!std::isfinite(number)) {
    writer.String(std::isnan(number) ? "NaN" : number > 0 ? "Infinity" : "-Infinity");
    return;
  }
  writer.Raw(StrCat(number));
}

void WriteField(json::Writer& writer, const amqp_field_value_t& field, int depth) {
  switch (field.kind) {
    case AMQP_FIELD_KIND_BOOLEAN:
      return writer.Bool(field.value.boolean != 0);
    case AMQP_FIELD_KIND_I8:
      return writer.Int(field.value.i8);
    case AMQP_FIELD_KIND_U8:
      return writer.Int(field.value.u8);
    case AMQP_FIELD_KIND_I16:
      return writer.Int(field.value.i16);
    case AMQP_FIELD_KIND_U16:
      return writer.Int(field.value.u16);
    case AMQP_FIELD_KIND_I32:
      return writer.Int(field.value.i32);
    case AMQP_FIELD_KIND_U32:
      return writer.Int(field.value.u32);
    case AMQP_FIELD_KIND_I64:
      return writer.Int(field.value.i64);
    case AMQP_FIELD_KIND_U64:
    case AMQP_FIELD_KIND_TIMESTAMP:
      return writer.Raw(StrCat(field.value.u64));
    case AMQP_FIELD_KIND_F32:
      return WriteNumber(writer, static_cast<double>(field.value.f32));
    case AMQP_FIELD_KIND_F64:
      return WriteNumber(writer, field.value.f64);
    case AMQP_FIELD_KIND_UTF8:
    case AMQP_FIELD_KIND_BYTES:
      return writer.String(View(field.value.bytes));
    case AMQP_FIELD_KIND_TABLE:
      if (depth == kMostDepth) return writer.Null();
      return WriteTable(writer, field.value.table, depth + 1);
    case AMQP_FIELD_KIND_ARRAY:
      if (depth == kMostDepth) return writer.Null();
      writer.BeginArray();
      for (int i = 0; i < field.value.array.num_entries; ++i) {
        WriteField(writer, field.value.array.entries[i], depth + 1);
      }
      return writer.EndArray();
    default:
      return writer.Null();
  }
}

void WriteTable(json::Writer& writer, const amqp_table_t& table, int depth) {
  writer.BeginObject();
  for (int i = 0; i < table.num_entries; ++i) {
    writer.Key(View(table.entries[i].key));
    WriteField(writer, table.entries[i].value, depth);
  }
  writer.EndObject();
}

// Quorum queues add it when they deliver again. It is not the publisher's, and without it the same
// message looks the same each time.
bool IsDeliveryCount(const amqp_table_entry_t& entry) {
  return View(entry.key) == "x-delivery-count";
}

void WriteHeaders(json::Writer& writer, const amqp_table_t& headers) {
  const amqp_table_entry_t* const begin = headers.entries;
  const amqp_table_entry_t* const end = begin + headers.num_entries;
  if (std::all_of(begin, end, IsDeliveryCount)) return;
  writer.Key("headers");
  writer.BeginObject();
  for (const amqp_table_entry_t* entry = begin; entry != end; ++entry) {
    if (IsDeliveryCount(*entry)) continue;
    writer.Key(View(entry->key));
    WriteField(writer, entry->value, 0);
  }
  writer.EndObject();
}

template <typename Number>
std::optional<Number> NumberOf(std::string_view text) {
  Number number{};
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

bool IsBrokersOwn(std::string_view header) {
  return header == "x-death" || header.starts_with("x-first-death-") ||
         header.starts_with("x-last-death-");
}

}  // namespace

std::string PropertiesToJson(const amqp_basic_properties_t& properties) {
  std::string text;
  json::Writer writer(text);
  const auto has = [&](amqp_flags_t flag) { return (properties._flags & flag) != 0; };
  const auto add = [&](amqp_flags_t flag, std::string_view key, amqp_bytes_t value) {
    if (!has(flag)) return;
    writer.Key(key);
    writer.String(View(value));
  };
  const auto add_number = [&](amqp_flags_t flag, std::string_view key, std::uint64_t value) {
    if (!has(flag)) return;
    writer.Key(key);
    writer.Raw(StrCat(value));
  };
  writer.BeginObject();
  add(AMQP_BASIC_CONTENT_TYPE_FLAG, "content_type", properties.content_type);
  add(AMQP_BASIC_CONTENT_ENCODING_FLAG, "content_encoding", properties.content_encoding);
  if (has(AMQP_BASIC_HEADERS_FLAG)) WriteHeaders(writer, properties.headers);
  add_number(AMQP_BASIC_DELIVERY_MODE_FLAG, "delivery_mode", properties.delivery_mode);
  add_number(AMQP_BASIC_PRIORITY_FLAG, "priority", properties.priority);
  add(AMQP_BASIC_CORRELATION_ID_FLAG, "correlation_id", properties.correlation_id);
  add(AMQP_BASIC_REPLY_TO_FLAG, "reply_to", properties.reply_to);
  add(AMQP_BASIC_EXPIRATION_FLAG, "expiration", properties.expiration);
  add(AMQP_BASIC_MESSAGE_ID_FLAG, "message_id", properties.message_id);
  add_number(AMQP_BASIC_TIMESTAMP_FLAG, "timestamp", properties.timestamp);
  add(AMQP_BASIC_TYPE_FLAG, "type", properties.type);
  add(AMQP_BASIC_USER_ID_FLAG, "user_id", properties.user_id);
  add(AMQP_BASIC_APP_ID_FLAG, "app_id", properties.app_id);
  writer.EndObject();
  return text;
}

absl::StatusOr<CarriedProperties> CarriedProperties::FromJson(
    std::string_view json, const std::vector<std::pair<std::string, std::string>>& headers) {
  const auto value = json::Value::Parse(json);
  if (!value.ok() || !value->is_object()) {
    return InvalidArgument("amqp: expected properties as a JSON object");
  }
  CarriedProperties carried;
  carried.properties_._flags = AMQP_BASIC_DELIVERY_MODE_FLAG;
  carried.properties_.delivery_mode = 2;
  for (const json::Member member : value->members()) {
    const std::string key = member.key();
    if (member.value.is_string()) {
      carried.SetText(key, member.value.ToString());
    } else if (member.value.kind() == json::Kind::kNumber) {
      carried.SetNumber(key, member.value);
    }
  }
  const auto original = value->Find("headers");
  carried.SetHeaders(original && original->is_object() ? &*original : nullptr, headers);
  return carried;
}

amqp_bytes_t CarriedProperties::Keep(std::string text) {
  header_bytes_ += text.size();
  texts_.push_back(std::move(text));
  return {texts_.back().size(), texts_.back().data()};
}

void CarriedProperties::SetText(std::string_view key, const std::string& text) {
  const auto set = [&](std::string_view name, amqp_flags_t flag, amqp_bytes_t& field) {
    if (key != name) return;
    field = Keep(std::string(Clip(text, kMostShort)));
    properties_._flags |= flag;
  };
  set("content_type", AMQP_BASIC_CONTENT_TYPE_FLAG, properties_.content_type);
  set("content_encoding", AMQP_BASIC_CONTENT_ENCODING_FLAG, properties_.content_encoding);
  set("correlation_id", AMQP_BASIC_CORRELATION_ID_FLAG, properties_.correlation_id);
  set("message_id", AMQP_BASIC_MESSAGE_ID_FLAG, properties_.message_id);
  set("type", AMQP_BASIC_TYPE_FLAG, properties_.type);
  set("app_id", AMQP_BASIC_APP_ID_FLAG, properties_.app_id);
  if (!text.starts_with("amq.rabbitmq.")) {
    set("reply_to", AMQP_BASIC_REPLY_TO_FLAG, properties_.reply_to);
  }
}

void CarriedProperties::SetNumber(std::string_view key, const json::Value& value) {
  if (key == "priority") {
    const auto priority = NumberOf<std::uint8_t>(value.text());
    if (!priority) return;
    properties_.priority = *priority;
    properties_._flags |= AMQP_BASIC_PRIORITY_FLAG;
  } else if (key == "timestamp") {
    const auto timestamp = NumberOf<std::uint64_t>(value.text());
    if (!timestamp) return;
    properties_.timestamp = *timestamp;
    properties_._flags |= AMQP_BASIC_TIMESTAMP_FLAG;
  }
}

void CarriedProperties::SetHeaders(
    const json::Value* original, const std::vector<std::pair<std::string, std::string>>& headers) {
  Entries entries;
  header_bytes_ = 0;
  if (original != nullptr) {
    for (const json::Member member : original->members()) {
      std::string key = member.key();
      const bool replaced = std::any_of(headers.begin(), headers.end(),
                                        [&key](const auto& header) { return header.first == key; });
      if (replaced || key.size() > kMostShort || IsBrokersOwn(key)) continue;
      entries.push_back({.key = Keep(std::move(key)), .value = Field(member.value, 0)});
    }
  }
  if (header_bytes_ > kMostHeaders) entries.clear();
  for (const auto& [key, text] : headers) {
    amqp_table_entry_t& entry = entries.emplace_back();
    entry.key = Keep(key);
    entry.value.kind = AMQP_FIELD_KIND_UTF8;
    entry.value.value.bytes = Keep(text);
  }
  if (entries.empty()) return;
  tables_.push_back(std::move(entries));
  properties_.headers = {.num_entries = static_cast<int>(tables_.back().size()),
                         .entries = tables_.back().data()};
  properties_._flags |= AMQP_BASIC_HEADERS_FLAG;
}

amqp_table_t CarriedProperties::Table(const json::Value& object, int depth) {
  Entries entries;
  for (const json::Member member : object.members()) {
    std::string key = member.key();
    if (key.size() > kMostShort) continue;
    entries.push_back({.key = Keep(std::move(key)), .value = Field(member.value, depth)});
  }
  tables_.push_back(std::move(entries));
  return {.num_entries = static_cast<int>(tables_.back().size()), .entries = tables_.back().data()};
}

amqp_field_value_t CarriedProperties::Field(const json::Value& value, int depth) {
  header_bytes_ += kFieldBytes;
  amqp_field_value_t field = {};
  field.kind = AMQP_FIELD_KIND_VOID;
  switch (value.kind()) {
    case json::Kind::kNull:
      break;
    case json::Kind::kBool:
      field.kind = AMQP_FIELD_KIND_BOOLEAN;
      field.value.boolean = value.ToBool() ? 1 : 0;
      break;
    case json::Kind::kNumber:
      if (const auto whole = value.ToInt64()) {
        field.kind = AMQP_FIELD_KIND_I64;
        field.value.i64 = *whole;
      } else if (const auto number = NumberOf<double>(value.text())) {
        field.kind = AMQP_FIELD_KIND_F64;
        field.value.f64 = *number;
      }
      break;
    case json::Kind::kString:
      field.kind = AMQP_FIELD_KIND_UTF8;
      field.value.bytes = Keep(value.ToString());
      break;
    case json::Kind::kArray: {
      if (depth == kMostDepth) break;
      std::vector<amqp_field_value_t> elements;
      for (const json::Value element : value.elements()) {
        elements.push_back(Field(element, depth + 1));
      }
      arrays_.push_back(std::move(elements));
      field.kind = AMQP_FIELD_KIND_ARRAY;
      field.value.array = {.num_entries = static_cast<int>(arrays_.back().size()),
                           .entries = arrays_.back().data()};
      break;
    }
    case json::Kind::kObject:
      if (depth == kMostDepth) break;
      field.kind = AMQP_FIELD_KIND_TABLE;
      field.value.table = Table(value, depth + 1);
      break;
  }
  return field;
}

}  // namespace god33::amqp
