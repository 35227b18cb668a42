#include "services/event-store-manager/dead_letter_store.h"

#include <limits>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "eventlog/lookup.h"
#include "pg/error.h"
#include "sequence/resolve.h"
#include "services/event-store-manager/dead_letter_list.h"
#include "services/event-store-manager/dead_letter_lock.h"
#include "services/event-store-manager/dead_letter_sql.h"

namespace god33::manager {
namespace {

namespace v1 = store::v1;

constexpr absl::Duration kAcquireTimeout = absl::Seconds(5);

constexpr pg::Statement kGet = {"get_dead_letter",
                                "SELECT " GOD33_DEAD_LETTER_COLUMNS
                                ", CASE WHEN octet_length(d.body) <= $2::bigint THEN d.body END "
                                "FROM dead_letters AS d WHERE d.dead_letter_id = $1::bigint"};

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
  letter.set_body(std::string(rows->Bytes(0, kDeadLetterColumns)));
  return letter;
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

// A transaction waits while the broker confirms, and whoever wants the same row waits for that.
pg::Config WithSettings(pg::Config database) {
  database.settings = {{"statement_timeout", "20s"},
                       {"idle_in_transaction_session_timeout", "60s"},
                       {"plan_cache_mode", "force_custom_plan"},
                       {"TimeZone", "UTC"},
                       {"jit", "off"}};
  return database;
}

// A list that takes too long says what to do about it.
absl::Status ForCaller(const absl::Status& status) {
  if (pg::SqlState(status) == "57014") {
    return MakeError(absl::StatusCode::kDeadlineExceeded, "QUERY_TOO_SLOW",
                     "no index serves this combination of filters fast enough; narrow it");
  }
  return pg::ForCaller(status, "work on dead letters failed");
}

}  // namespace

DeadLetterStore::DeadLetterStore(pg::Config database, std::size_t connections)
    : pool_(WithSettings(std::move(database)), connections) {}

absl::Status DeadLetterStore::Run(const std::function<absl::Status(pg::Connection&)>& work) {
  // `work` may publish, so it is done once, on a connection that answers.
  auto lease = pool_.AcquireAlive(kAcquireTimeout);
  return ForCaller(lease.ok() ? work(**lease) : lease.status());
}

absl::Status DeadLetterStore::List(const DeadLetterQuery& query,
                                   v1::ListDeadLettersResponse& response) {
  return Run(
      [&](pg::Connection& connection) { return ListDeadLetters(connection, query, response); });
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
    if (absl::Status locked = LockDeadLetter(connection, id); !locked.ok()) return locked;
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
    if (absl::Status locked = LockDeadLetter(connection, id); !locked.ok()) return locked;
    const auto dropped = connection.Query(kDrop, pg::Params().Array(IdsOf({id})));
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

absl::StatusOr<DeadLetterWalk> DeadLetterStore::StartWalk(const DeadLetterFilter& filter) {
  absl::StatusOr<DeadLetterWalk> walk;
  const absl::Status status = Run([&](pg::Connection& connection) {
    walk = DeadLetterWalk::Start(connection, filter);
    return walk.status();
  });
  if (!status.ok()) return status;
  return walk;
}

absl::StatusOr<DeadLetterStore::Step> DeadLetterStore::SendBackNext(DeadLetterWalk& walk, int count,
                                                                    const SendAll& send_all) {
  Step step;
  const std::int64_t before = walk.matched();
  const absl::Status status = Run([&](pg::Connection& connection) -> absl::Status {
    auto transaction = pg::Transaction::Begin(connection);
    if (!transaction.ok()) return transaction.status();
    const auto letters = walk.Load(connection, count, /*lock=*/true);
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
  step.matched = walk.matched() - before;
  return step;
}

absl::StatusOr<DeadLetterStore::Step> DeadLetterStore::DropNext(DeadLetterWalk& walk, int count,
                                                                bool dry_run) {
  Step step;
  const std::int64_t before = walk.matched();
  const absl::Status status = Run([&](pg::Connection& connection) -> absl::Status {
    auto transaction = pg::Transaction::Begin(connection);
    if (!transaction.ok()) return transaction.status();
    const auto ids = walk.Next(connection, count);
    if (!ids.ok()) return ids.status();
    if (dry_run || ids->empty()) return absl::OkStatus();
    const auto locked = TryLockDeadLetters(connection, *ids);
    if (!locked.ok()) return locked.status();
    const auto dropped = connection.Query(kDropOpen, pg::Params().Array(IdsOf(*locked)));
    if (!dropped.ok()) return dropped.status();
    step.done = dropped->affected();
    return std::move(*transaction).Commit();
  });
  if (!status.ok()) return status;
  step.matched = walk.matched() - before;
  return step;
}

absl::StatusOr<DeadLetterStore::Step> DeadLetterStore::LookAtNext(
    DeadLetterWalk& walk, int count, const std::function<void(const v1::DeadLetter&)>& look) {
  Step step;
  const std::int64_t before = walk.matched();
  std::vector<v1::DeadLetter> letters;
  const absl::Status status = Run([&](pg::Connection& connection) -> absl::Status {
    auto loaded = walk.Load(connection, count, /*lock=*/false);
    if (loaded.ok()) letters = *std::move(loaded);
    return loaded.status();
  });
  if (!status.ok()) return status;
  for (const v1::DeadLetter& letter : letters) look(letter);
  step.matched = walk.matched() - before;
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
