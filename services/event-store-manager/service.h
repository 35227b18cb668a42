#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/executor.h"
#include "base/ids.h"
#include "god33/store/v1/event_store.grpc.pb.h"
#include "services/event-store-manager/idempotency.h"
#include "services/event-store-manager/log_writer.h"
#include "wire/registry.h"

namespace god33::manager {

// The appending half of EventStoreService. Requests with an idempotency key wait for the database on
// threads of their own; all others go straight to the writer.
class AppendService final : public store::v1::EventStoreService::CallbackService {
 public:
  // `database` is for idempotency keys.
  AppendService(LogWriter& writer, const wire::PayloadRegistry& registry, Clock& clock,
                IdSource& ids, pg::Config database);

  grpc::ServerUnaryReactor* AppendEvent(grpc::CallbackServerContext* context,
                                        const store::v1::AppendEventRequest* request,
                                        store::v1::AppendEventResponse* response) override;

  grpc::ServerUnaryReactor* AppendEvents(grpc::CallbackServerContext* context,
                                         const store::v1::AppendEventsRequest* request,
                                         store::v1::AppendEventsResponse* response) override;

 private:
  // Reads the unit of a request; events without an id get one from `ids`.
  using ReadUnit = std::function<absl::StatusOr<sequence::Unit>(IdSource& ids)>;

  // Carries a request out: reads its unit, and lets `fill` write each event's answer after the commit.
  template <typename Request, typename Fill>
  grpc::ServerUnaryReactor* Append(grpc::CallbackServerContext* context, const Request* request,
                                   const std::string& caller, ReadUnit read, Fill fill);

  absl::StatusOr<sequence::Unit> ReadClaimed(const std::string& caller, const std::string& key,
                                             std::string_view request, const ReadUnit& read);

  LogWriter& writer_;
  const wire::PayloadRegistry& registry_;
  Clock& clock_;
  IdSource& ids_;
  IdempotencyKeys keys_;
  Executor executor_;  // last: its threads use all the others
};

}  // namespace god33::manager
