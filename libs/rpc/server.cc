#include "rpc/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>

#include <chrono>
#include <utility>

#include "base/strings.h"

namespace god33::rpc {

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const Options& options,
                                                      const std::vector<grpc::Service*>& services,
                                                      Health& health) {
  grpc::EnableDefaultHealthCheckService(true);
  // Registers itself with every builder of the process.
  if (options.reflection) grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  int port = 0;
  // Two processes on one port would share its connections by chance.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddListeningPort(options.listen, grpc::InsecureServerCredentials(), &port);
  builder.SetMaxReceiveMessageSize(options.max_receive_bytes);
  builder.SetMaxSendMessageSize(options.max_send_bytes);
  grpc::ResourceQuota quota("server");
  builder.SetResourceQuota(quota.Resize(options.max_memory_bytes));
  // A client that vanished without a word is noticed; one that pings too eagerly is not punished.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIME_MS, 30'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10'000);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  for (grpc::Service* service : services) builder.RegisterService(service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (server == nullptr || port == 0) {
    return absl::UnavailableError(StrCat("can't listen on ", options.listen));
  }
  health.Attach(server->GetHealthCheckService());
  const std::string host = options.listen.substr(0, options.listen.rfind(':'));
  return std::unique_ptr<Server>(new Server(std::move(server), StrCat(host, ":", port), health));
}

Server::Server(std::unique_ptr<grpc::Server> server, std::string address, Health& health)
    : server_(std::move(server)), address_(std::move(address)), health_(health) {}

Server::~Server() {
  Stop(absl::ZeroDuration());
}

void Server::Stop(absl::Duration drain) {
  health_.Attach(nullptr);
  server_->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(drain));
  server_->Wait();
}

}  // namespace god33::rpc
