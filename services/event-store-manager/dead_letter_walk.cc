#include "services/event-store-manager/dead_letter_walk.h"

#include <utility>

#include "services/event-store-manager/dead_letter_lock.h"
#include "services/event-store-manager/dead_letter_sql.h"

namespace god33::manager {
namespace {

using store::v1::DeadLetter;

constexpr std::int64_t kMostStepBytes = 16 << 20;

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

constexpr pg::Statement kWalk = {
    "walk_dead_letters",
    GOD33_DEAD_LETTER_WALK(GOD33_DEAD_LETTER_STATES, " AND $2::text[] IS NULL")};
constexpr pg::Statement kWalkOfTypes = {
    "walk_dead_letters_of_types",
    GOD33_DEAD_LETTER_WALK(GOD33_DEAD_LETTER_STATES_AND_TYPES, GOD33_DEAD_LETTER_OF_TYPE)};

constexpr pg::Statement kNewest = {"newest_dead_letter",
                                   "SELECT coalesce(max(dead_letter_id), 0) FROM dead_letters"};

// Of these, the open ones with their bodies, the first $2 bytes of them, but one at least.
constexpr pg::Statement kLoad = {
    "load_dead_letters",
    "SELECT " GOD33_DEAD_LETTER_COLUMNS
    ", d.body FROM ("
    "  SELECT *, sum(octet_length(body)) OVER (ORDER BY recorded_at, dead_letter_id)"
    "    - octet_length(body) AS before"
    "  FROM dead_letters WHERE dead_letter_id = ANY($1::bigint[]) AND state = 'open') AS d "
    "WHERE d.before < $2::bigint ORDER BY d.recorded_at, d.dead_letter_id"};

// The open ones among `ids`, as many as their bodies allow.
absl::StatusOr<std::vector<DeadLetter>> LoadOpen(pg::Connection& connection,
                                                 const std::vector<std::int64_t>& ids) {
  const auto rows = connection.Query(kLoad, pg::Params().Array(IdsOf(ids)).Int8(kMostStepBytes));
  if (!rows.ok()) return rows.status();
  std::vector<DeadLetter> letters(static_cast<std::size_t>(rows->rows()));
  for (int i = 0; i < rows->rows(); ++i) {
    DeadLetter& letter = letters[static_cast<std::size_t>(i)];
    ReadRow(*rows, i, letter);
    letter.set_body(std::string(rows->Bytes(i, kDeadLetterColumns)));
  }
  return letters;
}

}  // namespace

absl::StatusOr<DeadLetterWalk> DeadLetterWalk::Start(pg::Connection& connection,
                                                     const DeadLetterFilter& filter) {
  DeadLetterWalk walk;
  walk.filter_ = filter;
  walk.after_ = absl::FromUnixSeconds(0);
  auto types = FindTypes(connection, filter);
  if (!types.ok()) return types.status();
  walk.types_ = *std::move(types);
  const auto newest = connection.Query(kNewest);
  if (!newest.ok()) return newest.status();
  walk.newest_id_ = newest->Int8(0, 0);
  return walk;
}

absl::StatusOr<std::vector<DeadLetterWalk::Place>> DeadLetterWalk::Look(pg::Connection& connection,
                                                                        int count) const {
  pg::Params params = FilterParams(filter_, types_);
  params.Time(after_).Int8(after_id_).Int8(newest_id_).Int8(count);
  const auto rows = connection.Query(filter_.type ? kWalkOfTypes : kWalk, params);
  if (!rows.ok()) return rows.status();
  std::vector<Place> places;
  for (int i = 0; i < rows->rows(); ++i) places.push_back({rows->Int8(i, 0), rows->Time(i, 1)});
  return places;
}

void DeadLetterWalk::GoOnBehind(const std::vector<Place>& places) {
  if (places.empty()) return;
  after_ = places.back().recorded_at;
  after_id_ = places.back().id;
  matched_ += static_cast<std::int64_t>(places.size());
}

absl::StatusOr<std::vector<std::int64_t>> DeadLetterWalk::Next(pg::Connection& connection,
                                                               int count) {
  const auto places = Look(connection, count);
  if (!places.ok()) return places.status();
  end_ = places->size() < static_cast<std::size_t>(count);
  GoOnBehind(*places);
  return IdsAt(*places);
}

absl::StatusOr<std::vector<DeadLetter>> DeadLetterWalk::Load(pg::Connection& connection, int count,
                                                             bool lock) {
  auto places = Look(connection, count);
  if (!places.ok()) return places.status();
  const bool last = places->size() < static_cast<std::size_t>(count);
  std::vector<std::int64_t> ids = IdsAt(*places);
  if (lock) {
    auto locked = TryLockDeadLetters(connection, ids);
    if (!locked.ok()) return locked.status();
    ids = *std::move(locked);
  }
  auto letters = LoadOpen(connection, ids);
  if (!letters.ok()) return letters;
  const std::size_t come_upon = places->size();
  std::int64_t bytes = 0;
  for (const DeadLetter& letter : *letters) bytes += letter.body_size();
  // When the bodies are too many for one step, the walk stops behind the last that was loaded.
  while (bytes >= kMostStepBytes && places->back().id != letters->back().dead_letter_id()) {
    places->pop_back();
  }
  end_ = last && places->size() == come_upon;
  GoOnBehind(*places);
  return letters;
}

std::vector<std::int64_t> DeadLetterWalk::IdsAt(const std::vector<Place>& places) {
  std::vector<std::int64_t> ids;
  for (const Place& place : places) ids.push_back(place.id);
  return ids;
}

}  // namespace god33::manager
