#include "base/error.h"
#include "rpc/process.h"
#include "services/gateway/app.h"
#include "services/gateway/config.h"
#include "services/gateway/services.h"
#include "telemetry/log.h"

int main(int argc, char** argv) {
  using namespace god33;
  rpc::PrepareProcess();
  const gateway::Config config =
      gateway::ParseConfig(argc, argv, gateway::ServedBy(gateway::Services()));
  LogLevel level = LogLevel::kInfo;
  ParseLogLevel(config.common.log_level, level).IgnoreError();  // the option was checked
  StartLog("gateway", level);
  const auto app = gateway::App::Start(config);
  if (!app.ok()) {
    Log(LogLevel::kError, "can't start", {{"error", MessageOf(app.status())}});
    return 1;
  }
  rpc::WaitForStopSignal();
  return 0;
}
