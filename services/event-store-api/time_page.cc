#include "services/event-store-api/time_page.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"

namespace god33::api {
namespace {

absl::StatusOr<std::optional<TimeToken>> ReadToken(const TimeQuery& query) {
  if (query.page_token.empty()) return std::nullopt;
  auto token = DecodeTimeToken(query.page_token);
  if (!token.ok()) return token.status();
  if (token->fingerprint != query.fingerprint) {
    return InvalidField("page_token", "it belongs to other filters; pass the same");
  }
  return *std::move(token);
}

}  // namespace

absl::StatusOr<TimePage> ReadTimePage(
    Reader& reader, const TimeQuery& query,
    const std::function<Sql(const std::optional<TimeToken>&)>& sql) {
  const auto token = ReadToken(query);
  if (!token.ok()) return token.status();
  std::optional<TimePage> page;
  const absl::Status status = reader.Run([&](pg::Connection& connection) -> absl::Status {
    const auto state = reader.StateAt(connection, query.min_position, Reader::Of::kProjection);
    if (!state.ok()) return state.status();
    auto rows = reader.Query(connection, sql(*token));
    if (!rows.ok()) return rows.status();
    const int count = std::min(rows->rows(), query.limit);
    std::string next;
    if (rows->rows() > count) {
      next = EncodeTimeToken(
          {.fingerprint = query.fingerprint,
           .unix_micros = absl::ToUnixMicros(rows->Time(count - 1, query.time_column)),
           .id = rows->Id(count - 1, 0)});
    }
    page = TimePage{.rows = *std::move(rows),
                    .count = count,
                    .next_page_token = std::move(next),
                    .position = state->projected};
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return *std::move(page);
}

std::string Behind(const TimeToken& token, std::string_view time_column, std::string_view id_column,
                   pg::Params& params) {
  params.Time(absl::FromUnixMicros(token.unix_micros)).Id(token.id);
  const int last = params.count();
  // One descends and the other ascends, so this is no row comparison.
  return StrCat(time_column, " <= $", last - 1, "::timestamptz AND (", time_column, " < $",
                last - 1, "::timestamptz OR ", id_column, " > $", last, "::uuid)");
}

}  // namespace god33::api
