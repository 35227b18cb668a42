#include "pg/result.h"

#include <libpq-fe.h>

#include <algorithm>
#include <charconv>
#include <functional>

#include "pg/params.h"

namespace god33::pg {
namespace {

std::uint64_t ReadBig(const char* at, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) value = value << 8 | static_cast<unsigned char>(at[i]);
  return value;
}

Uuid ReadId(const char* at) {
  Uuid id;
  std::copy_n(reinterpret_cast<const std::uint8_t*>(at), id.bytes.size(), id.bytes.begin());
  return id;
}

// Calls `visit` with each element of a binary one-dimensional array.
void ForEachElement(std::string_view array, const std::function<void(std::string_view)>& visit) {
  if (array.size() < 20) return;  // null, or no dimensions: empty
  const std::uint64_t count = ReadBig(array.data() + 12, 4);
  const char* at = array.data() + 20;
  for (std::uint64_t i = 0; i < count; ++i) {
    const auto length = static_cast<std::int32_t>(ReadBig(at, 4));
    at += 4;
    if (length < 0) continue;
    visit({at, static_cast<std::size_t>(length)});
    at += length;
  }
}

}  // namespace

void Result::Clear::operator()(PGresult* result) const {
  PQclear(result);
}

int Result::rows() const {
  return PQntuples(result_.get());
}

bool Result::IsNull(int row, int column) const {
  return PQgetisnull(result_.get(), row, column) == 1;
}

std::string_view Result::Bytes(int row, int column) const {
  return {PQgetvalue(result_.get(), row, column),
          static_cast<std::size_t>(PQgetlength(result_.get(), row, column))};
}

bool Result::Bool(int row, int column) const {
  return !IsNull(row, column) && *PQgetvalue(result_.get(), row, column) != 0;
}

std::int64_t Result::Int8(int row, int column) const {
  if (IsNull(row, column)) return 0;
  return static_cast<std::int64_t>(ReadBig(PQgetvalue(result_.get(), row, column), 8));
}

std::int32_t Result::Int4(int row, int column) const {
  if (IsNull(row, column)) return 0;
  return static_cast<std::int32_t>(ReadBig(PQgetvalue(result_.get(), row, column), 4));
}

Uuid Result::Id(int row, int column) const {
  return IsNull(row, column) ? Uuid() : ReadId(PQgetvalue(result_.get(), row, column));
}

absl::Time Result::Time(int row, int column) const {
  return FromPgMicros(Int8(row, column));
}

std::optional<Uuid> Result::OptionalId(int row, int column) const {
  return IsNull(row, column) ? std::nullopt : std::optional(Id(row, column));
}

std::optional<absl::Time> Result::OptionalTime(int row, int column) const {
  return IsNull(row, column) ? std::nullopt : std::optional(Time(row, column));
}

std::vector<Uuid> Result::Ids(int row, int column) const {
  std::vector<Uuid> ids;
  ForEachElement(Bytes(row, column),
                 [&ids](std::string_view element) { ids.push_back(ReadId(element.data())); });
  return ids;
}

std::vector<std::string_view> Result::Texts(int row, int column) const {
  std::vector<std::string_view> texts;
  ForEachElement(Bytes(row, column),
                 [&texts](std::string_view element) { texts.push_back(element); });
  return texts;
}

std::vector<std::int64_t> Result::Int8s(int row, int column) const {
  std::vector<std::int64_t> values;
  ForEachElement(Bytes(row, column), [&values](std::string_view element) {
    values.push_back(static_cast<std::int64_t>(ReadBig(element.data(), 8)));
  });
  return values;
}

std::int64_t Result::affected() const {
  const std::string_view text = PQcmdTuples(result_.get());
  std::int64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

std::string_view Result::tag() const {
  return PQcmdStatus(result_.get());
}

}  // namespace god33::pg
