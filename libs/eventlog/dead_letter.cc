#include "eventlog/dead_letter.h"

#include <string_view>

#include "base/sha256.h"
#include "base/strings.h"
#include "json/text.h"

namespace god33::eventlog {
namespace {

constexpr pg::Statement kInsert = {"insert_dead_letter", R"sql(
  INSERT INTO dead_letters (reason, detail, event_id, event_type, exchange, routing_key, properties,
                            body, digest, attempts)
  SELECT $1::text, $2::text, $3::uuid, $4::text, $5::text, $6::text, $7::json, $8::bytea, $9::bytea,
         $10::integer
  WHERE NOT ($11::boolean AND EXISTS (SELECT FROM dead_letters WHERE digest = $9::bytea)))sql"};

// The oldest, with at most about 16 MiB of bodies, but one at least.
constexpr pg::Statement kFindUncopied = {"find_uncopied_dead_letters", R"sql(
  SELECT dead_letter_id, reason, detail, event_id, coalesce(event_type, ''), exchange, routing_key,
         properties, body, attempts
  FROM (
    SELECT *, sum(octet_length(body)) OVER (ORDER BY dead_letter_id) - octet_length(body) AS before
    FROM (
      SELECT * FROM dead_letters WHERE copied_at IS NULL
      ORDER BY dead_letter_id LIMIT $1::integer) AS oldest) AS sized
  WHERE before < 16777216 ORDER BY dead_letter_id)sql"};

constexpr pg::Statement kMarkCopied = {"mark_dead_letters_copied", R"sql(
  UPDATE dead_letters SET copied_at = clock_timestamp()
  WHERE dead_letter_id = ANY($1::bigint[]))sql"};

Sha256Digest DigestOf(const Origin& origin) {
  return Sha256(StrCat(origin.routing_key.size(), ":", origin.routing_key, origin.properties.size(),
                       ":", origin.properties, origin.body));
}

}  // namespace

absl::Status InsertDeadLetters(pg::Connection& connection, const std::vector<DeadLetter>& letters) {
  for (const DeadLetter& letter : letters) {
    const Sha256Digest digest = DigestOf(letter.origin);
    pg::Params params;
    params.Text(letter.reason).Text(json::CleanText(letter.detail));
    if (letter.event_id) {
      params.Id(*letter.event_id);
    } else {
      params.Null();
    }
    if (letter.event_type.empty()) {
      params.Null();
    } else {
      params.Text(json::CleanText(letter.event_type));
    }
    params.Text(json::CleanText(letter.origin.exchange))
        .Text(json::CleanText(letter.origin.routing_key))
        .Text(letter.origin.properties)
        .Bytes(letter.origin.body)
        .Bytes({reinterpret_cast<const char*>(digest.data()), digest.size()})
        .Int4(letter.attempts)
        .Bool(letter.origin.redelivered);
    const auto inserted = connection.Query(kInsert, params);
    if (!inserted.ok()) return inserted.status();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<Uncopied>> FindUncopied(pg::Connection& connection, int limit) {
  const auto rows = connection.Query(kFindUncopied, pg::Params().Int4(limit));
  if (!rows.ok()) return rows.status();
  std::vector<Uncopied> uncopied;
  for (int i = 0; i < rows->rows(); ++i) {
    Uncopied& entry = uncopied.emplace_back();
    entry.id = rows->Int8(i, 0);
    DeadLetter& letter = entry.letter;
    letter.reason = rows->Bytes(i, 1);
    letter.detail = rows->Bytes(i, 2);
    letter.event_id = rows->OptionalId(i, 3);
    letter.event_type = rows->Bytes(i, 4);
    letter.origin.exchange = rows->Bytes(i, 5);
    letter.origin.routing_key = rows->Bytes(i, 6);
    letter.origin.properties = rows->Bytes(i, 7);
    letter.origin.body = rows->Bytes(i, 8);
    letter.attempts = rows->Int4(i, 9);
  }
  return uncopied;
}

absl::Status MarkCopied(pg::Connection& connection, const std::vector<std::int64_t>& ids) {
  pg::Array array(pg::Type::kInt8);
  for (const std::int64_t id : ids) array.Int8(id);
  return connection.Query(kMarkCopied, pg::Params().Array(std::move(array))).status();
}

}  // namespace god33::eventlog
