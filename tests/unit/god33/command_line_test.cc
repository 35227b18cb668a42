#include "tools/god33/command_line.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <string>
#include <vector>

#include "json/value.h"

namespace god33::cli {
namespace {

constexpr char kNobody[] = "127.0.0.1:1";  // a port at which nothing listens
constexpr char kId[] = "0199a000-0000-7000-8000-000000000001";

struct Result {
  int code;
  std::string out;
  std::string err;
};

// Runs the tool without anything in the environment.
Result RunTool(std::vector<const char*> arguments) {
  for (const char* name :
       {"GOD33_OUTPUT", "GOD33_EVENT_STORE_API_ADDR", "GOD33_EXCHANGE", "RABBITMQ_URL"}) {
    unsetenv(name);
  }
  arguments.insert(arguments.begin(), "god33");
  Result result;
  const auto keep = [](std::string& text) {
    return [&text](std::string_view more) {
      text += more;
      return absl::OkStatus();
    };
  };
  result.code = Run(static_cast<int>(arguments.size()), arguments.data(),
                    {.out = keep(result.out), .err = keep(result.err)});
  return result;
}

bool Has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST_CASE("help is data, with examples and exit codes, for every command") {
  const std::vector<std::vector<const char*>> commands{{},
                                                       {"event"},
                                                       {"event", "publish"},
                                                       {"event", "get"},
                                                       {"event", "list"},
                                                       {"event", "descendants"},
                                                       {"event", "ancestors"},
                                                       {"event", "stream"},
                                                       {"event", "replay"},
                                                       {"event", "replay", "list"},
                                                       {"event", "replay", "get"},
                                                       {"event", "replay", "wait"},
                                                       {"event", "replay", "cancel"},
                                                       {"event", "schema"},
                                                       {"event", "types"},
                                                       {"workflow"},
                                                       {"workflow", "list"},
                                                       {"workflow", "get"},
                                                       {"workflow", "timeline"},
                                                       {"agent"},
                                                       {"agent", "list"},
                                                       {"agent", "get"},
                                                       {"agent", "checkpoints"},
                                                       {"agent", "events"},
                                                       {"agent", "create"},
                                                       {"agent", "assign"},
                                                       {"agent", "pool"},
                                                       {"task"},
                                                       {"task", "list"},
                                                       {"task", "get"},
                                                       {"session"},
                                                       {"session", "list"},
                                                       {"session", "get"},
                                                       {"session", "pause"},
                                                       {"session", "resume"},
                                                       {"session", "cancel"},
                                                       {"session", "checkpoint"},
                                                       {"feedback"},
                                                       {"feedback", "list"},
                                                       {"feedback", "get"},
                                                       {"feedback", "answer"},
                                                       {"feedback", "withdraw"},
                                                       {"checkpoint"},
                                                       {"checkpoint", "list"},
                                                       {"checkpoint", "get"},
                                                       {"checkpoint", "retention"},
                                                       {"dlq"},
                                                       {"dlq", "list"},
                                                       {"dlq", "show"},
                                                       {"dlq", "send-back"},
                                                       {"dlq", "drop"},
                                                       {"projection"},
                                                       {"projection", "status"},
                                                       {"projection", "rebuild"},
                                                       {"projection", "verify"},
                                                       {"projection", "jobs"},
                                                       {"projection", "get"},
                                                       {"projection", "cancel"},
                                                       {"retention"},
                                                       {"retention", "plan"},
                                                       {"status"},
                                                       {"chaos"},
                                                       {"chaos", "run"},
                                                       {"chaos", "faults"},
                                                       {"completion"}};
  for (std::vector<const char*> command : commands) {
    for (const char* flag : {"--help", "-h"}) {
      std::vector<const char*> arguments = command;
      arguments.push_back(flag);
      const Result result = RunTool(arguments);
      CAPTURE(result.out);
      CHECK(result.code == 0);
      CHECK(result.err.empty());
      CHECK(Has(result.out, "Usage: god33"));
      CHECK(Has(result.out, "xample"));
      CHECK(Has(result.out, "xit codes"));
    }
  }
}

TEST_CASE("the version is data") {
  const Result result = RunTool({"--version"});
  CHECK(result.code == 0);
  CHECK(result.out.find("god33 ") == 0);
}

TEST_CASE("bad arguments end with 2, one line that names them, and nothing on stdout") {
  const std::vector<std::pair<std::vector<const char*>, std::string>> cases{
      {{}, "subcommand is required"},
      {{"bogus"}, "\"bogus\""},
      {{"event"}, "subcommand is required"},
      {{"event", "list", "--bogus"}, "\"--bogus\""},
      {{"event", "list", "--limit", "0"}, "--limit"},
      {{"event", "list", "--limit", "1001"}, "--limit"},
      {{"event", "list", "--workflow", "x"}, "--workflow: expected a UUID"},
      {{"event", "list", "--workflow", ""}, "--workflow: expected a UUID"},
      {{"event", "list", "--agent", ""}, "--agent: expected text"},
      {{"event", "list", "--agent", "\xFF"}, "--agent: expected text in UTF-8"},
      {{"event", "list", "--page-token", "\xFF"}, "--page-token: expected text in UTF-8"},
      {{"event", "list", "--type", "a.b*"}, "--type"},
      {{"event", "list", "--since", "soon"}, "--since: expected"},
      {{"event", "list", "--order", "up"}, "--order"},
      {{"event", "get", "x"}, "ID: expected a UUID"},
      {{"event", "get"}, "ID is required"},
      {{"event", "publish", "a.b"}, "--json is required"},
      {{"event", "publish", "a..b", "--json", "{}"}, "TYPE: expected"},
      {{"event", "publish", "a.b", "--json", "[]"}, "--json: expected a JSON object"},
      {{"event", "publish", "a.b", "--json", "{}", "--exchange", ""}, "--exchange"},
      {{"event", "publish", "a.b", "--json", "{}"}, "RABBITMQ_URL is not set"},
      {{"event", "list", "--interval", "1s"}, "--interval requires --watch"},
      {{"event", "list", "--watch", "--interval", "10ms"}, "--interval: expected a span of time"},
      {{"event", "list", "--watch", "--interval", "2h"}, "--interval: expected a span of time"},
      {{"chaos", "run", "--seed", "-1"}, "--seed"},
      {{"chaos", "run", "--seed", "1.5"}, "--seed"},
      {{"chaos", "run", "--seed", "9007199254740992"}, "--seed"},
      {{"chaos", "run", "--minutes", "0"}, "--minutes: expected a number of minutes"},
      {{"chaos", "run", "--minutes", "nan"}, "--minutes: expected a number of minutes"},
      {{"chaos", "run", "--minutes", "soon"}, "--minutes: expected a number of minutes"},
      {{"chaos", "run", "--faults", ""}, "--faults: expected text"},
      {{"event", "replay"}, "expected a filter"},
      {{"event", "replay", "--workflow", "x"}, "--workflow: expected a UUID"},
      {{"event", "replay", "--type", "a..b"}, "--type"},
      {{"event", "replay", "--since", "soon"}, "--since: expected"},
      {{"event", "replay", "--from-position", "0"}, "--from-position"},
      {{"event", "replay", "--from-position", "1", "--rate", "0"}, "--rate"},
      {{"event", "replay", "--from-position", "1", "--live", "--exchange", "x"}, "excludes"},
      {{"event", "replay", "--from-position", "1", "--dry-run", "--detach"}, "excludes"},
      {{"event", "replay", "--rate", "5", "list"}, "--rate: belongs to the start of a replay"},
      {{"event", "replay", "get", kId, "--rate", "5"}, "--rate: belongs to the start of a replay"},
      {{"event", "replay", "cancel"}, "ID is required"},
      {{"event", "replay", "wait", "x"}, "expected a UUID"},
      {{"event", "schema", "--example"}, "--example needs a TYPE"},
      {{"workflow", "list", "--completed", "--running"}, "excludes"},
      {{"workflow", "get", kId, "--at-position", "0"}, "--at-position"},
      {{"workflow", "get", kId, "--at-position", "1", "--at-time", "1h"}, "excludes"},
      {{"workflow", "get", kId, "--at-time", "soon"}, "--at-time"},
      {{"workflow", "timeline", "x"}, "expected a UUID"},
      {{"workflow", "timeline", kId, "--order", "up"}, "--order"},
      {{"agent", "list", "--status", "done"}, "--status"},
      {{"agent", "list", "--workflow", "x"}, "--workflow: expected a UUID"},
      {{"agent", "get"}, "ID"},
      {{"agent", "create"}, "KIND is required"},
      {{"agent", "create", "python-dev", "--context", "[]"}, "--context"},
      {{"agent", "assign", "letta-python-dev"}, "--task is required"},
      {{"agent", "assign", "letta-python-dev", "--task", "x", "--priority", "soon"}, "--priority"},
      {{"task", "get", "x"}, "expected a UUID"},
      {{"task", "list", "--status", "gone"}, "--status"},
      {{"session", "pause"}, "ID is required"},
      {{"session", "cancel", "x"}, "expected a UUID"},
      {{"feedback", "answer", kId}, "expected either DECISION or --choose"},
      {{"feedback", "answer", kId, "yes", "--choose", "1"}, "excludes"},
      {{"feedback", "answer", kId, "--choose", "0"}, "--choose"},
      {{"checkpoint", "list"}, "--task"},
      {{"checkpoint", "retention", "--kept", "0"}, "--kept"},
      {{"dlq", "list", "--state", "gone"}, "--state"},
      {{"dlq", "list", "--reason", ""}, "--reason: expected text"},
      {{"dlq", "list", "--type", "a.b*"}, "--type"},
      {{"dlq", "list", "--since", "soon"}, "--since: expected"},
      {{"dlq", "show"}, "ID is required"},
      {{"projection"}, "subcommand"},
      {{"projection", "get"}, "JOB is required"},
      {{"projection", "get", "x"}, "expected a UUID"},
      {{"projection", "verify", "--workflow", ""}, "expected a UUID"},
      {{"projection", "jobs", "--state", "gone"}, "--state"},
      {{"projection", "jobs", "--limit", "0"}, "--limit"},
      {{"retention"}, "subcommand"},
      {{"retention", "plan", "--months", "0"}, "--months"},
      {{"dlq", "show", "0"}, "ID"},
      {{"dlq", "show", "x"}, "ID"},
      {{"dlq", "send-back"}, "expected ID, or --all-matching"},
      {{"dlq", "send-back", "--reason", "unreadable"}, "expected ID, or --all-matching"},
      {{"dlq", "send-back", "1", "--all-matching"}, "not both"},
      {{"dlq", "send-back", "1", "--rate", "5"}, "belong to --all-matching"},
      {{"dlq", "send-back", "1", "--reason", "x"}, "belong to --all-matching"},
      {{"dlq", "send-back", "--all-matching", "--again"}, "belong to one ID"},
      {{"dlq", "send-back", "--all-matching", "--edit", "{}"}, "belong to one ID"},
      {{"dlq", "send-back", "--all-matching", "--rate", "10001"}, "--rate"},
      {{"dlq", "send-back", "1", "--edit", "@/nowhere/body.json"}, "--edit"},
      {{"dlq", "drop"}, "expected ID, or --all-matching"},
      {{"dlq", "drop", "--all-matching", "--limit", "0"}, "--limit"},
      {{"-o", "xml", "status"}, "--output"},
      {{"--timeout", "0", "status"}, "--timeout"},
      {{"completion", "fish"}, "SHELL"},
  };
  for (const auto& [arguments, named] : cases) {
    const Result result = RunTool(arguments);
    CAPTURE(result.err, named);
    CHECK(result.code == 2);
    CHECK(result.out.empty());
    CHECK(result.err.find("god33: ") == 0);
    CHECK(Has(result.err, named));
  }
}

TEST_CASE("a manager that is not there ends with 5 and says where it was looked for") {
  for (std::vector<const char*> command : {std::vector<const char*>{"dlq", "list"},
                                           {"dlq", "show", "1"},
                                           {"dlq", "send-back", "1"},
                                           {"dlq", "send-back", "--all-matching", "--yes"},
                                           {"dlq", "drop", "1"},
                                           {"dlq", "drop", "--all-matching"},
                                           {"dlq", "list", "--watch"},
                                           {"event", "replay", "--from-position", "1"},
                                           {"event", "replay", "--from-position", "1", "--live"},
                                           {"event", "replay", "list"},
                                           {"event", "replay", "get", kId},
                                           {"event", "replay", "wait", kId},
                                           {"event", "replay", "cancel", kId}}) {
    setenv("GOD33_EVENT_STORE_MANAGER_ADDR", kNobody, 1);
    const Result result = RunTool(command);
    unsetenv("GOD33_EVENT_STORE_MANAGER_ADDR");
    CAPTURE(result.err);
    CHECK(result.code == 5);
    CHECK(Has(result.err, "event-store-manager at 127.0.0.1:1 can't be reached"));
    CHECK(Has(result.err, "GOD33_EVENT_STORE_MANAGER_ADDR"));
  }
}

TEST_CASE("a service that is not there ends with 5 and says where it was looked for") {
  for (std::vector<const char*> command : {std::vector<const char*>{"event", "list"},
                                           {"event", "get", kId},
                                           {"event", "types"},
                                           {"workflow", "list"},
                                           {"workflow", "get", kId},
                                           {"workflow", "timeline", kId},
                                           {"agent", "list"},
                                           {"agent", "get", "x"},
                                           {"agent", "checkpoints", "x"},
                                           {"agent", "events", "x"},
                                           {"workflow", "list", "--watch"}}) {
    command.insert(command.end(), {"--api", kNobody});
    const Result result = RunTool(command);
    CAPTURE(result.err);
    CHECK(result.code == 5);
    CHECK(result.out.empty());
    CHECK(Has(result.err, kNobody));
    CHECK(Has(result.err, "(SERVICE_UNAVAILABLE)"));
    CHECK(Has(result.err, "GOD33_EVENT_STORE_API_ADDR"));
  }
}

TEST_CASE("schemas need no service") {
  const Result types = RunTool({"event", "schema", "--api", kNobody});
  CHECK(types.code == 0);
  CHECK(Has(types.out, "bmad.workflow.started"));
  CHECK(Has(types.err, "Only the registered types"));
  const Result type = RunTool({"event", "schema", "bmad.workflow.started"});
  CHECK(type.code == 0);
  CHECK(Has(type.out, "project_name  string  yes"));
  CHECK(type.err.empty());
}

TEST_CASE("an event type without a schema ends with 3 and names near ones") {
  const Result result = RunTool({"event", "schema", "bmad.workflow.start"});
  CHECK(result.code == 3);
  CHECK(result.out.empty());
  CHECK(Has(result.err, "(SCHEMA_NOT_FOUND)"));
  CHECK(Has(result.err, "near ones: bmad.workflow.started;"));
}

TEST_CASE("a broker that is not there ends with 5 and never shows its password") {
  RunTool({"--version"});  // empties the environment
  setenv("RABBITMQ_URL", "amqp://user:topsecret@127.0.0.1:1/", 1);
  Result result;
  const char* arguments[] = {"god33", "event", "publish", "a.b", "--json", "{}"};
  const auto keep = [&result](std::string_view more) {
    result.err += more;
    return absl::OkStatus();
  };
  result.code = Run(6, arguments, {.out = keep, .err = keep});
  unsetenv("RABBITMQ_URL");
  CHECK(result.code == 5);
  CHECK(Has(result.err, "127.0.0.1:1"));
  CHECK_FALSE(Has(result.err, "topsecret"));
}

TEST_CASE("status prints what it found and ends with 5 if something is missing") {
  setenv("GOD33_EVENT_STORE_MANAGER_ADDR", kNobody, 1);
  const Result result = RunTool({"status", "--api", kNobody, "-o", "json"});
  unsetenv("GOD33_EVENT_STORE_MANAGER_ADDR");
  CHECK(result.code == 5);
  const auto json = json::Value::Parse(result.out);
  REQUIRE(json.ok());
  CHECK(json->Find("status")->ToString() == "unavailable");
  CHECK(json->Find("broker")->Find("status")->ToString() == "not_configured");
  CHECK(Has(result.err, "event-store-manager, event-store-api (NOT_SERVING)"));
}

TEST_CASE("a dry run prints the event and needs neither broker nor services") {
  const Result result = RunTool({"event", "publish", "a.b", "--json", R"({"n":1e400})",
                                 "--event-id", kId, "--dry-run", "-o", "jsonl"});
  CHECK(result.code == 0);
  const auto json = json::Value::Parse(result.out);
  REQUIRE(json.ok());
  CHECK(json->Find("event_id")->ToString() == kId);
  CHECK(json->Find("payload")->text() == R"({"n":1e400})");
}

TEST_CASE("an event type may be the name of a command") {
  const Result result = RunTool({"event", "publish", "status", "--json", "{}", "--dry-run"});
  CHECK(result.code == 0);
  CHECK(Has(result.out, "\"event_type\": \"status\""));
}

TEST_CASE("options with one value each don't swallow what follows them") {
  const Result result = RunTool({"event", "publish", "--correlation-id", kId, "a.b", "--json", "{}",
                                 "--dry-run", "-o", "jsonl"});
  CAPTURE(result.err);
  CHECK(result.code == 0);
  CHECK(Has(result.out, std::string("\"correlation_ids\":[\"") + kId + "\"]"));
}

TEST_CASE("a payload that breaks its schema is warned about, refused, or let through") {
  const char* payload = R"({"workflow_id":"x","project_name":"p"})";
  const auto run = [payload](const char* validate) {
    return RunTool({"event", "publish", "bmad.workflow.started", "--json", payload, "--dry-run",
                    "--validate", validate});
  };
  const Result warned = run("warn");
  CHECK(warned.code == 0);
  CHECK(warned.err == "god33: warning: payload: workflow_id: expected a UUID, got \"x\"\n");
  const Result refused = run("strict");
  CHECK(refused.code == 2);
  CHECK(refused.out.empty());
  CHECK(Has(refused.err, "(PAYLOAD_INVALID)"));
  const Result off = run("off");
  CHECK(off.code == 0);
  CHECK(off.err.empty());
}

TEST_CASE("output that can't be written ends with 1") {
  std::string err;
  const char* arguments[] = {"god33", "event", "publish", "a.b", "--json", "{}", "--dry-run"};
  const int code =
      Run(7, arguments,
          {.out = [](std::string_view) { return absl::FailedPreconditionError("disk full"); },
           .err =
               [&err](std::string_view more) {
                 err += more;
                 return absl::OkStatus();
               }});
  CHECK(code == 1);
  CHECK(Has(err, "disk full"));
}

}  // namespace
}  // namespace god33::cli
