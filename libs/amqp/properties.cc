#include "amqp/properties.h"

#include <algorithm>
#include <cmath>
#include <string_view>

#include "json/write.h"

namespace god33::amqp {
namespace {

constexpr int kMostDepth = 32;

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

}  // namespace god33::amqp
