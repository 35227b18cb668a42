#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "services/gateway/config.h"

namespace god33::gateway {

// The running gateway. Owns all parts and wires them; nothing else does.
class App {
 public:
  // Serves at once, whatever state the services are in. An error is a clash of routes, or an
  // address that is taken.
  static absl::StatusOr<std::unique_ptr<App>> Start(const Config& config);

  // Lets requests under way finish for at most config.drain_timeout.
  ~App();

 private:
  struct Parts;
  explicit App(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace god33::gateway
