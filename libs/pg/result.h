#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "base/uuid.h"

typedef struct pg_result PGresult;

namespace god33::pg {

// Rows of one statement, in binary form. Owns libpq's result; views point into it. The accessors
// trust the caller to know the column's type, as the SQL beside them says; a null reads as zero or
// empty unless the accessor is an optional one.
class Result {
 public:
  explicit Result(PGresult* result) : result_(result) {}

  int rows() const;
  bool IsNull(int row, int column) const;

  // The value's bytes: text, json, bytea.
  std::string_view Bytes(int row, int column) const;
  bool Bool(int row, int column) const;
  std::int64_t Int8(int row, int column) const;
  std::int32_t Int4(int row, int column) const;
  Uuid Id(int row, int column) const;
  absl::Time Time(int row, int column) const;
  std::optional<Uuid> OptionalId(int row, int column) const;
  std::optional<absl::Time> OptionalTime(int row, int column) const;

  // One-dimensional arrays; elements that are null are left out.
  std::vector<Uuid> Ids(int row, int column) const;
  std::vector<std::string_view> Texts(int row, int column) const;
  std::vector<std::int64_t> Int8s(int row, int column) const;

  // How many rows an INSERT, UPDATE or DELETE touched.
  std::int64_t affected() const;

  // The command tag, e.g. "COMMIT".
  std::string_view tag() const;

 private:
  struct Clear {
    void operator()(PGresult* result) const;
  };
  std::unique_ptr<PGresult, Clear> result_;
};

}  // namespace god33::pg
