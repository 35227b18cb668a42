#include "services/event-store-api/event_store.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "event/write.h"
#include "eventlog/horizon.h"

namespace god33::api {
namespace {

constexpr std::int64_t kMostCounted = 10'000;
constexpr absl::Duration kCountTimeout = absl::Milliseconds(300);

// Above so many events in a time range, walking the log finds a page faster than sorting them.
constexpr std::int64_t kFewInTime = 5'000;

// Of payloads as they are stored, compressed: bounds what one query holds in memory.
constexpr std::int64_t kMostStoredBytes = 2 << 20;

// Of an answer: within what gRPC clients accept by default (4 MiB).
constexpr std::size_t kMostAnswerBytes = 3 << 20;

std::size_t SizeOf(const eventlog::StoredEvent& event) {
  constexpr std::size_t kRest = 512;  // ids, times, names
  const event::Envelope& envelope = event.envelope;
  std::size_t size =
      kRest + envelope.payload.size() + envelope.source.meta.size() + 40 * envelope.parents.size();
  if (const auto& context = envelope.agent_context) {
    size += event::WriteContext(*context, event::Absent::kOmit).size();
  }
  return size;
}

constexpr std::int64_t kEnd = std::numeric_limits<std::int64_t>::max();

constexpr pg::Statement kMonths = {"log_months", R"sql(
  SELECT month, (month AT TIME ZONE 'UTC' + interval '1 month') AT TIME ZONE 'UTC', first_position
  FROM log_months ORDER BY month)sql"};

// Found by id in the month its position says. Of an event that retention dropped only the id is
// left.
constexpr pg::Statement kGet = {"get_event", R"sql(
  SELECT )sql" GOD33_EVENT_COLUMNS R"sql(, coalesce(e.project, ''),
    (SELECT log_id FROM log_identity)
  FROM event_ids AS i
    LEFT JOIN LATERAL (SELECT month FROM log_months WHERE first_position <= i.position
                       ORDER BY first_position DESC LIMIT 1) AS m ON true
    LEFT JOIN events AS e ON e.position = i.position AND e.recorded_at >= m.month
      AND e.recorded_at < m.month + interval '1 month'
  WHERE i.event_id = $1::uuid)sql"};

constexpr pg::Statement kTypes = {"event_types",
                                  "SELECT event_type, first_position FROM event_types ORDER BY 1"};

constexpr pg::Statement kTypesLike = {"event_types_like", R"sql(
  SELECT event_type FROM event_types WHERE event_type ^@ $1::text LIMIT $2::integer)sql"};

constexpr pg::Statement kInTime = {"count_in_time", R"sql(
  SELECT count(*) FROM (
    SELECT FROM events WHERE "timestamp" >= $1::timestamptz AND "timestamp" < $2::timestamptz
    LIMIT $3::bigint) AS counted)sql"};

}  // namespace

// Events of a page, one more than asked for if there are so many.
struct EventStore::Found {
  std::vector<eventlog::StoredEvent> events;
  bool more = false;
};

absl::StatusOr<EventPage> EventStore::List(const EventQuery& query) {
  EventPage page;
  const absl::Status status = reader_.Run([&](pg::Connection& connection) {
    page = EventPage();
    return ListOn(connection, query, page);
  });
  if (!status.ok()) return status;
  return page;
}

absl::Status EventStore::ListOn(pg::Connection& connection, const EventQuery& query,
                                EventPage& page) {
  const auto state = reader_.StateAt(connection, query.min_position, Reader::Of::kLog);
  if (!state.ok()) return state.status();
  page.position = state->head;
  page.horizon = state->horizon;

  const std::string fingerprint = query.filter.Fingerprint();
  std::optional<PageToken> token;
  if (!query.page_token.empty()) {
    auto decoded = DecodePageToken(query.page_token);
    if (!decoded.ok()) return decoded.status();
    token = *std::move(decoded);
    if (token->fingerprint != fingerprint || token->descending != query.descending) {
      return InvalidField("page_token",
                          "it belongs to other filters or another order; pass the same");
    }
    if (token->log_id != state->log_id) {
      return MakeError(absl::StatusCode::kAborted, "LOG_CHANGED",
                       "page_token: the log was replaced by a standby or a backup; start again",
                       "page_token");
    }
    // There was more behind it, or before.
    if (query.descending ? token->position <= state->horizon && state->horizon > 1
                         : token->position + 1 < state->horizon) {
      return eventlog::BelowHorizon("what this page begins with", state->horizon, "page_token");
    }
  }
  const auto sql = Plan(connection, query);
  if (!sql.ok()) return sql.status();
  const std::int64_t after = token ? token->position : query.descending ? kEnd : state->horizon - 1;
  auto found = ReadPage(connection, *sql, query, after, *state);
  if (!found.ok()) return found.status();
  page.events = std::move(found->events);

  if (!query.counted) {
    page.total = 0;
  } else if (token) {
    page.total = token->total;
    page.total_exact = token->total_exact;
  } else if (!found->more && !page.events.empty()) {
    page.total = static_cast<std::int64_t>(page.events.size()) + query.offset;
    page.total_exact = true;
  } else {
    absl::Status status = CountTotal(connection, *sql, query, *state, page);
    if (!status.ok()) return status;
  }
  if (found->more) {
    page.next_page_token = EncodePageToken({.log_id = state->log_id,
                                            .fingerprint = fingerprint,
                                            .descending = query.descending,
                                            .position = page.events.back().position,
                                            .total = page.total,
                                            .total_exact = page.total_exact});
  }
  return absl::OkStatus();
}

absl::StatusOr<EventSql> EventStore::Plan(pg::Connection& connection, const EventQuery& query) {
  const EventFilter& filter = query.filter;
  // Patterns become the list of types they stand for, as long as that is short.
  std::vector<std::string> types;
  bool listed = true;
  for (const event::TypePattern& pattern : filter.types) {
    if (pattern.exact()) {
      types.push_back(pattern.text());
      continue;
    }
    const std::string prefix = pattern.text().substr(0, pattern.text().find('*'));
    constexpr int kMostLooked = 2000;
    const auto rows = connection.Query(kTypesLike, pg::Params().Text(prefix).Int4(kMostLooked));
    if (!rows.ok()) return rows.status();
    listed = listed && rows->rows() < kMostLooked;
    for (int i = 0; i < rows->rows(); ++i) {
      if (pattern.Matches(rows->Bytes(i, 0))) types.emplace_back(rows->Bytes(i, 0));
    }
  }
  std::sort(types.begin(), types.end());
  types.erase(std::unique(types.begin(), types.end()), types.end());
  std::optional<std::vector<std::string>> list;
  if (listed && types.size() <= EventSql::kMostTypes) list = std::move(types);

  bool few_in_time = false;
  if (filter.start || filter.end) {
    const auto counted = connection.Query(
        kInTime, pg::Params()
                     .Time(filter.start.value_or(absl::FromUnixSeconds(-62135596800)))
                     .Time(filter.end.value_or(absl::FromUnixSeconds(253402300799)))
                     .Int8(kFewInTime + 1));
    if (!counted.ok()) return counted.status();
    few_in_time = counted->Int8(0, 0) <= kFewInTime;
  }
  return EventSql(filter, std::move(list), query.descending, few_in_time);
}

// They change when a month begins, and when retention drops one.
absl::StatusOr<std::vector<Month>> EventStore::Months(pg::Connection& connection,
                                                      const LogState& state) {
  {
    absl::MutexLock lock(&mutex_);
    if (!months_.empty() && state.last_month == months_.back().start &&
        state.horizon <= months_.front().first_position) {
      return months_;
    }
  }
  const auto rows = connection.Query(kMonths);
  if (!rows.ok()) return rows.status();
  std::vector<Month> months;
  for (int i = 0; i < rows->rows(); ++i) {
    months.push_back(
        {.start = rows->Time(i, 0), .end = rows->Time(i, 1), .first_position = rows->Int8(i, 2)});
  }
  absl::MutexLock lock(&mutex_);
  months_ = months;
  return months;
}

absl::StatusOr<EventStore::Found> EventStore::ReadPage(pg::Connection& connection,
                                                       const EventSql& sql, const EventQuery& query,
                                                       std::int64_t after, const LogState& state) {
  // One more than asked for tells whether there is a next page.
  const int wanted = query.limit + 1;
  Found found;
  // All slices together take hardly longer than one statement may.
  const std::int64_t deadline =
      MonotonicNanos() + absl::ToInt64Nanoseconds(reader_.query_timeout());
  // False: the size bound cut the page short.
  const auto read = [&](const Slice& slice) -> absl::StatusOr<bool> {
    const int limit = wanted - static_cast<int>(found.events.size());
    const absl::Duration left = absl::Nanoseconds(deadline - MonotonicNanos());
    if (left < absl::Milliseconds(1)) return Reader::TooSlow();
    const Sql page = sql.Page(slice, limit, query.offset, kMostStoredBytes);
    // As long as next to nothing of it is gone, the session's own time-out will do.
    const auto rows = left > reader_.query_timeout() * 0.9
                          ? reader_.Query(connection, page)
                          : reader_.QueryWithin(connection, page, left);
    if (!rows.ok()) return rows.status();
    for (int i = 0; i < rows->rows(); ++i) found.events.push_back(eventlog::ReadEvent(*rows, i));
    return rows->rows() == 0 || rows->Int8(0, eventlog::kEventColumns) == rows->rows();
  };

  bool whole = true;
  if (sql.spans_months() || query.offset > 0) {
    const auto all = read({.after = after, .horizon = state.horizon});
    if (!all.ok()) return all.status();
    whole = *all;
  } else {
    auto months = Months(connection, state);
    if (!months.ok()) return months.status();
    if (query.descending) std::reverse(months->begin(), months->end());
    for (std::size_t i = 0; i < months->size() && whole; ++i) {
      const Month& month = (*months)[i];
      // Months that lie wholly before the place to go on from, in the direction of reading.
      const bool passed =
          query.descending ? month.first_position >= after
                           : i + 1 < months->size() && (*months)[i + 1].first_position <= after + 1;
      if (passed) continue;
      const auto slice = read({.after = after, .horizon = state.horizon, .month = &month});
      if (!slice.ok()) return slice.status();
      whole = *slice;
      if (static_cast<int>(found.events.size()) == wanted) break;
    }
  }
  found.more = !whole || static_cast<int>(found.events.size()) == wanted;
  std::size_t keep = std::min<std::size_t>(found.events.size(), query.limit);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < keep; ++i) {
    bytes += SizeOf(found.events[i]);
    if (i > 0 && bytes > kMostAnswerBytes) keep = i;
  }
  found.more = found.more || keep < found.events.size();
  found.events.resize(keep);
  return found;
}

absl::Status EventStore::CountTotal(pg::Connection& connection, const EventSql& sql,
                                    const EventQuery& query, const LogState& state,
                                    EventPage& page) {
  if (query.filter.empty()) {
    // Positions have no gaps.
    const auto months = Months(connection, state);
    if (!months.ok()) return months.status();
    page.total = months->empty() ? 0 : state.head - months->front().first_position + 1;
    page.total_exact = true;
    return absl::OkStatus();
  }
  const auto counted =
      reader_.QueryWithin(connection, sql.Count(kMostCounted + 1, state.horizon), kCountTimeout);
  if (!counted.ok() && !absl::IsDeadlineExceeded(counted.status())) return counted.status();
  const std::int64_t count = counted.ok() ? counted->Int8(0, 0) : 0;
  page.total_exact = counted.ok() && count <= kMostCounted;
  page.total = std::min(count, kMostCounted);
  // What the page shows is there, however far the counting got.
  if (!page.total_exact && !page.events.empty()) {
    page.total = std::max(page.total, query.offset + static_cast<std::int64_t>(page.events.size()));
  }
  return absl::OkStatus();
}

absl::StatusOr<FoundEvent> EventStore::Get(const Uuid& id, std::int64_t min_position) {
  FoundEvent found;
  const absl::Status status = reader_.Run([&](pg::Connection& connection) -> absl::Status {
    if (min_position > 0) {
      const auto state = reader_.StateAt(connection, min_position, Reader::Of::kLog);
      if (!state.ok()) return state.status();
    }
    const auto rows = connection.Query(kGet, pg::Params().Id(id));
    if (!rows.ok()) return rows.status();
    if (rows->rows() == 0) {
      return MakeError(absl::StatusCode::kNotFound, "EVENT_NOT_FOUND",
                       StrCat("no event has the id ", id.ToString()), "event_id");
    }
    if (rows->IsNull(0, 0)) return eventlog::EventIsGone(connection);
    found.event = eventlog::ReadEvent(*rows, 0);
    found.project = rows->Bytes(0, eventlog::kEventColumns);
    found.log_id = rows->Id(0, eventlog::kEventColumns + 1);
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return found;
}

absl::StatusOr<std::vector<SeenType>> EventStore::Types() {
  std::vector<SeenType> types;
  const absl::Status status = reader_.Run([&](pg::Connection& connection) {
    types.clear();
    const auto rows = connection.Query(kTypes);
    if (!rows.ok()) return rows.status();
    for (int i = 0; i < rows->rows(); ++i) {
      types.push_back({.name = std::string(rows->Bytes(i, 0)), .first_position = rows->Int8(i, 1)});
    }
    return absl::OkStatus();
  });
  if (!status.ok()) return status;
  return types;
}

}  // namespace god33::api
