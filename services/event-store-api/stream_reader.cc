#include "services/event-store-api/stream_reader.h"

#include <algorithm>
#include <charconv>
#include <string_view>
#include <utility>

#include "base/failpoint.h"
#include "base/strings.h"
#include "event/facts.h"
#include "eventlog/event_row.h"
#include "services/event-store-api/event_proto.h"
#include "services/event-store-api/event_sql.h"

namespace god33::api {
namespace {

constexpr pg::Statement kState = {"stream_state", R"sql(
  SELECT (SELECT min(position) FROM late_parents), )sql" GOD33_LOG_POINT_COLUMNS};

constexpr pg::Statement kHorizon = {"stream_horizon",
                                    "SELECT coalesce(min(first_position), 0) FROM log_months"};

// $1, $2: positions from and to; $3: within; $4: entries, $5: bytes; the filter: $6 a regular
// expression on types, $7 agent, $8 parent, $9 workflow.
#define GOD33_STREAM_MONTHS                                                                \
  " e.recorded_at >= coalesce((SELECT max(month) FROM log_months WHERE first_position <= " \
  "$1::bigint + 1), '-infinity') AND e.recorded_at < coalesce((SELECT min(month) FROM "    \
  "log_months WHERE first_position > $2::bigint), 'infinity') "
#define GOD33_STREAM_FILTER                                                             \
  " ($6::text IS NULL OR e.event_type ~ $6) AND ($7::text IS NULL OR e.agent_id = $7) " \
  "AND ($8::uuid IS NULL OR $8 = ANY(e.correlation_ids)) "
#define GOD33_STREAM_COLUMNS \
  "SELECT " GOD33_EVENT_COLUMNS ", e.due, e.read, e.agent_id, coalesce(e.project, '')"
#define GOD33_STREAM_SIZED                                                                  \
  " FROM (SELECT page.*, count(*) OVER () AS read, sum(pg_column_size(page.payload)) OVER " \
  "(ORDER BY page.due, page.position ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) "    \
  "AS before FROM ("
#define GOD33_STREAM_END \
  ") AS page) AS e WHERE coalesce(e.before, 0) < $5::bigint ORDER BY e.due, e.position"

constexpr int kDue = eventlog::kEventColumns;
constexpr int kRead = kDue + 1;
constexpr int kAgent = kDue + 2;
constexpr int kProject = kDue + 3;
constexpr int kGroups = kDue + 4;

constexpr pg::Statement kLog = {
    "stream_log", GOD33_STREAM_COLUMNS
    ", NULL" GOD33_STREAM_SIZED
    "SELECT e.*, e.position AS due FROM events AS e "
    "WHERE e.position > $1::bigint AND e.position <= $2::bigint AND $3::bigint >= 0 "
    "AND" GOD33_STREAM_MONTHS "AND" GOD33_STREAM_FILTER
    "AND ($9::uuid IS NULL) ORDER BY e.position LIMIT $4::integer" GOD33_STREAM_END};

// Late events: those that joined a workflow later, and those whose workflow got its project later. What
// an event belongs to comes as "<workflow> <since> <owned since> <project>". Late events that retention has dropped
// are left out before the limit, or else a full page would look like the last one.
constexpr pg::Statement kSettled = {"stream_settled",
                                    GOD33_STREAM_COLUMNS R"sql(,
      (SELECT array_agg(concat_ws(' ', m.group_id, m.since, coalesce(p.position, 0), p.project))
       FROM memberships AS m LEFT JOIN workflow_projects AS p ON p.workflow_id = m.group_id
       WHERE m.position = e.position AND m.kind = 'w'))sql" GOD33_STREAM_SIZED R"sql(
    SELECT e.*, entry.due FROM (
      SELECT due, position FROM (
        SELECT e.position AS due, e.position FROM events AS e
        WHERE e.position > $1::bigint AND e.position <= $2::bigint AND)sql" GOD33_STREAM_MONTHS
                                                         "AND" GOD33_STREAM_FILTER R"sql(
          AND ($9::uuid IS NULL OR EXISTS (SELECT FROM memberships AS m WHERE m.kind = 'w'
                                           AND m.group_id = $9 AND m.position = e.position))
        UNION
        SELECT since, position FROM memberships
        WHERE since <> position AND since > $1 AND since <= $2 AND kind = 'w'
          AND ($9 IS NULL OR group_id = $9)
        UNION
        SELECT p.position, m.position
        FROM workflow_projects AS p
          JOIN memberships AS m ON m.kind = 'w' AND m.group_id = p.workflow_id
            AND m.position < p.position AND m.since <= p.position
        WHERE p.position > $1 AND p.position <= $2 AND ($9 IS NULL OR p.workflow_id = $9)
      ) AS due
      WHERE (due > $1 + 1 OR position > $3::bigint)
        AND position >= (SELECT coalesce(min(first_position), 0) FROM log_months)
      ORDER BY due, position LIMIT $4::integer) AS entry
      CROSS JOIN LATERAL (SELECT month FROM log_months WHERE first_position <= entry.position
                          ORDER BY first_position DESC LIMIT 1) AS month
      JOIN events AS e ON e.position = entry.position AND e.recorded_at >= month.month
        AND e.recorded_at < month.month + interval '1 month')sql" GOD33_STREAM_END};

pg::Params ParamsOf(const StreamSlice& slice, std::int64_t up_to, const StreamFilter* filter) {
  pg::Params params;
  params.Int8(slice.after.position).Int8(up_to).Int8(slice.after.within);
  params.Int4(slice.most_entries).Int8(slice.most_bytes);
  static const StreamFilter kNone;
  if (filter == nullptr) filter = &kNone;
  if (filter->types.empty()) {
    params.Null();
  } else {
    params.Text(RegexOf(filter->types));
  }
  if (filter->agent.empty()) {
    params.Null();
  } else {
    params.Text(filter->agent);
  }
  // A member may get its project later by another workflow than the one that is followed.
  const auto workflow = filter->project.empty() ? filter->workflow : std::nullopt;
  for (const std::optional<Uuid>& id : {filter->correlation, workflow}) {
    if (id) {
      params.Id(*id);
    } else {
      params.Null();
    }
  }
  return params;
}

// The number before the next blank; takes both away.
std::int64_t TakeNumber(std::string_view& text) {
  std::int64_t number = 0;
  const std::string_view word = text.substr(0, text.find(' '));
  std::from_chars(word.data(), word.data() + word.size(), number);
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return number;
}

void AddProject(StreamEntry& entry, std::string_view project, std::int64_t since) {
  for (auto& known : entry.projects) {
    if (known.group != project) continue;
    known.position = std::min(known.position, since);
    return;
  }
  entry.projects.push_back({std::string(project), since});
}

// What the event belongs to, from when on.
void ReadGroups(const std::vector<std::string_view>& groups, std::string_view project,
                const event::Envelope& envelope, StreamEntry& entry) {
  constexpr std::size_t kIdSize = 36;
  for (std::string_view text : groups) {
    const auto workflow = Uuid::Parse(text.substr(0, kIdSize));
    if (!workflow) continue;
    text.remove_prefix(kIdSize + 1);
    const std::int64_t since = TakeNumber(text);
    const std::int64_t owned = TakeNumber(text);
    entry.workflows.push_back({*workflow, since});
    if (owned > 0) AddProject(entry, text, std::max(since, owned));
  }
  if (project.empty()) return;
  // A project that the event names itself is its only one; another one came by a workflow.
  const bool at_once =
      std::any_of(entry.projects.begin(), entry.projects.end(), [&](const auto& known) {
        return known.group == project && known.position <= entry.position;
      });
  if (at_once && entry.projects.size() == 1) return;
  if (const std::string own = event::FactsOf(envelope).project; !own.empty()) {
    entry.projects.clear();
    entry.projects.push_back({own, entry.position});
  }
}

std::shared_ptr<const StreamEntry> ReadEntry(const pg::Result& rows, int row, StreamOrder order) {
  auto entry = std::make_shared<StreamEntry>();
  const eventlog::StoredEvent event = eventlog::ReadEvent(rows, row);
  entry->due = rows.Int8(row, kDue);
  entry->position = event.position;
  entry->point = entry->late() ? StreamPoint{entry->due - 1, entry->position}
                               : StreamPoint{entry->position, 0};
  entry->type = event.envelope.type;
  entry->agent = rows.Bytes(row, kAgent);
  entry->parents = event.envelope.parents;
  if (order == StreamOrder::kSettled) {
    ReadGroups(rows.Texts(row, kGroups), rows.Bytes(row, kProject), event.envelope, *entry);
  }
  auto frame = std::make_shared<store::v1::StreamEventsResponse>();
  ToProto(event, *frame->mutable_event());
  frame->set_position(entry->point.position);
  frame->set_within(entry->point.within);
  entry->bytes = frame->ByteSizeLong();
  entry->frame = std::move(frame);
  return entry;
}

StreamState StateOf(const pg::Result& rows) {
  StreamState state{.point = ReadLogPoint(rows, 0, 1)};
  const std::int64_t head = state.point.head;
  state.settled = rows.IsNull(0, 0) ? head : std::min(head, rows.Int8(0, 0) - 1);
  return state;
}

}  // namespace

absl::StatusOr<StreamState> ReadStreamState(pg::Connection& connection) {
  const auto rows = connection.Query(kState);
  if (!rows.ok()) return rows.status();
  return StateOf(*rows);
}

absl::StatusOr<StreamRead> ReadStream(pg::Connection& connection, const StreamSlice& slice,
                                      const StreamFilter* filter) {
  const std::int64_t up_to = slice.after.position + slice.most_positions;
  const pg::Statement& statement = slice.order == StreamOrder::kLog ? kLog : kSettled;
  const pg::Params none;
  // The state first: what it calls final is so for the second statement's snapshot, which may see more. The
  // horizon last: what it calls left was there for it.
  auto results = connection.QueryAll(
      {{kState, none}, {statement, ParamsOf(slice, up_to, filter)}, {kHorizon, none}});
  if (!results.ok()) return results.status();
  const pg::Result& rows = (*results)[1];
  StreamRead read{
      .state = StateOf((*results)[0]), .batch = {}, .horizon = (*results)[2].Int8(0, 0)};
  if (failpoint::Reached("head_after_rows")) {
    // By now more is final than the rows hold.
    auto later = ReadStreamState(connection);
    if (!later.ok()) return later.status();
    read.state = *std::move(later);
  }
  StreamBatch& batch = read.batch;
  batch.after = batch.end = slice.after;
  const std::int64_t last = std::min(up_to, read.state.end(slice.order));
  for (int row = 0; row < rows.rows() && rows.Int8(row, kDue) <= last; ++row) {
    batch.entries.push_back(ReadEntry(rows, row, slice.order));
    batch.bytes += batch.entries.back()->bytes;
  }
  const bool whole = rows.rows() == 0 ||
                     (rows.rows() < slice.most_entries && rows.rows() == rows.Int8(0, kRead)) ||
                     batch.entries.size() < static_cast<std::size_t>(rows.rows());
  if (whole) {
    batch.end = std::max(batch.end, StreamPoint{last, 0});
  } else {
    batch.end = batch.entries.back()->point;
  }
  return read;
}

}  // namespace god33::api
