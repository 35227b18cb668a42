#include "base/error.h"
#include "rpc/process.h"
#include "services/event-store-api/app.h"
#include "services/event-store-api/config.h"
#include "telemetry/log.h"

int main(int argc, char** argv) {
  using namespace god33;
  rpc::PrepareProcess();
  const api::Config config = api::ParseConfig(argc, argv);
  LogLevel level = LogLevel::kInfo;
  ParseLogLevel(config.common.log_level, level).IgnoreError();  // the option was checked
  StartLog("event-store-api", level);
  const auto app = api::App::Start(config);
  if (!app.ok()) {
    Log(LogLevel::kError, "can't start", {{"error", MessageOf(app.status())}});
    return 1;
  }
  rpc::WaitForStopSignal();
  return 0;
}
