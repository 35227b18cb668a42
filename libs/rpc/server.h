#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "rpc/health.h"

namespace grpc {
class Server;
class Service;
}  // namespace grpc

namespace god33::rpc {

// A gRPC server with health checking and reflection.
class Server {
 public:
  struct Options {
    std::string listen;                // host:port; port 0: any free one
    int max_receive_bytes = 17 << 20;  // one event of 16 MiB and its envelope
    int max_send_bytes = 64 << 20;
    std::size_t max_memory_bytes = 512 << 20;  // of all requests together; more: they wait
    bool reflection = true;
  };

  // Binds and serves `services`, which must outlive it. UNAVAILABLE when the address is taken.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const Options& options,
                                                       const std::vector<grpc::Service*>& services,
                                                       Health& health);
  ~Server();

  // The address bound to, with the real port.
  const std::string& address() const { return address_; }

  // Refuses new calls, waits for those under way for at most `drain`, then cancels them.
  // Idempotent.
  void Stop(absl::Duration drain);

 private:
  Server(std::unique_ptr<grpc::Server> server, std::string address, Health& health);

  std::unique_ptr<grpc::Server> server_;
  std::string address_;
  Health& health_;
};

}  // namespace god33::rpc
