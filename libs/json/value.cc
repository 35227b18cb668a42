#include "json/value.h"

#include <charconv>
#include <cstdint>

#include "json/check.h"
#include "json/skip.h"
#include "json/text.h"

namespace god33::json {

using internal::SkipBlanks;
using internal::SkipString;
using internal::SkipValue;

std::string_view Describe(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "a boolean";
    case Kind::kNumber:
      return "a number";
    case Kind::kString:
      return "a string";
    case Kind::kArray:
      return "an array";
    case Kind::kObject:
      return "an object";
  }
  return "a value";
}

absl::StatusOr<Value> Value::Parse(std::string_view text, std::size_t most_depth) {
  if (absl::Status status = Check(text, most_depth); !status.ok()) return status;
  return Checked(text);
}

Value Value::Checked(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \n\t\r");
  const std::size_t last = text.find_last_not_of(" \n\t\r");
  return Value(text.substr(first, last - first + 1));
}

Kind Value::kind() const {
  switch (text_[0]) {
    case '{':
      return Kind::kObject;
    case '[':
      return Kind::kArray;
    case '"':
      return Kind::kString;
    case 't':
    case 'f':
      return Kind::kBool;
    case 'n':
      return Kind::kNull;
    default:
      return Kind::kNumber;
  }
}

Members Value::members() const {
  return Members(text_);
}

Elements Value::elements() const {
  return Elements(text_);
}

std::optional<Value> Value::Find(std::string_view key) const {
  std::optional<Value> found;
  for (const Member member : members()) {
    if (member.Is(key)) found = member.value;
  }
  return found;
}

std::string Value::ToString() const {
  return Unescape(text_, LoneSurrogate::kReplace);
}

std::optional<std::int64_t> Value::ToInt64() const {
  std::int64_t number = 0;
  const char* end = text_.data() + text_.size();
  const auto [rest, error] = std::from_chars(text_.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

std::string Member::key() const {
  return Unescape(raw_key, LoneSurrogate::kReplace);
}

bool Member::Is(std::string_view name) const {
  const std::string_view inner = raw_key.substr(1, raw_key.size() - 2);
  if (inner == name) return true;
  // An escape is longer than what it stands for.
  return inner.size() > name.size() && inner.find('\\') != std::string_view::npos && key() == name;
}

Members::Iterator Members::begin() const {
  Iterator first(SkipBlanks(object_.data() + 1));
  first.Read();
  return first;
}

void Members::Iterator::Read() {
  if (*at_ != '"') return;  // the closing brace
  const char* key_end = SkipString(at_);
  key_ = {at_, static_cast<std::size_t>(key_end - at_)};
  const char* value = SkipBlanks(SkipBlanks(key_end) + 1);
  // A member's value always has a ',' or '}' behind it, so the text's end is never reached.
  const char* value_end = SkipValue(value, nullptr);
  value_ = {value, static_cast<std::size_t>(value_end - value)};
}

Members::Iterator& Members::Iterator::operator++() {
  const char* next = SkipBlanks(value_.data() + value_.size());
  at_ = *next == ',' ? SkipBlanks(next + 1) : next;
  Read();
  return *this;
}

Elements::Iterator Elements::begin() const {
  Iterator first(SkipBlanks(array_.data() + 1));
  first.Read();
  return first;
}

void Elements::Iterator::Read() {
  if (*at_ == ']') return;
  const char* end = SkipValue(at_, nullptr);
  value_ = {at_, static_cast<std::size_t>(end - at_)};
}

Elements::Iterator& Elements::Iterator::operator++() {
  const char* next = SkipBlanks(value_.data() + value_.size());
  at_ = *next == ',' ? SkipBlanks(next + 1) : next;
  Read();
  return *this;
}

}  // namespace god33::json
