#include "rpc/blocking_call.h"

#include <utility>

#include "base/error.h"
#include "rpc/principal.h"
#include "rpc/status.h"

namespace god33::rpc {
namespace {

// Until projects are enforced, a principal who is limited to some must not see all.
absl::StatusOr<auth::Principal> CallerOf(const grpc::CallbackServerContext& context) {
  auto principal = PrincipalOf(context);
  if (principal.ok() && !principal->all_projects) {
    return absl::PermissionDeniedError("this version can't limit a caller to projects");
  }
  return principal;
}

}  // namespace

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
