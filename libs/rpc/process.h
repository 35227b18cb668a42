#pragma once

#include <string>

#include "base/error.h"
#include "telemetry/log.h"

namespace CLI {
class App;
}

namespace god33::rpc {

// To be called first in main, before any thread is started: SIGTERM and SIGINT wait for
// WaitForStopSignal, a client that has gone does not kill the process (SIGPIPE), what gRPC and
// protobuf have to say goes to our log, and release builds don't look for cycles of locks.
void PrepareProcess();

// Waits for SIGTERM or SIGINT. A second one later ends the process at once.
void WaitForStopSignal();

// The options that all services have.
struct CommonOptions {
  std::string listen;
  std::string http_listen = "127.0.0.1:0";
  std::string log_level = "info";
};

// Adds --listen (GOD33_LISTEN), --http-listen (GOD33_HTTP_LISTEN) and --log-level
// (GOD33_LOG_LEVEL). `options` holds the defaults and receives the values.
void AddCommonOptions(CLI::App& app, CommonOptions& options);

// Reads the command line. Ends the process after --help (exit code 0) or on a mistake (2).
void ParseOrExit(CLI::App& app, int argc, char** argv);

// The whole of a service's main: logs under `name`, starts App::Start(config), and waits for the signal
// to stop. Returns the process's exit code.
template <typename App, typename Config>
int RunService(const char* name, const Config& config) {
  LogLevel level = LogLevel::kInfo;
  ParseLogLevel(config.common.log_level, level).IgnoreError();  // the option was checked
  StartLog(name, level);
  const auto app = App::Start(config);
  if (!app.ok()) {
    Log(LogLevel::kError, "can't start", {{"error", MessageOf(app.status())}});
    return 1;
  }
  WaitForStopSignal();
  return 0;
}

}  // namespace god33::rpc
