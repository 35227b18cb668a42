#include "pg/params.h"

#include <utility>

namespace god33::pg {
namespace {

constexpr std::int64_t kUnixToPgMicros = 946'684'800'000'000;  // 2000-01-01

void AppendBig(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8) {
    out.push_back(static_cast<char>(value >> shift));
  }
}

}  // namespace

std::int64_t ToPgMicros(absl::Time time) {
  return absl::ToUnixMicros(time) - kUnixToPgMicros;
}

absl::Time FromPgMicros(std::int64_t micros) {
  return absl::FromUnixMicros(micros + kUnixToPgMicros);
}

// Header: dimensions, has-null flag, element type, size, lower bound. Flag and size are set at the
// end.
Array::Array(Type type) {
  AppendBig(bytes_, 1, 4);
  AppendBig(bytes_, 0, 4);
  AppendBig(bytes_, static_cast<std::uint32_t>(type), 4);
  AppendBig(bytes_, 0, 4);
  AppendBig(bytes_, 1, 4);
}

void Array::Null() {
  AppendBig(bytes_, 0xFFFFFFFF, 4);
  has_null_ = true;
  ++count_;
}

void Array::Bool(bool value) {
  Text(std::string_view(value ? "\1" : "\0", 1));
}

void Array::Int8(std::int64_t value) {
  AppendBig(bytes_, 8, 4);
  AppendBig(bytes_, static_cast<std::uint64_t>(value), 8);
  ++count_;
}

void Array::Text(std::string_view value) {
  AppendBig(bytes_, value.size(), 4);
  bytes_.append(value);
  ++count_;
}

void Array::OptionalId(const std::optional<Uuid>& value) {
  if (value) {
    Id(*value);
  } else {
    Null();
  }
}

void Array::TextOrNull(std::string_view value) {
  if (value.empty()) {
    Null();
  } else {
    Text(value);
  }
}

std::string Array::Finish() && {
  bytes_[7] = has_null_ ? 1 : 0;
  std::string size;
  AppendBig(size, count_, 4);
  bytes_.replace(12, 4, size);
  if (count_ == 0) {
    // An empty array has no dimensions: the header ends after the element type.
    bytes_[3] = 0;
    bytes_.resize(12);
  }
  return std::move(bytes_);
}

Params& Params::Add(std::string bytes) {
  values_.push_back(std::move(bytes));
  pointers_.push_back(values_.back().data());
  lengths_.push_back(static_cast<int>(values_.back().size()));
  formats_.push_back(1);
  return *this;
}

Params& Params::Null() {
  values_.emplace_back();
  pointers_.push_back(nullptr);
  lengths_.push_back(0);
  formats_.push_back(1);
  return *this;
}

Params& Params::Bool(bool value) {
  return Add(std::string(1, value ? 1 : 0));
}

Params& Params::Int4(std::int32_t value) {
  std::string bytes;
  AppendBig(bytes, static_cast<std::uint32_t>(value), 4);
  return Add(std::move(bytes));
}

Params& Params::Int8(std::int64_t value) {
  std::string bytes;
  AppendBig(bytes, static_cast<std::uint64_t>(value), 8);
  return Add(std::move(bytes));
}

Params& Params::Text(std::string_view value) {
  return Add(std::string(value));
}

Params& Params::Array(pg::Array&& array) {
  return Add(std::move(array).Finish());
}

Params& Params::Ids(const std::vector<Uuid>& ids) {
  pg::Array array(Type::kUuid);
  for (const Uuid& id : ids) array.Id(id);
  return Array(std::move(array));
}

}  // namespace god33::pg
