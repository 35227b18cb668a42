#include "services/letta-bridge/agent_tools.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>

#include "base/error.h"
#include "base/strings.h"
#include "json/value.h"
#include "unit/letta_bridge/story.h"

namespace god33::letta {
namespace {

TEST_CASE("each tool has a name of its own, and its parameters are a JSON Schema of an object") {
  const auto commands = ReadCommandTools(
      Json("{'commands':[{'name':'run_tests','description':'Runs them','command':['true']}]}"));
  REQUIRE(commands.ok());
  std::set<std::string> names;
  for (const ToolSpec& spec : ToolSpecs(*commands)) {
    CAPTURE(spec.name);
    CHECK(names.insert(spec.name).second);
    CHECK_FALSE(spec.description.empty());
    const auto parameters = json::Value::Parse(spec.parameters);
    REQUIRE(parameters.ok());
    CHECK(parameters->Find("type")->ToString() == "object");
  }
  CHECK(names.size() == 9);
  CHECK(names.contains("run_tests"));
  for (const std::string_view name : {kReportProgress, kAskHuman, kCompleteTask, kReportBlocked,
                                      kRequestHandoff, kReadFile, kWriteFile, kListFiles}) {
    CHECK(names.contains(std::string(name)));
  }
}

TEST_CASE("an operator's command says what is run, and how") {
  const auto commands = ReadCommandTools(
      Json("{'commands':[{'name':'lint','description':'Lints','command':['npx','eslint','.']},"
           "{'name':'test_2','description':'Tests','command':['make','test'],"
           "'parameters':{'type':'object','properties':{}},'timeout_seconds':90,"
           "'idempotent':true}]}"));
  REQUIRE(commands.ok());
  REQUIRE(commands->size() == 2);
  const CommandTool& lint = commands->front();
  CHECK(lint.name == "lint");
  CHECK(lint.description == "Lints");
  CHECK(lint.command == std::vector<std::string>{"npx", "eslint", "."});
  CHECK(lint.parameters == R"({"type":"object"})");
  CHECK(lint.timeout == absl::Minutes(10));
  CHECK_FALSE(lint.idempotent);
  const CommandTool& test = commands->back();
  CHECK(test.parameters == R"({"type":"object","properties":{}})");
  CHECK(test.timeout == absl::Seconds(90));
  CHECK(test.idempotent);
  CHECK(ReadCommandTools(R"({"commands":[]})")->empty());
}

TEST_CASE("what is wrong with the commands is told with its place") {
  const auto fails = [](const std::string& json, const std::string& part) {
    CAPTURE(json);
    const absl::Status status = ReadCommandTools(Json(json)).status();
    CHECK(absl::IsInvalidArgument(status));
    CHECK_THAT(std::string(MessageOf(status)), Catch::Contains(part));
  };
  const auto second = [&fails](const std::string& members, const std::string& part) {
    fails(StrCat("{'commands':[{'name':'a','description':'A','command':['a']},{", members, "}]}"),
          part);
  };
  fails("", "JSON");
  fails("{'commands':[", "JSON");
  for (const char* other : {"[]", "7", "null", "'commands'", "{}", "{'commands':{}}"}) {
    fails(other, "expected {\"commands\":[...]}");
  }
  fails("{'commands':[7]}", "commands[0]: expected an object");
  const std::string rest = ",'description':'B','command':['b']";
  second("'description':'B','command':['b']", "commands[1].name");
  for (const char* name : {"''", "7", "'Lint'", "'a-b'", "'a b'", "'ä'", "'a\\u0000'"}) {
    second(StrCat("'name':", name, rest), "commands[1].name");
  }
  second(StrCat("'name':'", std::string(65, 'x'), "'", rest), "commands[1].name");
  second(StrCat("'name':'a'", rest), "another tool a");
  second(StrCat("'name':'read_file'", rest), "another tool read_file");
  second("'name':'b','command':['b']", "commands[1].description");
  second("'name':'b','description':'B'", "commands[1].command");
  for (const char* command : {"[]", "'b'", "['b',7]", "[['b']]", "['']", "['b\\u0000c']"}) {
    second(StrCat("'name':'b','description':'B','command':", command), "commands[1].command");
  }
  for (const char* parameters : {"[]", "'x'", "7", "null"}) {
    second(StrCat("'name':'b','parameters':", parameters, rest), "commands[1].parameters");
  }
  for (const char* seconds : {"0", "-1", "86401", "1.5", "'60'", "1e3", "99999999999999999999"}) {
    second(StrCat("'name':'b','timeout_seconds':", seconds, rest), "commands[1].timeout_seconds");
  }
  for (const char* idempotent : {"'true'", "1", "null"}) {
    second(StrCat("'name':'b','idempotent':", idempotent, rest), "commands[1].idempotent");
  }
}

}  // namespace
}  // namespace god33::letta
