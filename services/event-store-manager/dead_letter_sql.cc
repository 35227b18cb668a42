#include "services/event-store-manager/dead_letter_sql.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "wire/timestamp.h"

namespace god33::manager {
namespace {

constexpr int kMostTypes = 1000;

// The types of one state that begin with a text, by one probe of an index for each.
constexpr pg::Statement kTypes = {"dead_letter_types", R"sql(
  WITH RECURSIVE types AS (
    (SELECT event_type COLLATE "C" AS event_type FROM dead_letters
     WHERE state = $1::text AND event_type IS NOT NULL AND event_type COLLATE "C" >= $2::text
     ORDER BY event_type COLLATE "C" LIMIT 1)
    UNION ALL
    SELECT (SELECT event_type COLLATE "C" FROM dead_letters
            WHERE state = $1::text AND event_type IS NOT NULL
              AND event_type COLLATE "C" > types.event_type
            ORDER BY event_type COLLATE "C" LIMIT 1)
    FROM types WHERE types.event_type ^@ $2::text)
  SELECT event_type FROM types WHERE event_type ^@ $2::text LIMIT $3::bigint)sql"};

pg::Array Texts(const std::vector<std::string>& texts) {
  pg::Array array(pg::Type::kText);
  for (const std::string& text : texts) array.Text(text);
  return array;
}

}  // namespace

pg::Array IdsOf(const std::vector<std::int64_t>& ids) {
  pg::Array array(pg::Type::kInt8);
  for (const std::int64_t id : ids) array.Int8(id);
  return array;
}

pg::Params FilterParams(const DeadLetterFilter& filter, const std::vector<std::string>& types) {
  pg::Params params;
  params.Array(Texts(filter.states));
  if (filter.type) {
    params.Array(Texts(types));
  } else {
    params.Null();
  }
  for (const std::string* text : {&filter.reason, &filter.routing_key}) {
    if (text->empty()) {
      params.Null();
    } else {
      params.Text(*text);
    }
  }
  for (const auto* time : {&filter.since, &filter.until}) {
    if (*time) {
      params.Time(**time);
    } else {
      params.Null();
    }
  }
  return params;
}

absl::StatusOr<std::vector<std::string>> FindTypes(pg::Connection& connection,
                                                   const DeadLetterFilter& filter) {
  std::vector<std::string> types;
  if (!filter.type) return types;
  const event::TypePattern& pattern = *filter.type;
  if (pattern.exact()) return std::vector<std::string>{pattern.text()};
  const std::string prefix = pattern.text().substr(0, pattern.text().find('*'));
  for (const std::string& state : filter.states) {
    const auto rows =
        connection.Query(kTypes, pg::Params().Text(state).Text(prefix).Int8(10 * kMostTypes));
    if (!rows.ok()) return rows.status();
    for (int i = 0; i < rows->rows(); ++i) {
      if (pattern.Matches(rows->Bytes(i, 0))) types.emplace_back(rows->Bytes(i, 0));
    }
  }
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  if (types.size() > kMostTypes) {
    return InvalidField("event_type", StrCat("it matches more than ", kMostTypes, " types"));
  }
  return types;
}

void ReadRow(const pg::Result& rows, int row, store::v1::DeadLetter& letter) {
  letter.set_dead_letter_id(rows.Int8(row, 0));
  *letter.mutable_recorded_at() = wire::ToProto(rows.Time(row, 1));
  letter.set_reason(std::string(rows.Bytes(row, 2)));
  letter.set_detail(std::string(rows.Bytes(row, 3)));
  if (const auto id = rows.OptionalId(row, 4)) letter.set_event_id(id->ToString());
  if (!rows.IsNull(row, 5)) letter.set_event_type(std::string(rows.Bytes(row, 5)));
  letter.set_exchange(std::string(rows.Bytes(row, 6)));
  letter.set_routing_key(std::string(rows.Bytes(row, 7)));
  letter.mutable_properties()->set_text(std::string(rows.Bytes(row, 8)));
  letter.set_attempts(rows.Int4(row, 9));
  letter.set_body_size(rows.Int8(row, 10));
  letter.set_state(std::string(rows.Bytes(row, 11)));
  letter.set_times_sent_back(rows.Int4(row, 12));
  if (const auto at = rows.OptionalTime(row, 13))
    *letter.mutable_sent_back_at() = wire::ToProto(*at);
  if (const auto at = rows.OptionalTime(row, 14)) *letter.mutable_dropped_at() = wire::ToProto(*at);
}

}  // namespace god33::manager
