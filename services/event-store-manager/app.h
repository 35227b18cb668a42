#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "services/event-store-manager/config.h"

namespace god33::manager {

// The running manager. Owns all parts and wires them; nothing else does.
class App {
 public:
  // Serves at once, whatever state database and broker are in: health says what is missing. An
  // error is a configuration that can't work, or an address that is taken.
  static absl::StatusOr<std::unique_ptr<App>> Start(const Config& config);

  // Stops in order: no new work, drain what was taken, give leases up. Takes seconds.
  ~App();

 private:
  struct Parts;
  explicit App(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace god33::manager
