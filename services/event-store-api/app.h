#pragma once

#include <memory>

#include "absl/status/statusor.h"
#include "services/event-store-api/config.h"

namespace god33::api {

// The running API. Owns all parts and wires them; nothing else does.
class App {
 public:
  // Serves at once, whatever state the database is in: health says when it is away. An error is an
  // address that is taken.
  static absl::StatusOr<std::unique_ptr<App>> Start(const Config& config);

  // Ends the streams, answers what was asked, then stops. Takes seconds.
  ~App();

 private:
  struct Parts;
  explicit App(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace god33::api
