#include "rpc/blocking_call.h"

#include <utility>

#include "base/error.h"
#include "rpc/principal.h"
#include "rpc/status.h"

namespace god33::rpc {
grpc::ServerUnaryReactor* RunBlocking(grpc::CallbackServerContext* context, Executor& executor,
                                      BlockingWork work) {
  grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
  auto caller = CallerOf(*context);
  if (!caller.ok()) {
    reactor->Finish(ToGrpc(caller.status()));
    return reactor;
  }
  const bool accepted =
      executor.TrySubmit([context, reactor, caller = *std::move(caller), work = std::move(work)] {
        // Whoever has gone needs no answer.
        reactor->Finish(ToGrpc(context->IsCancelled() ? absl::CancelledError("the caller has gone")
                                                      : work(caller)));
      });
  if (!accepted) {
    reactor->Finish(ToGrpc(MakeError(absl::StatusCode::kResourceExhausted, "BUSY",
                                     "too many calls wait; try again later")));
  }
  return reactor;
}

}  // namespace god33::rpc
