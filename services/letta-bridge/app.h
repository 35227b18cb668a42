#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "services/letta-bridge/config.h"

namespace god33::letta {

// The running bridge: the only place where its parts are put together.
class App {
 public:
  static absl::StatusOr<std::unique_ptr<App>> Start(const Config& config);
  ~App();

 private:
  struct Parts;
  explicit App(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace god33::letta
