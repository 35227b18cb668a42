#include "tools/god33/api_client.h"

#include <grpc/support/time.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/grpcpp.h>

#include "base/error.h"
#include "base/strings.h"
#include "rpc/status.h"
#include "tools/god33/environment.h"
#include "tools/god33/report.h"

namespace god33::cli {
namespace {

constexpr int kConnectTimeoutMs = 5000;
std::string HintOf(const Server& server) {
  return StrCat("is ", server.name, " running there? ", server.where,
                " says where it is; `./dev up` starts everything");
}

}  // namespace

std::string_view LastCause(std::string_view message) {
  const std::size_t colon = message.rfind(": ");
  return colon == std::string_view::npos ? message : message.substr(colon + 2);
}

std::shared_ptr<grpc::Channel> OpenChannel(const std::string& address) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  // Also how long one try to connect may take.
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  // Who follows a stream wants to be back soon after a restart.
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  // A server that has vanished without a word is noticed, also by a stream that waits.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  // The environment's proxies are for the way out.
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  return grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
}

void SetTimeout(grpc::ClientContext& context, absl::Duration timeout) {
  context.set_deadline(gpr_time_from_millis(absl::ToInt64Milliseconds(timeout), GPR_TIMESPAN));
}

Server EventStoreApi(const std::string& address) {
  return {.name = "event-store-api",
          .address = address,
          .where = "GOD33_EVENT_STORE_API_ADDR or --api"};
}

Server EventStoreManager() {
  constexpr char kVariable[] = "GOD33_EVENT_STORE_MANAGER_ADDR";
  return {.name = "event-store-manager",
          .address = Variable(kVariable, "127.0.0.1:50051"),
          .where = kVariable};
}

Server LettaBridge() {
  constexpr char kVariable[] = "GOD33_LETTA_BRIDGE_ADDR";
  return {.name = "letta-bridge",
          .address = Variable(kVariable, "127.0.0.1:50055"),
          .where = kVariable};
}

absl::Status ErrorOf(const grpc::Status& status, const Server& server, absl::Duration timeout) {
  if (status.ok()) return absl::OkStatus();
  // The project's services always send details; gRPC itself never does.
  if (!status.error_details().empty()) return rpc::FromGrpc(status);
  const std::string at = StrCat(server.name, " at ", server.address);
  switch (status.error_code()) {
    case grpc::StatusCode::UNAVAILABLE:
      return WithHint(
          MakeError(absl::StatusCode::kUnavailable, "SERVICE_UNAVAILABLE",
                    StrCat(at, " can't be reached: ", LastCause(status.error_message()))),
          HintOf(server));
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return WithHint(absl::DeadlineExceededError(
                          StrCat(at, " did not answer within ", absl::FormatDuration(timeout))),
                      StrCat(HintOf(server), "; --timeout waits longer"));
    default:
      return Prefixed(rpc::FromGrpc(status), StrCat(at, ": "));
  }
}

bool GoesOnAfter(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
    case absl::StatusCode::kInternal:
    case absl::StatusCode::kUnknown:
      return true;
    default:
      return false;
  }
}

}  // namespace god33::cli
