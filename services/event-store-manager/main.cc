#include "base/error.h"
#include "rpc/process.h"
#include "services/event-store-manager/app.h"
#include "services/event-store-manager/config.h"
#include "telemetry/log.h"

int main(int argc, char** argv) {
  using namespace god33;
  rpc::PrepareProcess();
  const manager::Config config = manager::ParseConfig(argc, argv);
  LogLevel level = LogLevel::kInfo;
  ParseLogLevel(config.common.log_level, level).IgnoreError();  // the option was checked
  StartLog("event-store-manager", level);
  const auto app = manager::App::Start(config);
  if (!app.ok()) {
    Log(LogLevel::kError, "can't start", {{"error", MessageOf(app.status())}});
    return 1;
  }
  rpc::WaitForStopSignal();
  return 0;
}
