#pragma once

#include <grpcpp/server_context.h>

#include <cstddef>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "base/ids.h"
#include "pg/pool.h"

namespace god33::manager {

// The request's name for itself, given by its caller: metadata "idempotency-key" (REST: the header
// Idempotency-Key). Empty if it has none; InvalidArgument if it is not 1 to 255 visible ASCII characters.
absl::StatusOr<std::string> IdempotencyKeyOf(const grpc::ServerContextBase& context);

// InvalidArgument of `field` if a request can't be named like this: 1 to 255 visible ASCII characters.
absl::Status CheckKey(std::string_view field, std::string_view key);

// Requests by their keys. A key is claimed before its request is carried out; events without an id get ids
// that are derived from the claim, so carrying out the same request again, even after a crash in between,
// stores nothing twice and gives the same answer. Claims are kept for kKept. Thread-safe; calls block.
class IdempotencyKeys {
 public:
  static constexpr absl::Duration kKept = absl::Hours(24 * 7);

  explicit IdempotencyKeys(pg::Config database);

  // The claim of the request that has this key, made now or before. FAILED_PRECONDITION
  // (IDEMPOTENCY_KEY_REUSED) if that was another request.
  absl::StatusOr<Uuid> Claim(const std::string& subject, const std::string& key,
                             std::string_view request);

  // Forgets claims that are older than kKept. Returns how many.
  static absl::StatusOr<std::int64_t> Expire(pg::Connection& connection);

 private:
  pg::Pool pool_;
};

// The same ids in the same order for one claim. For one thread.
class ClaimedIds final : public IdSource {
 public:
  explicit ClaimedIds(const Uuid& claim) : claim_(claim) {}
  Uuid New() override;

 private:
  const Uuid claim_;
  std::size_t count_ = 0;
};

}  // namespace god33::manager
