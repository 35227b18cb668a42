#include "services/event-store-manager/replay_service.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "pg/error.h"
#include "rpc/blocking_call.h"
#include "services/event-store-manager/replay_request.h"

namespace god33::manager {
namespace {

constexpr std::size_t kThreads = 2;
constexpr std::size_t kMostWaiting = 100;
constexpr absl::Duration kWait = absl::Seconds(2);

// How long counting may take before a lower bound will do.
constexpr absl::Duration kCountPatience = absl::Seconds(3);

constexpr int kDefaultLimit = 100;
constexpr int kMostLimit = 1000;

absl::StatusOr<Uuid> ReadReplayId(const std::string& text) {
  if (const auto id = Uuid::Parse(text)) return *id;
  return InvalidField("replay_id", StrCat("expected a UUID, got \"", Clip(text, 80), "\""));
}

absl::Status Find(ReplayStore& store, const Uuid& id, store::v1::Replay& replay) {
  const auto job = store.Find(id);
  if (!job.ok()) return job.status();
  if (!*job) {
    return MakeError(absl::StatusCode::kNotFound, "REPLAY_NOT_FOUND",
                     StrCat("there is no replay ", id.ToString()), "replay_id");
  }
  ToProto(**job, replay);
  return absl::OkStatus();
}

bool IsState(const std::string& text) {
  return text.empty() || text == "running" || text == "completed" || text == "cancelled" ||
         text == "failed";
}

}  // namespace

ReplayService::ReplayService(const Options& options, IdSource& ids)
    : live_exchange_(options.live_exchange),
      enabled_(options.enabled),
      ids_(ids),
      pool_(options.database, kThreads),
      executor_(kThreads, kMostWaiting) {}

grpc::ServerUnaryReactor* ReplayService::Run(grpc::CallbackServerContext* context, Work work) {
  return rpc::RunBlocking(
      context, executor_,
      [this, work = std::move(work)](const auth::Principal& caller) -> absl::Status {
        if (!enabled_) {
          return MakeError(absl::StatusCode::kPermissionDenied, "REPLAY_DISABLED",
                           "replays are switched off here (ENABLE_EVENT_REPLAY)");
        }
        auto connection = pool_.AcquireAlive(kWait);
        absl::Status status = connection.status();
        if (status.ok()) {
          ReplayStore store(**connection);
          status = work(store, caller.subject);
        }
        return pg::ForCaller(status, "a replay request failed");
      });
}

absl::Status ReplayService::Start(ReplayStore& store, const std::string& caller,
                                  const store::v1::StartReplayRequest& request,
                                  store::v1::Replay& replay) {
  const auto log = store.Range();
  if (!log.ok()) return log.status();
  auto order = ReadOrder(request, *log, live_exchange_);
  if (!order.ok()) return order.status();
  const auto total = store.Count(*order, kCountPatience);
  if (!total.ok()) return total.status();
  ReplayJob job{.id = ids_.New(),
                .state = "running",
                .order = *std::move(order),
                .total = total->events,
                .total_exact = total->exact};
  job.position = job.order.from - 1;
  if (request.dry_run()) {
    job.created_at = absl::Time();
    ToProto(job, replay);
    replay.set_state("");
    return absl::OkStatus();
  }
  if (absl::Status status = store.Insert(job, caller); !status.ok()) return status;
  return Find(store, job.id, replay);
}

grpc::ServerUnaryReactor* ReplayService::StartReplay(grpc::CallbackServerContext* context,
                                                     const store::v1::StartReplayRequest* request,
                                                     store::v1::StartReplayResponse* response) {
  return Run(context, [this, request, response](ReplayStore& store, const std::string& caller) {
    return Start(store, caller, *request, *response->mutable_replay());
  });
}

grpc::ServerUnaryReactor* ReplayService::GetReplay(grpc::CallbackServerContext* context,
                                                   const store::v1::GetReplayRequest* request,
                                                   store::v1::GetReplayResponse* response) {
  return Run(context, [request, response](ReplayStore& store, const std::string&) -> absl::Status {
    const auto id = ReadReplayId(request->replay_id());
    if (!id.ok()) return id.status();
    return Find(store, *id, *response->mutable_replay());
  });
}

grpc::ServerUnaryReactor* ReplayService::ListReplays(grpc::CallbackServerContext* context,
                                                     const store::v1::ListReplaysRequest* request,
                                                     store::v1::ListReplaysResponse* response) {
  return Run(context, [request, response](ReplayStore& store, const std::string&) -> absl::Status {
    if (!IsState(request->state())) {
      return InvalidField("state", "expected running, completed, cancelled, failed or nothing");
    }
    const int limit = request->has_limit() ? request->limit() : kDefaultLimit;
    if (limit < 1 || limit > kMostLimit) {
      return InvalidField("limit", StrCat("expected 1 to ", kMostLimit, ", got ", limit));
    }
    const auto jobs = store.List(request->state(), limit);
    if (!jobs.ok()) return jobs.status();
    for (const ReplayJob& job : *jobs) ToProto(job, *response->add_replays());
    return absl::OkStatus();
  });
}

grpc::ServerUnaryReactor* ReplayService::CancelReplay(grpc::CallbackServerContext* context,
                                                      const store::v1::CancelReplayRequest* request,
                                                      store::v1::CancelReplayResponse* response) {
  return Run(context, [request, response](ReplayStore& store, const std::string&) -> absl::Status {
    const auto id = ReadReplayId(request->replay_id());
    if (!id.ok()) return id.status();
    if (absl::Status status = store.Cancel(*id); !status.ok()) return status;
    return Find(store, *id, *response->mutable_replay());
  });
}

}  // namespace god33::manager
