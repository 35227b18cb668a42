#include "reaction/journal.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "eventlog/event_row.h"
#include "json/text.h"

namespace god33::reaction {
namespace {

constexpr int kMostEvents = 500;
constexpr int kMostFailedEvents = 50;

// Of payloads as they are stored, compressed, so that a page's memory stays bounded.
constexpr std::int64_t kMostBytes = 4 << 20;

constexpr std::size_t kMostDetail = 1000;

constexpr pg::Statement kOrigin = {"reaction_origin", R"sql(
  INSERT INTO reaction_origins (service, position)
  SELECT $1::text, CASE WHEN $2::boolean THEN 0 ELSE coalesce((SELECT max(position) FROM event_ids), 0) END
  ON CONFLICT DO NOTHING)sql"};

constexpr pg::Statement kCursor = {"reaction_cursor", R"sql(
  INSERT INTO cursors (name, log_id, position)
  SELECT $2::text, log_id, o.position FROM log_identity, reaction_origins AS o WHERE o.service = $1::text
  ON CONFLICT DO NOTHING)sql"};

constexpr pg::Statement kMark = {"reaction_mark", R"sql(
  INSERT INTO reactions (service, event_id) VALUES ($1::text, $2::uuid) ON CONFLICT DO NOTHING)sql"};

// Asked after the mark was made: whoever moves the cursor past the event and deletes the mark has done so before,
// and is seen.
constexpr pg::Statement kStanding = {"reaction_standing", R"sql(
  SELECT i.position, i.digest, coalesce(i.position > o.position AND i.position <= c.position, false)
  FROM reaction_origins AS o JOIN cursors AS c ON c.name = $2::text
    LEFT JOIN event_ids AS i ON i.event_id = $3::uuid
  WHERE o.service = $1::text)sql"};

constexpr pg::Statement kFail = {"reaction_fail", R"sql(
  INSERT INTO reaction_failures (service, event_id, event_type, position, reason, detail)
  VALUES ($1::text, $2::uuid, $3::text,
    (SELECT position FROM event_ids WHERE event_id = $2::uuid), $4::text, $5::text)
  ON CONFLICT (service, event_id) DO UPDATE SET position = excluded.position, reason = excluded.reason,
    detail = excluded.detail, at = excluded.at)sql"};

constexpr pg::Statement kTakeFailure = {"reaction_take_failure", R"sql(
  DELETE FROM reaction_failures WHERE service = $1::text AND event_id = $2::uuid)sql"};

constexpr pg::Statement kFailures = {"reaction_failures", R"sql(
  SELECT count(*) OVER (), event_id, event_type, detail FROM reaction_failures
  WHERE service = $1::text ORDER BY at DESC LIMIT 1)sql"};

constexpr pg::Statement kFailedEvents = {"reaction_failed_events", R"sql(
  SELECT )sql" GOD33_EVENT_COLUMNS R"sql(
  FROM reaction_failures AS f JOIN event_ids AS i USING (event_id)
    CROSS JOIN LATERAL (SELECT month FROM log_months WHERE first_position <= i.position
                        ORDER BY first_position DESC LIMIT 1) AS month
    JOIN events AS e ON e.position = i.position AND e.recorded_at >= month.month
      AND e.recorded_at < (month.month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC'
  WHERE f.service = $1::text AND f.event_id > $2::uuid
  ORDER BY f.event_id LIMIT $3::integer)sql"};

constexpr pg::Statement kHead = {"reaction_head",
                                 "SELECT coalesce(max(position), 0) FROM event_ids"};

// Each type by its own range of the index.
constexpr pg::Statement kNext = {"reaction_next", R"sql(
  SELECT )sql" GOD33_EVENT_COLUMNS R"sql(, e.read
  FROM (
    SELECT page.*, count(*) OVER () AS read, sum(pg_column_size(page.payload)) OVER (
        ORDER BY page.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM (
      SELECT of_type.* FROM unnest($2::text[]) AS wanted (type) CROSS JOIN LATERAL (
        SELECT * FROM events AS e
        WHERE e.event_type = wanted.type COLLATE "C"
          AND e.position > $3::bigint AND e.position <= $4::bigint
          AND e.recorded_at >= coalesce(
            (SELECT max(month) FROM log_months WHERE first_position <= $3::bigint + 1), '-infinity')
          AND e.recorded_at < coalesce(
            (SELECT min(month) FROM log_months WHERE first_position > $4::bigint), 'infinity')
          AND NOT EXISTS (SELECT FROM reactions AS r WHERE r.service = $1::text AND r.event_id = e.event_id)
        ORDER BY e.position LIMIT $5::integer) AS of_type
      ORDER BY of_type.position LIMIT $5::integer) AS page) AS e
  WHERE coalesce(e.before, 0) < $6::bigint ORDER BY e.position)sql"};

constexpr pg::Statement kPrune = {"reaction_prune", R"sql(
  DELETE FROM reactions AS r USING event_ids AS i
  WHERE r.service = $1::text AND i.event_id = r.event_id AND i.position <= $2::bigint
    AND i.position > (SELECT position FROM reaction_origins WHERE service = $1::text))sql"};

}  // namespace

absl::Status Journal::Register(pg::Connection& connection, bool from_beginning) const {
  const pg::Params origin = std::move(pg::Params().Text(service_).Bool(from_beginning));
  const pg::Params cursor = std::move(pg::Params().Text(service_).Text(cursor_));
  return connection.QueryAll({{kOrigin, origin}, {kCursor, cursor}}).status();
}

absl::StatusOr<Journal::Standing> Journal::Mark(pg::Connection& connection,
                                                const Uuid& event_id) const {
  const pg::Params mark = std::move(pg::Params().Text(service_).Id(event_id));
  const pg::Params about = std::move(pg::Params().Text(service_).Text(cursor_).Id(event_id));
  const auto answers = connection.QueryAll({{kMark, mark}, {kStanding, about}});
  if (!answers.ok()) return answers.status();
  if ((*answers)[0].affected() == 0) return Standing{.handled = true};
  const pg::Result& standing = (*answers)[1];
  if (standing.rows() == 0) {
    return absl::UnavailableError(StrCat("the tables do not know ", service_, " any more"));
  }
  Standing found{.handled = standing.Bool(0, 2), .digest = standing.Id(0, 1)};
  if (!standing.IsNull(0, 0)) found.position = standing.Int8(0, 0);
  return found;
}

absl::Status Journal::RecordFailure(pg::Connection& connection, const Incoming& incoming,
                                    const absl::Status& failure) const {
  const event::Envelope& envelope = incoming.event.envelope;
  const std::string detail = json::CleanText(MessageOf(failure));
  return connection
      .Query(kFail, pg::Params()
                        .Text(service_)
                        .Id(envelope.id)
                        .Text(envelope.type)
                        .Text(json::CleanText(ReasonOf(failure)))
                        .Text(Clip(detail, kMostDetail)))
      .status();
}

absl::StatusOr<bool> Journal::TakeFailure(pg::Connection& connection, const Uuid& event_id) const {
  const auto taken = connection.Query(kTakeFailure, pg::Params().Text(service_).Id(event_id));
  if (!taken.ok()) return taken.status();
  return taken->affected() > 0;
}

absl::StatusOr<Journal::Failures> Journal::CountFailures(pg::Connection& connection) const {
  const auto rows = connection.Query(kFailures, pg::Params().Text(service_));
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) return Failures{};
  return Failures{
      .count = rows->Int8(0, 0),
      .newest = StrCat(rows->Bytes(0, 2), " ", rows->Id(0, 1).ToString(), ": ", rows->Bytes(0, 3))};
}

absl::StatusOr<std::vector<eventlog::StoredEvent>> Journal::FailedEvents(pg::Connection& connection,
                                                                         const Uuid& after) const {
  const auto rows = connection.Query(kFailedEvents,
                                     pg::Params().Text(service_).Id(after).Int4(kMostFailedEvents));
  if (!rows.ok()) return rows.status();
  std::vector<eventlog::StoredEvent> events;
  for (int i = 0; i < rows->rows(); ++i) events.push_back(eventlog::ReadEvent(*rows, i));
  return events;
}

absl::StatusOr<std::int64_t> Journal::Head(pg::Connection& connection) const {
  const auto head = connection.Query(kHead);
  if (!head.ok()) return head.status();
  return head->Int8(0, 0);
}

absl::StatusOr<Journal::Page> Journal::Next(pg::Connection& connection,
                                            const std::vector<std::string>& types,
                                            std::int64_t after, std::int64_t up_to) const {
  pg::Array wanted(pg::Type::kText);
  for (const std::string& type : types) wanted.Text(type);
  const auto rows = connection.Query(kNext, pg::Params()
                                                .Text(service_)
                                                .Array(std::move(wanted))
                                                .Int8(after)
                                                .Int8(up_to)
                                                .Int4(kMostEvents)
                                                .Int8(kMostBytes));
  if (!rows.ok()) return rows.status();
  Page page;
  for (int i = 0; i < rows->rows(); ++i) page.events.push_back(eventlog::ReadEvent(*rows, i));
  const std::int64_t found = rows->rows() == 0 ? 0 : rows->Int8(0, eventlog::kEventColumns);
  page.last = found < kMostEvents && found == rows->rows();
  return page;
}

absl::Status Journal::MoveTo(pg::Connection& connection, eventlog::CursorLease& lease,
                             std::int64_t position, absl::Duration ttl) const {
  auto transaction = pg::Transaction::Begin(connection);
  if (!transaction.ok()) return transaction.status();
  absl::Status status = eventlog::MoveCursor(connection, lease, position, 0, ttl);
  if (status.ok()) {
    status = connection.Query(kPrune, pg::Params().Text(service_).Int8(position)).status();
  }
  if (status.ok()) status = std::move(*transaction).Commit();
  if (status.ok()) lease.position = position;
  return status;
}

}  // namespace god33::reaction
