#include "services/event-store-manager/idempotency.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "pg/error.h"

namespace god33::manager {
namespace {

constexpr std::size_t kMostKeyBytes = 255;
constexpr std::size_t kConnections = 2;
constexpr absl::Duration kWait = absl::Seconds(2);

// Without a row: another session made it after this statement began, and the next one sees it.
constexpr pg::Statement kClaim = {"claim_key", R"sql(
  WITH made AS (
    INSERT INTO idempotency_keys (subject, key, digest) VALUES ($1::text, $2::text, $3::uuid)
    ON CONFLICT DO NOTHING RETURNING claim, digest)
  SELECT claim, digest FROM made
  UNION ALL
  SELECT claim, digest FROM idempotency_keys WHERE subject = $1::text AND key = $2::text
  LIMIT 1)sql"};
constexpr int kTries = 3;

constexpr pg::Statement kExpire = {"expire_keys", R"sql(
  WITH gone AS (DELETE FROM idempotency_keys WHERE claimed_at < now() - make_interval(secs => $1::bigint)
                RETURNING 1)
  SELECT count(*) FROM gone)sql"};

constexpr char kFailed[] = "a key could not be claimed";

Uuid DigestOf(std::string_view request) {
  const Sha256Digest digest = Sha256(request);
  Uuid id;
  std::copy_n(digest.begin(), id.bytes.size(), id.bytes.begin());
  return id;
}

}  // namespace

absl::StatusOr<std::string> IdempotencyKeyOf(const grpc::ServerContextBase& context) {
  const auto found = context.client_metadata().find("idempotency-key");
  if (found == context.client_metadata().end()) return std::string();
  std::string key(found->second.data(), found->second.size());
  if (absl::Status status = CheckKey("idempotency-key", key); !status.ok()) return status;
  return key;
}

absl::Status CheckKey(std::string_view field, std::string_view key) {
  const bool visible =
      std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; });
  if (!key.empty() && key.size() <= kMostKeyBytes && visible) return absl::OkStatus();
  return InvalidField(field, StrCat("expected 1 to ", kMostKeyBytes, " visible ASCII characters"));
}

IdempotencyKeys::IdempotencyKeys(pg::Config database) : pool_(std::move(database), kConnections) {}

absl::StatusOr<Uuid> IdempotencyKeys::Claim(const std::string& subject, const std::string& key,
                                            std::string_view request) {
  auto connection = pool_.AcquireAlive(kWait);
  if (!connection.ok()) return pg::ForCaller(connection.status(), kFailed);
  const Uuid digest = DigestOf(request);
  for (int i = 0; i < kTries; ++i) {
    const auto claims =
        (*connection)->Query(kClaim, pg::Params().Text(subject).Text(key).Id(digest));
    if (!claims.ok()) return pg::ForCaller(claims.status(), kFailed);
    if (claims->rows() == 0) continue;
    if (claims->Id(0, 1) == digest) return claims->Id(0, 0);
    return MakeError(absl::StatusCode::kFailedPrecondition, "IDEMPOTENCY_KEY_REUSED",
                     "this key was used for another request; take a new key", "idempotency-key");
  }
  return MakeError(absl::StatusCode::kUnavailable, "IDEMPOTENCY_KEY_BUSY",
                   "the same request is being claimed; retry");
}

absl::StatusOr<std::int64_t> IdempotencyKeys::Expire(pg::Connection& connection) {
  const auto gone = connection.Query(kExpire, pg::Params().Int8(absl::ToInt64Seconds(kKept)));
  if (!gone.ok()) return gone.status();
  return gone->Int8(0, 0);
}

Uuid ClaimedIds::New() {
  return Uuid::NameBased(claim_, StrCat(count_++));
}

}  // namespace god33::manager
