#include "services/event-store-manager/housekeeper.h"

#include <utility>

#include "base/error.h"
#include "services/event-store-manager/idempotency.h"
#include "telemetry/log.h"

namespace god33::manager {
namespace {

constexpr absl::Duration kEvery = absl::Hours(6);
constexpr absl::Duration kAgainAfter = absl::Minutes(1);
constexpr int kMonthsAhead = 3;

constexpr pg::Statement kEnsure = {"ensure_partitions",
                                   "SELECT ensure_event_partitions($1::integer)"};

absl::Status EnsurePartitions(pg::Connection& connection) {
  const auto made = connection.Query(kEnsure, pg::Params().Int4(kMonthsAhead));
  if (!made.ok()) return made.status();
  if (made->Int4(0, 0) > 0) {
    Log(LogLevel::kInfo, "made partitions ahead", {{"partitions", made->Int4(0, 0)}});
  }
  return absl::OkStatus();
}

absl::Status KeepHouse(const pg::Config& database) {
  auto connection = pg::Connection::Open(database);
  if (!connection.ok()) return connection.status();
  if (absl::Status status = EnsurePartitions(**connection); !status.ok()) return status;
  return IdempotencyKeys::Expire(**connection).status();
}

}  // namespace

Housekeeper::Housekeeper(pg::Config database)
    : database_(std::move(database)), thread_([this] { Run(); }) {}

Housekeeper::~Housekeeper() {
  stop_.Request();
  thread_.join();
}

void Housekeeper::Run() {
  while (!stop_.WaitFor(absl::ZeroDuration())) {
    const absl::Status status = KeepHouse(database_);
    if (!status.ok()) {
      Log(LogLevel::kWarning, "housekeeping failed", {{"error", MessageOf(status)}});
    }
    stop_.WaitFor(status.ok() ? kEvery : kAgainAfter);
  }
}

}  // namespace god33::manager
