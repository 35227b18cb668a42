#include "rpc/process.h"

#include <google/protobuf/stubs/logging.h>
#include <grpc/support/log.h>
#include <pthread.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdlib>

#include "absl/synchronization/mutex.h"
#include "base/error.h"

namespace god33::rpc {
namespace {

sigset_t StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

void LogFromGrpc(gpr_log_func_args* args) {
  const LogLevel level =
      args->severity == GPR_LOG_SEVERITY_ERROR ? LogLevel::kWarning : LogLevel::kDebug;
  Log(level, "grpc", {{"detail", args->message}});
}

void LogFromProtobuf(google::protobuf::LogLevel, const char*, int, const std::string& message) {
  Log(LogLevel::kDebug, "protobuf", {{"detail", message}});
}

}  // namespace

void PrepareProcess() {
  gpr_set_log_function(LogFromGrpc);
  google::protobuf::SetLogHandler(LogFromProtobuf);
  std::signal(SIGPIPE, SIG_IGN);
#ifdef NDEBUG
  // The installed Abseil may be built to look for cycles of locks, on every lock of ours and of gRPC's.
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
#endif
  const sigset_t signals = StopSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

void WaitForStopSignal() {
  const sigset_t signals = StopSignals();
  int signal = 0;
  sigwait(&signals, &signal);
  Log(LogLevel::kInfo, "stopping", {{"signal", signal}});
  std::signal(SIGTERM, SIG_DFL);
  std::signal(SIGINT, SIG_DFL);
  pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
}

void AddCommonOptions(CLI::App& app, CommonOptions& options) {
  app.add_option("--listen", options.listen, "Address to serve on; port 0 is any free one")
      ->envname("GOD33_LISTEN")
      ->capture_default_str();
  app.add_option("--http-listen", options.http_listen,
                 "Address of /metrics, /healthz and /livez; port 0 is any free one")
      ->envname("GOD33_HTTP_LISTEN")
      ->capture_default_str();
  app.add_option("--log-level", options.log_level, "debug, info, warning or error")
      ->envname("GOD33_LOG_LEVEL")
      ->capture_default_str()
      ->check([](const std::string& text) {
        LogLevel level;
        const absl::Status status = ParseLogLevel(text, level);
        return status.ok() ? std::string() : std::string(MessageOf(status));
      });
}

void ParseOrExit(CLI::App& app, int argc, char** argv) {
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    std::exit(app.exit(error) == 0 ? 0 : 2);
  }
}

}  // namespace god33::rpc
