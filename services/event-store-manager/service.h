#pragma once

#include "base/clock.h"
#include "base/ids.h"
#include "god33/store/v1/event_store.grpc.pb.h"
#include "services/event-store-manager/log_writer.h"
#include "wire/registry.h"

namespace god33::manager {

// The appending half of EventStoreService.
class AppendService final : public store::v1::EventStoreService::CallbackService {
 public:
  AppendService(LogWriter& writer, const wire::PayloadRegistry& registry, Clock& clock,
                IdSource& ids)
      : writer_(writer), registry_(registry), clock_(clock), ids_(ids) {}

  grpc::ServerUnaryReactor* AppendEvent(grpc::CallbackServerContext* context,
                                        const store::v1::AppendEventRequest* request,
                                        store::v1::AppendEventResponse* response) override;

  grpc::ServerUnaryReactor* AppendEvents(grpc::CallbackServerContext* context,
                                         const store::v1::AppendEventsRequest* request,
                                         store::v1::AppendEventsResponse* response) override;

 private:
  LogWriter& writer_;
  const wire::PayloadRegistry& registry_;
  Clock& clock_;
  IdSource& ids_;
};

}  // namespace god33::manager
