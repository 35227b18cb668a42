#include "transcode/text_value.h"

#include <simdjson.h>

#include <charconv>
#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/escaping.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "transcode/known_types.h"

namespace god33::transcode {
namespace {

using google::protobuf::EnumDescriptor;
using google::protobuf::EnumValueDescriptor;
using google::protobuf::FieldDescriptor;
using google::protobuf::Message;
using google::protobuf::Reflection;

constexpr std::size_t kMostQuoted = 80;
constexpr int kMostNames = 20;

template <typename T>
std::string DescribeInteger() {
  return StrCat("an integer from ", std::numeric_limits<T>::min(), " to ",
                std::numeric_limits<T>::max());
}

std::string DescribeEnum(const EnumDescriptor& type) {
  std::string text = "one of ";
  for (int i = 0; i < type.value_count() && i < kMostNames; ++i) {
    StrAppend(&text, i == 0 ? "" : ", ", type.value(i)->name());
  }
  if (type.value_count() > kMostNames) text += ", ...";
  return text;
}

template <typename T>
std::optional<T> ReadInteger(std::string_view text) {
  T number{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

template <typename T>
std::optional<T> ReadFloat(std::string_view text) {
  if (text == "NaN") return std::numeric_limits<T>::quiet_NaN();
  if (text == "Infinity") return std::numeric_limits<T>::infinity();
  if (text == "-Infinity") return -std::numeric_limits<T>::infinity();
  T number{};
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  // from_chars also reads words such as "inf".
  if (error != std::errc() || rest != end || !std::isfinite(number)) return std::nullopt;
  return number;
}

std::optional<bool> ReadBool(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  return std::nullopt;
}

std::optional<int> ReadEnum(const EnumDescriptor& type, std::string_view text) {
  if (const EnumValueDescriptor* value = type.FindValueByName(std::string(text))) {
    return value->number();
  }
  return ReadInteger<int>(text);
}

std::optional<std::string> ReadString(std::string_view text) {
  if (!simdjson::validate_utf8(text.data(), text.size())) return std::nullopt;
  return std::string(text);
}

std::optional<std::string> ReadBytes(std::string_view text) {
  std::string bytes;
  if (absl::Base64Unescape(ToAbsl(text), &bytes) ||
      absl::WebSafeBase64Unescape(ToAbsl(text), &bytes)) {
    return bytes;
  }
  return std::nullopt;
}

absl::Status Unexpected(const FieldDescriptor& field, std::string_view text) {
  const bool cut = text.size() > kMostQuoted;
  return InvalidArgument(StrCat("expected ", DescribeField(field), ", got \"",
                                text.substr(0, kMostQuoted), cut ? "...\"" : "\""));
}

// Calls `set` or `add` of the message's reflection with the value, if there is one.
template <typename Value, typename Parameter>
absl::Status Store(Message& message, const FieldDescriptor& field, std::string_view text,
                   std::optional<Value> value,
                   void (Reflection::*set)(Message*, const FieldDescriptor*, Parameter) const,
                   void (Reflection::*add)(Message*, const FieldDescriptor*, Parameter) const) {
  if (!value) return Unexpected(field, text);
  const Reflection& reflection = *message.GetReflection();
  (reflection.*(field.is_repeated() ? add : set))(&message, &field, *std::move(value));
  return absl::OkStatus();
}

// The two numbers that google.protobuf.Timestamp and Duration consist of.
void SetParts(Message& message, std::int64_t seconds, std::int32_t nanos) {
  const Reflection& reflection = *message.GetReflection();
  reflection.SetInt64(&message, message.GetDescriptor()->FindFieldByNumber(1), seconds);
  reflection.SetInt32(&message, message.GetDescriptor()->FindFieldByNumber(2), nanos);
}

absl::Status SetKnown(Message& message, const FieldDescriptor& field, std::string_view text) {
  switch (KnownType(*message.GetDescriptor())) {
    case Known::kTimestamp: {
      const auto time = ParseTimestamp(text);
      if (!time.ok()) return time.status();
      const std::int64_t seconds = absl::ToUnixSeconds(*time);
      const auto nanos = absl::ToInt64Nanoseconds(*time - absl::FromUnixSeconds(seconds));
      SetParts(message, seconds, static_cast<std::int32_t>(nanos));
      return absl::OkStatus();
    }
    case Known::kDuration: {
      const auto parts = ParseDuration(text);
      if (!parts) return Unexpected(field, text);
      SetParts(message, parts->seconds, parts->nanos);
      return absl::OkStatus();
    }
    case Known::kWrapper:
      return SetFromText(message, *message.GetDescriptor()->FindFieldByNumber(1), text);
    case Known::kJson:
    case Known::kNone:
      break;
  }
  return Unexpected(field, text);
}

}  // namespace

std::string DescribeField(const FieldDescriptor& field) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return DescribeInteger<std::int32_t>();
    case FieldDescriptor::CPPTYPE_INT64:
      return DescribeInteger<std::int64_t>();
    case FieldDescriptor::CPPTYPE_UINT32:
      return DescribeInteger<std::uint32_t>();
    case FieldDescriptor::CPPTYPE_UINT64:
      return DescribeInteger<std::uint64_t>();
    case FieldDescriptor::CPPTYPE_FLOAT:
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return "a number";
    case FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case FieldDescriptor::CPPTYPE_ENUM:
      return DescribeEnum(*field.enum_type());
    case FieldDescriptor::CPPTYPE_STRING:
      return field.type() == FieldDescriptor::TYPE_BYTES ? "base64" : "UTF-8 text";
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  switch (KnownType(*field.message_type())) {
    case Known::kTimestamp:
      return "an RFC 3339 time";
    case Known::kDuration:
      return "a duration in seconds such as \"1.5s\"";
    case Known::kWrapper:
      return DescribeField(*field.message_type()->FindFieldByNumber(1));
    case Known::kJson:
      return "a JSON value";
    case Known::kNone:
      break;
  }
  return "an object";
}

absl::Status SetFromText(Message& message, const FieldDescriptor& field, std::string_view text) {
  switch (field.cpp_type()) {
    case FieldDescriptor::CPPTYPE_INT32:
      return Store(message, field, text, ReadInteger<std::int32_t>(text), &Reflection::SetInt32,
                   &Reflection::AddInt32);
    case FieldDescriptor::CPPTYPE_INT64:
      return Store(message, field, text, ReadInteger<std::int64_t>(text), &Reflection::SetInt64,
                   &Reflection::AddInt64);
    case FieldDescriptor::CPPTYPE_UINT32:
      return Store(message, field, text, ReadInteger<std::uint32_t>(text), &Reflection::SetUInt32,
                   &Reflection::AddUInt32);
    case FieldDescriptor::CPPTYPE_UINT64:
      return Store(message, field, text, ReadInteger<std::uint64_t>(text), &Reflection::SetUInt64,
                   &Reflection::AddUInt64);
    case FieldDescriptor::CPPTYPE_FLOAT:
      return Store(message, field, text, ReadFloat<float>(text), &Reflection::SetFloat,
                   &Reflection::AddFloat);
    case FieldDescriptor::CPPTYPE_DOUBLE:
      return Store(message, field, text, ReadFloat<double>(text), &Reflection::SetDouble,
                   &Reflection::AddDouble);
    case FieldDescriptor::CPPTYPE_BOOL:
      return Store(message, field, text, ReadBool(text), &Reflection::SetBool,
                   &Reflection::AddBool);
    case FieldDescriptor::CPPTYPE_ENUM:
      return Store(message, field, text, ReadEnum(*field.enum_type(), text),
                   &Reflection::SetEnumValue, &Reflection::AddEnumValue);
    case FieldDescriptor::CPPTYPE_STRING:
      return Store(message, field, text,
                   field.type() == FieldDescriptor::TYPE_BYTES ? ReadBytes(text) : ReadString(text),
                   &Reflection::SetString, &Reflection::AddString);
    case FieldDescriptor::CPPTYPE_MESSAGE:
      break;
  }
  const Reflection& reflection = *message.GetReflection();
  return SetKnown(field.is_repeated() ? *reflection.AddMessage(&message, &field)
                                      : *reflection.MutableMessage(&message, &field),
                  field, text);
}

}  // namespace god33::transcode
