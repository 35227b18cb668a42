#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <variant>

#include "absl/status/status.h"

namespace god33 {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// A named value of a log line.
struct LogField {
  std::string_view key;
  std::variant<std::string_view, std::int64_t, double, bool> value;

  LogField(std::string_view k, std::string_view v) : key(k), value(v) {}
  LogField(std::string_view k, const char* v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, const std::string& v) : key(k), value(std::string_view(v)) {}
  LogField(std::string_view k, std::int64_t v) : key(k), value(v) {}
  LogField(std::string_view k, int v) : key(k), value(std::int64_t{v}) {}
  LogField(std::string_view k, std::size_t v) : key(k), value(static_cast<std::int64_t>(v)) {}
  LogField(std::string_view k, double v) : key(k), value(v) {}
  LogField(std::string_view k, bool v) : key(k), value(v) {}
};

// Starts logging to stderr, one JSON object a line:
//   {"time":"...Z","level":"info","service":"...","message":"...", <fields>}
// Text from outside is escaped, so no input can forge a line. Before this call nothing is logged.
void StartLog(std::string_view service, LogLevel least);

// "debug", "info", "warning" or "error"; anything else is InvalidArgument.
absl::Status ParseLogLevel(std::string_view text, LogLevel& level);

// Whether a line of this level would be written: spares building its fields. Thread-safe, as is
// Log.
bool LogEnabled(LogLevel level);

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields = {});

}  // namespace god33
