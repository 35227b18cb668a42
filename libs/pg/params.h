#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "base/uuid.h"

namespace god33::pg {

// PostgreSQL's object ids of the types that cross this library (pg_type.dat; fixed for ever).
enum class Type : std::uint32_t {
  kBool = 16,
  kBytea = 17,
  kInt8 = 20,
  kInt4 = 23,
  kText = 25,
  kJson = 114,
  kTimestamptz = 1184,
  kUuid = 2950,
};

// Microseconds since 2000-01-01, PostgreSQL's own count.
std::int64_t ToPgMicros(absl::Time time);
absl::Time FromPgMicros(std::int64_t micros);

// One array parameter, filled element by element in PostgreSQL's binary form.
class Array {
 public:
  explicit Array(Type type);

  void Null();
  void Bool(bool value);
  void Int8(std::int64_t value);
  void Text(std::string_view value);  // also json
  void Bytes(std::string_view value) { Text(value); }
  void Id(const Uuid& value) { Text(value.View()); }
  void Time(absl::Time value) { Int8(ToPgMicros(value)); }

  // nullopt and empty text become null.
  void OptionalId(const std::optional<Uuid>& value);
  void TextOrNull(std::string_view value);

  std::size_t size() const { return count_; }

 private:
  friend class Params;
  std::string Finish() &&;

  std::string bytes_;
  std::uint32_t count_ = 0;
  bool has_null_ = false;
};

// The parameters of one statement, in order, in PostgreSQL's binary form. The SQL says their types
// by casts ($1::uuid), so that a mismatch is an error and no silent conversion. Moved, never copied: a
// copy's pointers would be into the original.
class Params {
 public:
  Params() = default;
  Params(Params&&) = default;
  Params& operator=(Params&&) = default;

  Params& Null();
  Params& Bool(bool value);
  Params& Int4(std::int32_t value);
  Params& Int8(std::int64_t value);
  Params& Text(std::string_view value);  // also json
  Params& Bytes(std::string_view value) { return Text(value); }
  Params& Id(const Uuid& value) { return Text(value.View()); }
  Params& Time(absl::Time value) { return Int8(ToPgMicros(value)); }
  Params& Array(Array&& array);
  Params& Ids(const std::vector<Uuid>& ids);

  int count() const { return static_cast<int>(values_.size()); }
  const char* const* values() const { return pointers_.data(); }
  const int* lengths() const { return lengths_.data(); }
  const int* formats() const { return formats_.data(); }

 private:
  Params& Add(std::string bytes);

  std::deque<std::string> values_;  // addresses stay valid
  std::vector<const char*> pointers_;
  std::vector<int> lengths_;
  std::vector<int> formats_;
};

}  // namespace god33::pg
