#include "services/event-store-manager/dead_letter_store.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "eventlog/lookup.h"
#include "json/value.h"
#include "pg/error.h"
#include "sequence/resolve.h"
#include "telemetry/log.h"
#include "wire/proto.h"

namespace god33::manager {
namespace {

namespace v1 = store::v1;

constexpr absl::Duration kAcquireTimeout = absl::Seconds(5);
constexpr std::int64_t kMostCounted = 10'000;
constexpr int kMostTypes = 1000;

// Of the rows of a page without bodies: an answer stays within what gRPC clients take by default (4 MiB).
constexpr std::int64_t kMostPageBytes = 2 << 20;
constexpr std::int64_t kMostStepBytes = 16 << 20;

constexpr pg::Statement kAlive = {"dead_letters_alive", "SELECT"};

#define GOD33_DEAD_LETTER_COLUMNS                                                       \
  "d.dead_letter_id, d.recorded_at, d.reason, d.detail, d.event_id, d.event_type, "     \
  "d.exchange, d.routing_key, d.properties, d.attempts, octet_length(d.body)::bigint, " \
  "d.state, d.times_sent_back, d.sent_back_at, d.dropped_at"

// Filters as parameters $1 to $6: states, types, reason, routing key, since, until. Where one is null,
// planning with the values at hand (plan_cache_mode below) makes its condition vanish.
#define GOD33_DEAD_LETTER_FILTER                                                                 \
  " AND ($3::text IS NULL OR d.reason = $3::text)"                                               \
  " AND ($4::text IS NULL OR (md5(d.routing_key) = md5($4::text) AND d.routing_key = $4::text))" \
  " AND ($5::timestamptz IS NULL OR d.recorded_at >= $5::timestamptz)"                           \
  " AND ($6::timestamptz IS NULL OR d.recorded_at < $6::timestamptz)"

// The rows behind ($7, $8), newest first, at most $9, at most $10 bytes of them: for each state, and
// each type if types are given, so many are read from an index in order, and then merged.
#define GOD33_DEAD_LETTER_PAGE(sources, condition)                                           \
  "SELECT " GOD33_DEAD_LETTER_COLUMNS                                                        \
  ", d.page_rows FROM ("                                                                     \
  "  SELECT page.*, count(*) OVER () AS page_rows,"                                          \
  "    coalesce(sum(octet_length(page.properties::text) + octet_length(page.detail) + 1024)" \
  "      OVER (ORDER BY page.recorded_at DESC, page.dead_letter_id DESC"                     \
  "        ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS before FROM ("           \
  "    SELECT row.* FROM " sources                                                           \
  " CROSS JOIN LATERAL ("                                                                    \
  "      SELECT d.* FROM dead_letters AS d WHERE d.state = s.state" condition                \
      GOD33_DEAD_LETTER_FILTER                                                               \
  "        AND (d.recorded_at, d.dead_letter_id) < ($7::timestamptz, $8::bigint)"            \
  "      ORDER BY d.recorded_at DESC, d.dead_letter_id DESC LIMIT $9::bigint) AS row"        \
  "    ORDER BY row.recorded_at DESC, row.dead_letter_id DESC LIMIT $9::bigint) AS page"     \
  "  ) AS d WHERE d.before < $10::bigint ORDER BY d.recorded_at DESC, d.dead_letter_id DESC"

#define GOD33_STATES "unnest($1::text[]) AS s (state)"
#define GOD33_STATES_AND_TYPES GOD33_STATES " CROSS JOIN unnest($2::text[]) AS t (event_type)"
#define GOD33_OF_TYPE " AND d.event_type COLLATE \"C\" = t.event_type"

constexpr pg::Statement kPage = {"list_dead_letters",
                                 GOD33_DEAD_LETTER_PAGE(GOD33_STATES, " AND $2::text[] IS NULL")};
constexpr pg::Statement kPageOfTypes = {
    "list_dead_letters_of_types", GOD33_DEAD_LETTER_PAGE(GOD33_STATES_AND_TYPES, GOD33_OF_TYPE)};

constexpr pg::Statement kCount = {
    "count_dead_letters",
    "SELECT count(*) FROM (SELECT FROM dead_letters AS d WHERE d.state = ANY($1::text[])"
    " AND ($2::text[] IS NULL OR d.event_type COLLATE \"C\" = "
    "ANY($2::text[]))" GOD33_DEAD_LETTER_FILTER " LIMIT $7::bigint) AS counted"};

// Open rows behind ($7, $8) up to the id $9, oldest first, at most $10.
#define GOD33_DEAD_LETTER_WALK(sources, condition)                            \
  "SELECT row.dead_letter_id, row.recorded_at FROM " sources                  \
  " CROSS JOIN LATERAL ("                                                     \
  "  SELECT d.dead_letter_id, d.recorded_at FROM dead_letters AS d"           \
  "  WHERE d.state = s.state" condition GOD33_DEAD_LETTER_FILTER              \
  "    AND (d.recorded_at, d.dead_letter_id) > ($7::timestamptz, $8::bigint)" \
  "    AND d.dead_letter_id <= $9::bigint"                                    \
  "  ORDER BY d.recorded_at, d.dead_letter_id LIMIT $10::bigint) AS row"      \
  " ORDER BY row.recorded_at, row.dead_letter_id LIMIT $10::bigint"

constexpr pg::Statement kWalk = {"walk_dead_letters",
                                 GOD33_DEAD_LETTER_WALK(GOD33_STATES, " AND $2::text[] IS NULL")};
constexpr pg::Statement kWalkOfTypes = {
    "walk_dead_letters_of_types", GOD33_DEAD_LETTER_WALK(GOD33_STATES_AND_TYPES, GOD33_OF_TYPE)};

constexpr pg::Statement kNewest = {"newest_dead_letter",
                                   "SELECT coalesce(max(dead_letter_id), 0) FROM dead_letters"};

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

constexpr pg::Statement kGet = {"get_dead_letter",
                                "SELECT " GOD33_DEAD_LETTER_COLUMNS
                                ", CASE WHEN octet_length(d.body) <= $2::bigint THEN d.body END "
                                "FROM dead_letters AS d WHERE d.dead_letter_id = $1::bigint"};

// Until the end of the transaction. Keys of this form are used for nothing else.
#define GOD33_LOCK_KEY(id) "hashtextextended('dead_letter/' || (" id ")::text, 0)"
constexpr pg::Statement kLock = {"lock_dead_letter",
                                 "SELECT pg_advisory_xact_lock(" GOD33_LOCK_KEY("$1::bigint") ")"};
constexpr pg::Statement kTryLocks = {
    "try_lock_dead_letters",
    "SELECT id FROM unnest($1::bigint[]) AS id WHERE pg_try_advisory_xact_lock(" GOD33_LOCK_KEY(
        "id") ")"};

// Of these, the open ones with their bodies, the first $2 bytes of them, but one at least.
constexpr pg::Statement kLoad = {
    "load_dead_letters",
    "SELECT " GOD33_DEAD_LETTER_COLUMNS
    ", d.body FROM ("
    "  SELECT *, sum(octet_length(body)) OVER (ORDER BY recorded_at, dead_letter_id)"
    "    - octet_length(body) AS before"
    "  FROM dead_letters WHERE dead_letter_id = ANY($1::bigint[]) AND state = 'open') AS d "
    "WHERE d.before < $2::bigint ORDER BY d.recorded_at, d.dead_letter_id"};

constexpr pg::Statement kMarkSentBack = {"mark_dead_letters_sent_back", R"sql(
  UPDATE dead_letters SET state = 'sent_back', times_sent_back = times_sent_back + 1,
    sent_back_at = clock_timestamp()
  WHERE dead_letter_id = ANY($1::bigint[]))sql"};

constexpr pg::Statement kDrop = {"drop_dead_letters", R"sql(
  UPDATE dead_letters SET state = 'dropped', dropped_at = clock_timestamp()
  WHERE dead_letter_id = ANY($1::bigint[]) AND state <> 'dropped')sql"};

// Only those that are open still: others may have had them in hand a moment ago.
constexpr pg::Statement kDropOpen = {"drop_open_dead_letters", R"sql(
  UPDATE dead_letters SET state = 'dropped', dropped_at = clock_timestamp()
  WHERE dead_letter_id = ANY($1::bigint[]) AND state = 'open')sql"};

constexpr pg::Statement kSetTimeout = {"set_dead_letter_timeout",
                                       "SELECT set_config('statement_timeout', $1::text, true)"};
constexpr char kCountTimeout[] = "500";

// A transaction waits while the broker confirms, and whoever wants the same row waits for that.
std::vector<std::pair<std::string, std::string>> Settings() {
  return {{"statement_timeout", "20s"},
          {"idle_in_transaction_session_timeout", "60s"},
          {"plan_cache_mode", "force_custom_plan"},
          {"TimeZone", "UTC"},
          {"jit", "off"}};
}

// What a caller may know. What the database said in its own words goes to the log.
absl::Status ForCaller(const absl::Status& status) {
  if (status.ok()) return status;
  if (pg::SqlState(status) == "57014") {
    return MakeError(absl::StatusCode::kDeadlineExceeded, "QUERY_TOO_SLOW",
                     "no index serves this combination of filters fast enough; narrow it");
  }
  const bool own_words = pg::SqlState(status).empty() && ReasonOf(status) != "UNAVAILABLE";
  if (own_words) return status;
  Log(LogLevel::kWarning, "work on dead letters failed", {{"error", MessageOf(status)}});
  if (pg::IsTransient(status)) {
    return MakeError(absl::StatusCode::kUnavailable, "DATABASE_UNAVAILABLE",
                     "the database is away; try again");
  }
  const std::string state = pg::SqlState(status);
  if (state == "42P01" || state == "42703" || state == "42883") {
    return MakeError(absl::StatusCode::kUnavailable, "DATABASE_NOT_MIGRATED",
                     "the database lacks this version's schema: migrate it");
  }
  return MakeError(absl::StatusCode::kInternal, "INTERNAL", "the query failed; the log says why");
}

pg::Array Texts(const std::vector<std::string>& texts) {
  pg::Array array(pg::Type::kText);
  for (const std::string& text : texts) array.Text(text);
  return array;
}

pg::Array IdsOf(const std::vector<std::int64_t>& ids) {
  pg::Array array(pg::Type::kInt8);
  for (const std::int64_t id : ids) array.Int8(id);
  return array;
}

// $1 to $6 of GOD33_DEAD_LETTER_FILTER.
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

// The types in rows of these states that the filter's pattern matches.
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

void ReadRow(const pg::Result& rows, int row, v1::DeadLetter& letter) {
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

constexpr int kBodyColumn = 15;  // or page_rows

absl::StatusOr<v1::DeadLetter> Find(pg::Connection& connection, std::int64_t id,
                                    std::int64_t most_body) {
  const auto rows = connection.Query(kGet, pg::Params().Int8(id).Int8(most_body));
  if (!rows.ok()) return rows.status();
  if (rows->rows() == 0) {
    return MakeError(absl::StatusCode::kNotFound, "DEAD_LETTER_NOT_FOUND",
                     StrCat("no dead letter has the id ", id), "dead_letter_id");
  }
  v1::DeadLetter letter;
  ReadRow(*rows, 0, letter);
  letter.set_body(std::string(rows->Bytes(0, kBodyColumn)));
  return letter;
}

// Exact up to kMostCounted, and as far as there is time.
absl::Status Count(pg::Connection& connection, const DeadLetterFilter& filter,
                   const std::vector<std::string>& types, v1::ListDeadLettersResponse& response) {
  pg::Params params = FilterParams(filter, types);
  params.Int8(kMostCounted + 1);
  const pg::Params timeout = std::move(pg::Params().Text(kCountTimeout));
  const auto results = connection.QueryAll({{kSetTimeout, timeout}, {kCount, params}});
  if (!results.ok()) {
    if (!absl::IsDeadlineExceeded(results.status())) return results.status();
    response.set_total(response.dead_letters_size());
    response.set_total_exact(false);
    return absl::OkStatus();
  }
  const std::int64_t count = (*results)[1].Int8(0, 0);
  response.set_total(std::min(count, kMostCounted));
  response.set_total_exact(count <= kMostCounted);
  return absl::OkStatus();
}

absl::Status ListOn(pg::Connection& connection, const DeadLetterQuery& query,
                    v1::ListDeadLettersResponse& response) {
  const auto types = FindTypes(connection, query.filter);
  if (!types.ok()) return types.status();
  pg::Params params = FilterParams(query.filter, *types);
  if (query.after) {
    params.Time(absl::FromUnixMicros(query.after->unix_micros)).Int8(query.after->id);
  } else {
    params.Time(absl::FromUnixSeconds(253402300799)).Int8(std::numeric_limits<std::int64_t>::max());
  }
  params.Int8(query.limit + 1).Int8(kMostPageBytes);
  const auto rows = connection.Query(query.filter.type ? kPageOfTypes : kPage, params);
  if (!rows.ok()) return rows.status();
  const int count = std::min(rows->rows(), query.limit);
  for (int i = 0; i < count; ++i) ReadRow(*rows, i, *response.add_dead_letters());
  const bool more = count > 0 && rows->Int8(0, kBodyColumn) > count;
  if (query.after) {
    response.set_total(query.after->total);
    response.set_total_exact(query.after->total_exact);
  } else if (!more) {
    response.set_total(count);
    response.set_total_exact(true);
  } else if (absl::Status status = Count(connection, query.filter, *types, response);
             !status.ok()) {
    return status;
  }
  if (more) {
    response.set_next_page_token(
        EncodeToken({.fingerprint = query.filter.Fingerprint(),
                     .unix_micros = absl::ToUnixMicros(rows->Time(count - 1, 1)),
                     .id = rows->Int8(count - 1, 0),
                     .total = response.total(),
                     .total_exact = response.total_exact()}));
  }
  return absl::OkStatus();
}

struct Place {
  std::int64_t id;
  absl::Time recorded_at;
};

// The next rows of a walk, which goes on behind the last one that is taken.
absl::StatusOr<std::vector<Place>> NextPlaces(pg::Connection& connection,
                                              const DeadLetterStore::Walk& walk, int count) {
  pg::Params params = FilterParams(walk.filter, walk.types);
  params.Time(walk.after).Int8(walk.after_id).Int8(walk.newest_id).Int8(count);
  const auto rows = connection.Query(walk.filter.type ? kWalkOfTypes : kWalk, params);
  if (!rows.ok()) return rows.status();
  std::vector<Place> places;
  for (int i = 0; i < rows->rows(); ++i) places.push_back({rows->Int8(i, 0), rows->Time(i, 1)});
  return places;
}

std::vector<std::int64_t> IdsOf(const std::vector<Place>& places) {
  std::vector<std::int64_t> ids;
  for (const Place& place : places) ids.push_back(place.id);
  return ids;
}

void GoOnBehind(const Place& place, DeadLetterStore::Walk& walk) {
  walk.after = place.recorded_at;
  walk.after_id = place.id;
}

absl::StatusOr<std::vector<std::int64_t>> TryLocks(pg::Connection& connection,
                                                   const std::vector<std::int64_t>& ids) {
  const auto rows = connection.Query(kTryLocks, pg::Params().Array(IdsOf(ids)));
  if (!rows.ok()) return rows.status();
  std::vector<std::int64_t> locked;
  for (int i = 0; i < rows->rows(); ++i) locked.push_back(rows->Int8(i, 0));
  return locked;
}

// The open ones among `ids`, as many as their bodies allow.
absl::StatusOr<std::vector<v1::DeadLetter>> Load(pg::Connection& connection,
                                                 const std::vector<std::int64_t>& ids) {
  const auto rows = connection.Query(kLoad, pg::Params().Array(IdsOf(ids)).Int8(kMostStepBytes));
  if (!rows.ok()) return rows.status();
  std::vector<v1::DeadLetter> letters(static_cast<std::size_t>(rows->rows()));
  for (int i = 0; i < rows->rows(); ++i) {
    ReadRow(*rows, i, letters[static_cast<std::size_t>(i)]);
    letters[static_cast<std::size_t>(i)].set_body(std::string(rows->Bytes(i, kBodyColumn)));
  }
  return letters;
}

// Loads the next ones of a walk. When their bodies are too many for one step, the walk stops behind
// the last that was loaded, and `matched` counts up to there.
absl::StatusOr<std::vector<v1::DeadLetter>> LoadNext(pg::Connection& connection, bool lock,
                                                     int count, DeadLetterStore::Walk& walk,
                                                     std::int64_t& matched) {
  const auto places = NextPlaces(connection, walk, count);
  if (!places.ok()) return places.status();
  walk.end = places->size() < static_cast<std::size_t>(count);
  if (places->empty()) return std::vector<v1::DeadLetter>();
  std::vector<std::int64_t> ids = IdsOf(*places);
  if (lock) {
    auto locked = TryLocks(connection, ids);
    if (!locked.ok()) return locked.status();
    ids = *std::move(locked);
  }
  auto letters = Load(connection, ids);
  if (!letters.ok()) return letters;
  std::size_t taken = places->size();
  std::int64_t bytes = 0;
  for (const v1::DeadLetter& letter : *letters) bytes += letter.body_size();
  if (bytes >= kMostStepBytes) {
    const std::int64_t last = letters->back().dead_letter_id();
    const auto at = std::find_if(places->begin(), places->end(),
                                 [last](const Place& place) { return place.id == last; });
    taken = static_cast<std::size_t>(at - places->begin()) + 1;
    if (taken < places->size()) walk.end = false;
  }
  GoOnBehind((*places)[taken - 1], walk);
  matched = static_cast<std::int64_t>(taken);
  return letters;
}

// Waits until nobody else works on the row.
absl::Status Lock(pg::Connection& connection, std::int64_t id) {
  const absl::Status status = connection.Query(kLock, pg::Params().Int8(id)).status();
  if (!absl::IsDeadlineExceeded(status)) return status;
  return MakeError(absl::StatusCode::kAborted, "IN_USE",
                   StrCat("somebody else is sending dead letter ", id, " back; look again"));
}

absl::Status CheckSendable(const v1::DeadLetter& letter, bool again) {
  if (letter.state() == "dropped") {
    return MakeError(absl::StatusCode::kFailedPrecondition, "DROPPED",
                     StrCat("dead letter ", letter.dead_letter_id(), " was dropped"));
  }
  if (letter.state() == "sent_back" && !again) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "ALREADY_SENT_BACK",
                     StrCat("dead letter ", letter.dead_letter_id(),
                            " was sent back before; `again` sends it once more"));
  }
  return absl::OkStatus();
}

absl::Status Mark(pg::Connection& connection, const pg::Statement& statement,
                  const std::vector<std::int64_t>& ids) {
  return connection.Query(statement, pg::Params().Array(IdsOf(ids))).status();
}

pg::Config WithSettings(pg::Config database) {
  database.settings = Settings();
  return database;
}

}  // namespace

DeadLetterStore::DeadLetterStore(pg::Config database, std::size_t connections)
    : pool_(WithSettings(std::move(database)), connections) {}

absl::Status DeadLetterStore::Run(const std::function<absl::Status(pg::Connection&)>& work) {
  for (int attempt = 1;; ++attempt) {
    auto lease = pool_.Acquire(kAcquireTimeout);
    if (!lease.ok()) return ForCaller(lease.status());
    // A connection that sat idle through a restart of the server is dead, and says so only when used.
    // Asking first lets `work`, which may publish, be done once.
    const auto alive = (*lease)->Query(kAlive);
    if (!alive.ok() && (*lease)->broken() && attempt == 1) continue;
    return ForCaller(alive.ok() ? work(**lease) : alive.status());
  }
}

absl::Status DeadLetterStore::List(const DeadLetterQuery& query,
                                   v1::ListDeadLettersResponse& response) {
  return Run([&](pg::Connection& connection) { return ListOn(connection, query, response); });
}

absl::StatusOr<v1::DeadLetter> DeadLetterStore::Get(std::int64_t id, std::int64_t most_body) {
  v1::DeadLetter letter;
  const absl::Status status = Run([&](pg::Connection& connection) -> absl::Status {
    auto found = Find(connection, id, most_body);
    if (found.ok()) letter = *std::move(found);
    return found.status();
  });
  if (!status.ok()) return status;
  return letter;
}

absl::StatusOr<v1::DeadLetter> DeadLetterStore::SendBack(std::int64_t id, bool again,
                                                         const Send& send) {
  v1::DeadLetter letter;
  const absl::Status status = Run([&](pg::Connection& connection) -> absl::Status {
    auto transaction = pg::Transaction::Begin(connection);
    if (!transaction.ok()) return transaction.status();
    if (absl::Status locked = Lock(connection, id); !locked.ok()) return locked;
    auto found = Find(connection, id, std::numeric_limits<std::int64_t>::max());
    if (!found.ok()) return found.status();
    if (absl::Status sendable = CheckSendable(*found, again); !sendable.ok()) return sendable;
    if (absl::Status sent = send(*found); !sent.ok()) return sent;
    if (absl::Status marked = Mark(connection, kMarkSentBack, {id}); !marked.ok()) return marked;
    found = Find(connection, id, 0);
    if (!found.ok()) return found.status();
    letter = *std::move(found);
    return std::move(*transaction).Commit();
  });
  if (!status.ok()) return status;
  return letter;
}

absl::StatusOr<v1::DeadLetter> DeadLetterStore::Drop(std::int64_t id, bool& changed) {
  v1::DeadLetter letter;
  const absl::Status status = Run([&](pg::Connection& connection) -> absl::Status {
    auto transaction = pg::Transaction::Begin(connection);
    if (!transaction.ok()) return transaction.status();
    if (absl::Status locked = Lock(connection, id); !locked.ok()) return locked;
    const auto dropped = connection.Query(kDrop, pg::Params().Array(IdsOf(std::vector{id})));
    if (!dropped.ok()) return dropped.status();
    changed = dropped->affected() > 0;
    auto found = Find(connection, id, 0);
    if (!found.ok()) return found.status();
    letter = *std::move(found);
    return std::move(*transaction).Commit();
  });
  if (!status.ok()) return status;
  return letter;
}

absl::StatusOr<DeadLetterStore::Walk> DeadLetterStore::StartWalk(const DeadLetterFilter& filter) {
  Walk walk{.filter = filter, .after = absl::FromUnixSeconds(0)};
  const absl::Status status = Run([&](pg::Connection& connection) -> absl::Status {
    auto types = FindTypes(connection, filter);
    if (!types.ok()) return types.status();
    walk.types = *std::move(types);
    const auto newest = connection.Query(kNewest);
    if (!newest.ok()) return newest.status();
    walk.newest_id = newest->Int8(0, 0);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return walk;
}

absl::StatusOr<DeadLetterStore::Step> DeadLetterStore::SendBackNext(Walk& walk, int count,
                                                                    const SendAll& send_all) {
  Step step;
  const absl::Status status = Run([&](pg::Connection& connection) -> absl::Status {
    auto transaction = pg::Transaction::Begin(connection);
    if (!transaction.ok()) return transaction.status();
    const auto letters = LoadNext(connection, /*lock=*/true, count, walk, step.matched);
    if (!letters.ok()) return letters.status();
    if (letters->empty()) return absl::OkStatus();
    const auto outcomes = send_all(*letters);
    if (!outcomes.ok()) return outcomes.status();
    std::vector<std::int64_t> sent;
    for (std::size_t i = 0; i < letters->size(); ++i) {
      if ((*outcomes)[i].ok()) sent.push_back((*letters)[i].dead_letter_id());
    }
    if (absl::Status marked = Mark(connection, kMarkSentBack, sent); !marked.ok()) return marked;
    if (absl::Status done = std::move(*transaction).Commit(); !done.ok()) return done;
    step.done = static_cast<std::int64_t>(sent.size());
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return step;
}

absl::StatusOr<DeadLetterStore::Step> DeadLetterStore::DropNext(Walk& walk, int count,
                                                                bool dry_run) {
  Step step;
  const absl::Status status = Run([&](pg::Connection& connection) -> absl::Status {
    auto transaction = pg::Transaction::Begin(connection);
    if (!transaction.ok()) return transaction.status();
    const auto places = NextPlaces(connection, walk, count);
    if (!places.ok()) return places.status();
    walk.end = places->size() < static_cast<std::size_t>(count);
    step.matched = static_cast<std::int64_t>(places->size());
    if (places->empty()) return absl::OkStatus();
    GoOnBehind(places->back(), walk);
    if (dry_run) return absl::OkStatus();
    const auto locked = TryLocks(connection, IdsOf(*places));
    if (!locked.ok()) return locked.status();
    const auto dropped = connection.Query(kDropOpen, pg::Params().Array(IdsOf(*locked)));
    if (!dropped.ok()) return dropped.status();
    step.done = dropped->affected();
    return std::move(*transaction).Commit();
  });
  if (!status.ok()) return status;
  return step;
}

absl::StatusOr<DeadLetterStore::Step> DeadLetterStore::LookAtNext(
    Walk& walk, int count, const std::function<void(const v1::DeadLetter&)>& look) {
  Step step;
  std::vector<v1::DeadLetter> letters;
  const absl::Status status = Run([&](pg::Connection& connection) -> absl::Status {
    auto loaded = LoadNext(connection, /*lock=*/false, count, walk, step.matched);
    if (loaded.ok()) letters = *std::move(loaded);
    return loaded.status();
  });
  if (!status.ok()) return status;
  for (const v1::DeadLetter& letter : letters) look(letter);
  step.done = static_cast<std::int64_t>(letters.size());
  return step;
}

absl::Status DeadLetterStore::CheckAgainstLog(const sequence::Unit& unit) {
  return Run([&](pg::Connection& connection) -> absl::Status {
    const std::vector<const sequence::Unit*> units{&unit};
    const auto known = eventlog::LookUp(connection, units);
    if (!known.ok()) return known.status();
    return sequence::Resolve(units, *known).outcomes.front().status;
  });
}

}  // namespace god33::manager
