#include "telemetry/log.h"

#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include <memory>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "json/text.h"

namespace god33 {
namespace {

std::shared_ptr<spdlog::logger> g_logger;  // set once by StartLog, before other threads run
std::string* g_service = nullptr;

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
  }
  return spdlog::level::err;
}

std::string_view Name(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return "debug";
    case LogLevel::kInfo:
      return "info";
    case LogLevel::kWarning:
      return "warning";
    case LogLevel::kError:
      return "error";
  }
  return "error";
}

void AppendValue(std::string& line, const LogField& field) {
  if (const auto* text = std::get_if<std::string_view>(&field.value)) {
    json::AppendString(line, *text);
  } else if (const auto* integer = std::get_if<std::int64_t>(&field.value)) {
    StrAppend(&line, *integer);
  } else if (const auto* number = std::get_if<double>(&field.value)) {
    StrAppend(&line, *number);
  } else {
    line.append(std::get<bool>(field.value) ? "true" : "false");
  }
}

}  // namespace

void StartLog(std::string_view service, LogLevel least) {
  static std::string name;
  name = service;
  g_service = &name;
  auto logger = std::make_shared<spdlog::logger>(std::string(service),
                                                 std::make_shared<spdlog::sinks::stderr_sink_mt>());
  logger->set_formatter(
      std::make_unique<spdlog::pattern_formatter>("%v", spdlog::pattern_time_type::utc));
  logger->set_level(ToSpdlog(least));
  logger->flush_on(spdlog::level::info);
  g_logger = std::move(logger);
}

absl::Status ParseLogLevel(std::string_view text, LogLevel& level) {
  for (const LogLevel candidate :
       {LogLevel::kDebug, LogLevel::kInfo, LogLevel::kWarning, LogLevel::kError}) {
    if (text == Name(candidate)) {
      level = candidate;
      return absl::OkStatus();
    }
  }
  return InvalidArgument(StrCat("expected debug, info, warning or error, got \"", text, "\""));
}

bool LogEnabled(LogLevel level) {
  return g_logger && g_logger->should_log(ToSpdlog(level));
}

void Log(LogLevel level, std::string_view message, std::initializer_list<LogField> fields) {
  if (!LogEnabled(level)) return;
  std::string line = StrCat("{\"time\":\"", FormatTimestamp(SystemClock().Now()), "\",\"level\":\"",
                            Name(level), "\",\"service\":");
  json::AppendString(line, *g_service);
  line.append(",\"message\":");
  json::AppendString(line, message);
  for (const LogField& field : fields) {
    line.push_back(',');
    json::AppendString(line, field.key);
    line.push_back(':');
    AppendValue(line, field);
  }
  line.push_back('}');
  g_logger->log(ToSpdlog(level), line);
}

}  // namespace god33
