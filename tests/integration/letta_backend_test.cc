// The bridge's way to Letta, against a real App Server whose agents ask a model that follows scripts.

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/stop.h"
#include "base/strings.h"
#include "services/letta-bridge/app_server/backend.h"
#include "testing/servers.h"
#include "testing/tcp_proxy.h"

namespace god33::letta {
namespace {

using app_server::AppServer;
using testing::TestLetta;
using Why = TurnFinished::Why;

constexpr absl::Duration kPatience = absl::Seconds(30);

// One for all tests that don't break it: it takes seconds to start.
const TestLetta& Letta() {
  static const TestLetta letta;
  return letta;
}

app_server::Options At(const std::string& url) {
  auto parsed = http::WebSocketUrl::Parse(StrCat(url, "/ws"));
  REQUIRE(parsed.ok());
  return {.url = *std::move(parsed)};
}

std::unique_ptr<AppServer> Connect(const TestLetta& letta = Letta()) {
  return std::make_unique<AppServer>(At(letta.url()));
}

std::vector<ToolSpec> Tools() {
  std::vector<ToolSpec> tools;
  for (const char* name : {"report_progress", "complete_task", "read_file", "Grep"}) {
    tools.push_back(
        {.name = name,
         .description = name,
         .parameters = R"({"type":"object","properties":{"summary":{"type":"string"}}})"});
  }
  return tools;
}

std::string MakeAgent(Backend& backend, std::vector<MemoryFile> memory = {}) {
  const auto id = backend.CreateAgent({.name = "letta-test",
                                       .system_prompt = "You follow scripts.",
                                       .model = Letta().model(),
                                       .tags = {"god33"},
                                       .memory = std::move(memory)});
  INFO(id.status());
  REQUIRE(id.ok());
  return *id;
}

std::unique_ptr<Conversation> Open(Backend& backend, const std::string& agent_id,
                                   const std::string& conversation_id = "") {
  auto conversation = backend.Open({.agent_id = agent_id,
                                    .conversation_id = conversation_id,
                                    .directory = "/tmp",
                                    .tools = Tools()});
  INFO(conversation.status());
  REQUIRE(conversation.ok());
  return *std::move(conversation);
}

std::string Script(const std::string& steps) {
  return StrCat("Do this.\n\n```json\n{\"script\": [", steps, "]}\n```\n");
}

void Send(Conversation& conversation, const std::string& marker, const std::string& steps) {
  const absl::Status sent = conversation.Send(marker, Script(steps));
  INFO(sent);
  REQUIRE(sent.ok());
}

TurnEvent Next(Conversation& conversation) {
  const auto event = conversation.Next(kPatience);
  INFO(event.status());
  REQUIRE(event.ok());
  return *event;
}

// The next tool call; what was seen before goes to `seen`.
ToolCall NextCall(Conversation& conversation, std::vector<Message>* seen = nullptr) {
  for (;;) {
    TurnEvent event = Next(conversation);
    if (auto* call = std::get_if<ToolCall>(&event)) return *call;
    if (auto* finished = std::get_if<TurnFinished>(&event))
      FAIL("the turn ended: " << finished->detail);
    if (std::holds_alternative<Nothing>(event)) FAIL("nothing happens");
    if (seen != nullptr) seen->push_back(std::get<MessageSeen>(event).message);
  }
}

TurnFinished AwaitEnd(Conversation& conversation, std::vector<Message>* seen = nullptr) {
  for (;;) {
    TurnEvent event = Next(conversation);
    if (auto* finished = std::get_if<TurnFinished>(&event)) return *finished;
    if (auto* call = std::get_if<ToolCall>(&event)) FAIL("a call of " << call->name);
    if (std::holds_alternative<Nothing>(event)) FAIL("nothing happens");
    if (seen != nullptr) seen->push_back(std::get<MessageSeen>(event).message);
  }
}

std::vector<Message> List(Backend& backend, const std::string& conversation_id, int limit = 1000) {
  const auto messages = backend.Messages(conversation_id, limit);
  INFO(messages.status());
  REQUIRE(messages.ok());
  return *messages;
}

TEST_CASE("the server is described and checked") {
  const auto backend = Connect();
  CHECK(backend->Describe() == "Letta App Server");
  CHECK(backend->Check().ok());
  CHECK(backend->Describe() == "Letta App Server 0.32.18");
}

TEST_CASE("an agent's memory is what was written") {
  const auto backend = Connect();
  const std::vector<MemoryFile> first = {
      {.path = "notes/deep.md", .description = "d: e", .content = "---\nno front matter\n---\n"},
      {.path = "system/persona.md", .description = "who", .content = "  spaces \n\n"},
      {.path = "system/task.md", .description = "the task", .content = "\nbuild\r\n\xE2\x82\xAC"}};
  const std::string agent = MakeAgent(*backend, first);
  const auto read = backend->ReadMemory(agent);
  REQUIRE(read.ok());
  CHECK(read->files == first);
  CHECK(read->commit.size() == 40);

  CHECK(*backend->WriteMemory(agent, read->files) == read->commit);  // nothing to do

  std::vector<MemoryFile> second = {first[2]};
  second[0].content = "";
  second.push_back({.path = "system/empty_description.md", .content = "x"});
  const auto written = backend->WriteMemory(agent, second);
  REQUIRE(written.ok());
  CHECK(*written != read->commit);
  const auto again = backend->ReadMemory(agent);
  REQUIRE(again.ok());
  CHECK(again->commit == *written);
  REQUIRE(again->files.size() == 2);
  CHECK(again->files[0].path == "system/empty_description.md");
  CHECK(again->files[0].content == "x");
  CHECK(again->files[1] == second[0]);
  CHECK(*backend->WriteMemory(agent, second) == *written);
}

TEST_CASE("a memory that is refused is left as it was") {
  const auto backend = Connect();
  const std::vector<MemoryFile> before = {{.path = "a.md", .description = "a", .content = "old"}};
  const std::string agent = MakeAgent(*backend, before);
  const auto written = backend->WriteMemory(
      agent, {{.path = "a.md", .description = "a", .content = "new"},
              {.path = "b.md", .description = "b", .content = "new"},
              {.path = "skills/flat.md", .description = "c", .content = "new"}});
  CHECK(ReasonOf(written.status()) == "LETTA_REFUSED");
  CAPTURE(written.status());
  CHECK(backend->ReadMemory(agent)->files == before);
  // And what is right can be written afterwards.
  CHECK(backend->WriteMemory(agent, {{.path = "b.md", .description = "b", .content = "y"}}).ok());
  CHECK(backend->ReadMemory(agent)->files.size() == 1);
}

TEST_CASE("memory is Markdown") {
  const auto backend = Connect();
  const std::string path = GENERATE("", "a.txt", "../out.md", "/etc/a.md", "a//b.md", "./a.md");
  CAPTURE(path);
  CHECK(backend->WriteMemory("agent", {{.path = path}}).status().code() ==
        absl::StatusCode::kInvalidArgument);
}

TEST_CASE("a turn with a tool call, told as it goes") {
  const auto backend = Connect();
  const auto conversation = Open(*backend, MakeAgent(*backend));
  CHECK_FALSE(conversation->running());
  Send(*conversation, "marker-1", R"({"say": "First.", "tool": "report_progress",
      "arguments": {"summary": "half \"done\""}}, {"say": "All of it."})");
  std::vector<Message> seen;
  const ToolCall call = NextCall(*conversation, &seen);
  CHECK(call.name == "report_progress");
  CHECK(call.arguments == R"({"summary":"half \"done\""})");
  CHECK_FALSE(call.question);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].kind == Message::Kind::kAnswer);
  CHECK(seen[0].text == "First.");
  CHECK(seen[1].kind == Message::Kind::kToolCall);
  CHECK(seen[1].tool_call_id == call.call_id);
  CHECK(seen[1].text == R"(report_progress {"summary":"half \"done\""})");
  REQUIRE(conversation->Answer(call, {.text = "noted"}).ok());
  CHECK(conversation->Answer(call, {.text = "noted"}).code() ==
        absl::StatusCode::kFailedPrecondition);
  seen.clear();
  const TurnFinished end = AwaitEnd(*conversation, &seen);
  CHECK(end.why == Why::kEnded);
  CHECK(end.tokens > 0);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].kind == Message::Kind::kToolResult);
  CHECK(seen[0].text == "noted");
  CHECK(seen[1].text == "All of it.");

  const std::vector<Message> all = List(*backend, conversation->id());
  REQUIRE(all.size() == 5);
  CHECK(all[0].kind == Message::Kind::kInput);
  CHECK(all[0].marker == "marker-1");
  CHECK(all[0].text.starts_with("Do this."));
  CHECK(all[1].text == "First.");
  CHECK(all[2].kind == Message::Kind::kToolCall);
  CHECK(all[2].tool_call_id == call.call_id);
  CHECK(all[3].kind == Message::Kind::kToolResult);
  CHECK(all[4].text == "All of it.");
  CHECK(all[4].id == seen[1].id);
  const std::vector<Message> newest = List(*backend, conversation->id(), 2);
  REQUIRE(newest.size() == 2);
  CHECK(newest[0].kind == Message::Kind::kToolResult);
  CHECK(newest[1].id == all[4].id);

  // The next input of the same conversation.
  Send(*conversation, "marker-2", R"({"say": "Again."})");
  CHECK(AwaitEnd(*conversation).why == Why::kEnded);
}

TEST_CASE("the agent's own question is told as ask_human's, and its answer goes on with the turn") {
  const auto backend = Connect();
  const auto conversation = Open(*backend, MakeAgent(*backend));
  Send(*conversation, "q", R"({"tool": "AskUserQuestion", "arguments": {"questions": [
      {"question": "JWT or cookies?", "header": "Auth", "multiSelect": false, "options": [
        {"label": "JWT", "description": "tokens"}, {"label": "Cookies", "description": "old"}]}]}},
      {"say": "I wait."})");
  const ToolCall call = NextCall(*conversation);
  CHECK(call.question);
  CHECK(
      call.arguments ==
      R"({"question":"JWT or cookies?","options":["JWT","Cookies"],"context":"Auth\nJWT: tokens\nCookies: old"})");
  REQUIRE(conversation->Answer(call, {.text = "It was handed on. End your turn."}).ok());
  std::vector<Message> seen;
  CHECK(AwaitEnd(*conversation, &seen).why == Why::kEnded);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].text == "It was handed on. End your turn.");
  CHECK(seen[1].text == "I wait.");
  // Nothing is left pending.
  const auto again = Open(*backend, conversation->agent_id(), conversation->id());
  CHECK_FALSE(again->running());
  Send(*again, "q2", R"({"say": "JWT it is."})");
  CHECK(AwaitEnd(*again).why == Why::kEnded);
}

TEST_CASE("a tool that is not offered is refused, Bash above all") {
  const auto backend = Connect();
  const auto conversation = Open(*backend, MakeAgent(*backend));
  Send(*conversation, "m", R"({"tool": "Bash", "arguments": {"command": "echo x"}},
      {"tool": "Write", "arguments": {"file_path": "/tmp/never", "content": "x"}},
      {"tool": "no_such_tool"}, {"say": "Well."})");
  std::vector<Message> seen;
  CHECK(AwaitEnd(*conversation, &seen).why == Why::kEnded);
  std::size_t refused = 0;
  for (const Message& message : seen) {
    if (message.kind != Message::Kind::kToolResult) continue;
    CAPTURE(message.text);
    CHECK(message.text.ends_with("complete_task, read_file, report_progress."));
    ++refused;
  }
  CHECK(refused == 3);
}

TEST_CASE("an offered tool with the name of one of the server's own is the offered one") {
  const auto backend = Connect();
  const auto conversation = Open(*backend, MakeAgent(*backend));
  const std::string name = GENERATE("read_file", "Grep");
  Send(*conversation, "m",
       StrCat(R"({"tool": ")", name, R"(", "arguments": {"path": "/etc/hostname"}})"));
  CHECK(NextCall(*conversation).name == name);
  CHECK(conversation->Abort().ok());
}

TEST_CASE("an aborted turn is over, and its late end is not the next one's") {
  const auto backend = Connect();
  const auto conversation = Open(*backend, MakeAgent(*backend));
  SECTION("while the model thinks") {
    Send(*conversation, "slow", R"({"say": "Too late.", "delay_ms": 1500})");
    CHECK(std::holds_alternative<Nothing>(*conversation->Next(absl::Milliseconds(200))));
  }
  SECTION("while a tool runs") {
    Send(*conversation, "tool", R"({"tool": "report_progress"}, {"say": "Never said."})");
    const ToolCall call = NextCall(*conversation);
    REQUIRE(conversation->Abort().ok());
    CHECK(conversation->Answer(call, {}).code() == absl::StatusCode::kFailedPrecondition);
  }
  SECTION("while an input waits behind an aborted turn") {
    Send(*conversation, "slow", R"({"say": "Too late.", "delay_ms": 1500})");
    CHECK(std::holds_alternative<Nothing>(*conversation->Next(absl::Milliseconds(200))));
    REQUIRE(conversation->Abort().ok());
    Send(*conversation, "waiting", R"({"say": "Never run."})");
  }
  SECTION("when nothing runs") {}
  REQUIRE(conversation->Abort().ok());
  Send(*conversation, "next", R"({"say": "Here I am."})");
  std::vector<Message> seen;
  CHECK(AwaitEnd(*conversation, &seen).why == Why::kEnded);
  REQUIRE(seen.size() == 1);
  CHECK(seen[0].text == "Here I am.");
  for (const Message& message : List(*backend, conversation->id())) {
    CHECK(message.text != "Never said.");
    CHECK(message.text != "Never run.");
    CHECK(message.marker != "waiting");
  }
}

TEST_CASE("a fork has the messages up to one of them, and takes every id of the list") {
  const auto backend = Connect();
  const std::string agent = MakeAgent(*backend);
  const auto conversation = Open(*backend, agent);
  Send(*conversation, "one", R"({"say": "Begin.", "tool": "report_progress"}, {"say": "End."})");
  REQUIRE(conversation->Answer(NextCall(*conversation), {.text = "noted"}).ok());
  AwaitEnd(*conversation);
  const std::vector<Message> all = List(*backend, conversation->id());
  REQUIRE(all.size() == 5);
  for (std::size_t i = 0; i < all.size(); ++i) {
    CAPTURE(all[i].id);
    const auto fork = backend->Fork(conversation->id(), all[i].id);
    INFO(fork.status());
    REQUIRE(fork.ok());
    const std::vector<Message> cut = List(*backend, *fork);
    REQUIRE(cut.size() == i + 1);
    CHECK(cut.back().text == all[i].text);
    CHECK(cut.back().tool_call_id == all[i].tool_call_id);
    CHECK(cut.front().marker == "one");
  }
  CHECK(List(*backend, conversation->id()).size() == 5);

  const auto fork = Open(*backend, agent, *backend->Fork(conversation->id(), all[0].id));
  Send(*fork, "two", R"({"say": "Otherwise."})");
  CHECK(AwaitEnd(*fork).why == Why::kEnded);
  CHECK(List(*backend, fork->id()).back().text == "Otherwise.");

  CHECK(ReasonOf(backend->Fork(conversation->id(), "ui-msg-none").status()) == "LETTA_REFUSED");
}

TEST_CASE("messages are listed over pages") {
  const auto backend = Connect();
  const auto conversation = Open(*backend, MakeAgent(*backend));
  std::string steps;
  for (int i = 0; i < 52; ++i) steps += R"({"tool": "no_such_tool"},)";
  Send(*conversation, "many", StrCat(steps, R"({"say": "Done."})"));
  AwaitEnd(*conversation);
  const std::vector<Message> all = List(*backend, conversation->id());
  CHECK(all.size() == 106);
  CHECK(all.front().marker == "many");
  std::set<std::string> ids;
  for (const Message& message : all) ids.insert(message.id);
  CHECK(ids.size() == all.size());
  CHECK(List(*backend, conversation->id(), 101).size() == 101);
}

TEST_CASE("what Letta does not know is NOT_FOUND, and nothing else is") {
  const auto backend = Connect();
  const std::string agent = MakeAgent(*backend);
  const std::string nobody = "agent-local-00000000-0000-0000-0000-000000000000";
  const auto open = [&](const std::string& a, const std::string& c) {
    return ReasonOf(backend->Open({.agent_id = a, .conversation_id = c}).status());
  };
  CHECK(open(nobody, "") == "AGENT_UNKNOWN");
  CHECK(open(nobody, "local-conv-1") == "AGENT_UNKNOWN");
  CHECK(open(agent, "local-conv-99999") == "CONVERSATION_UNKNOWN");
  CHECK(ReasonOf(backend->ReadMemory(nobody).status()) == "AGENT_UNKNOWN");
  CHECK(ReasonOf(backend->WriteMemory(nobody, {}).status()) == "AGENT_UNKNOWN");
  CHECK(ReasonOf(backend->Messages("local-conv-99999", 5).status()) == "CONVERSATION_UNKNOWN");
  CHECK(ReasonOf(backend->Fork("local-conv-99999", "ui-msg-1").status()) == "CONVERSATION_UNKNOWN");
  CHECK(backend->DeleteAgent(nobody).ok());

  const std::string conversation = Open(*backend, agent)->id();
  const std::string other = MakeAgent(*backend);
  CHECK(open(other, conversation) == "LETTA_REFUSED");  // of another agent
  CHECK(backend->DeleteAgent(agent).ok());
  CHECK(backend->DeleteAgent(agent).ok());
  CHECK(open(agent, conversation) == "AGENT_UNKNOWN");
  CHECK(ReasonOf(backend->Messages(conversation, 5).status()) == "CONVERSATION_UNKNOWN");
}

TEST_CASE("MCP servers are refused with what to do") {
  const auto made = Connect()->CreateAgent({.name = "x", .mcp_servers = {"github", "files"}});
  CHECK(made.status().code() == absl::StatusCode::kUnimplemented);
  CHECK(MessageOf(made.status()).find("github, files") != std::string_view::npos);
}

TEST_CASE("two conversations at once on one socket") {
  const auto backend = Connect();
  const std::string agent = MakeAgent(*backend);
  const std::string names[] = {"left", "right"};
  const std::unique_ptr<Conversation> both[] = {Open(*backend, agent), Open(*backend, agent)};
  for (int round = 0; round < 3; ++round) {
    for (const int i : {0, 1}) {
      Send(*both[i], StrCat(names[i], round),
           StrCat(R"({"tool": "report_progress", "arguments": {"summary": ")", names[i],
                  R"("}, "delay_ms": 50}, {"say": ")", names[i], R"(", "delay_ms": 50})"));
    }
    ToolCall calls[2];
    for (const int i : {1, 0}) {
      calls[i] = NextCall(*both[i]);
      CHECK(calls[i].arguments.find(names[i]) != std::string::npos);
    }
    for (const int i : {0, 1}) REQUIRE(both[i]->Answer(calls[i], {.text = names[i]}).ok());
    for (const int i : {1, 0}) {
      std::vector<Message> seen;
      CHECK(AwaitEnd(*both[i], &seen).why == Why::kEnded);
      CHECK(seen.back().text == names[i]);
    }
  }
}

TEST_CASE("Wake ends a wait, also one to come") {
  const auto backend = Connect();
  const auto conversation = Open(*backend, MakeAgent(*backend));
  conversation->Wake();
  CHECK(std::holds_alternative<Nothing>(*conversation->Next(kPatience)));
  std::thread waker([&] { conversation->Wake(); });
  CHECK(std::holds_alternative<Nothing>(*conversation->Next(kPatience)));
  waker.join();
  CHECK(std::holds_alternative<Nothing>(*conversation->Next(absl::ZeroDuration())));
}

TEST_CASE("a conversation that is attached anew leaves the one that had it") {
  const auto backend = Connect();
  const auto first = Open(*backend, MakeAgent(*backend));
  const auto second = Open(*backend, first->agent_id(), first->id());
  CHECK(first->Next(kPatience).status().code() == absl::StatusCode::kUnavailable);
  Send(*second, "m", R"({"say": "Mine."})");
  CHECK(AwaitEnd(*second).why == Why::kEnded);
}

TEST_CASE("who attaches to a turn that runs goes on with it") {
  const auto backend = Connect();
  const std::string agent = MakeAgent(*backend);
  auto first = Open(*backend, agent);
  Send(*first, "m", R"({"tool": "report_progress"}, {"tool": "complete_task"}, {"say": "Done."})");
  const ToolCall answered = NextCall(*first);
  REQUIRE(first->Answer(answered, {.text = "noted"}).ok());
  const ToolCall open = NextCall(*first);
  const std::string id = first->id();
  first.reset();
  const auto second = Open(*backend, agent, id);
  CHECK(second->running());
  SECTION("the call that waits is told again") {
    const ToolCall again = NextCall(*second);
    CHECK(again.call_id == open.call_id);
    REQUIRE(second->Answer(again, {.text = "done"}).ok());
  }
  SECTION("aborted, the server does not wait for it") {
    REQUIRE(second->Abort().ok());
    Send(*second, "n", R"({"say": "Mine."})");
  }
  CHECK(AwaitEnd(*second).why == Why::kEnded);
}

TEST_CASE("a cut connection is UNAVAILABLE, and the input is found by its marker on the next one") {
  testing::TcpProxy proxy(Letta().url());
  AppServer backend(At(proxy.url()));
  const std::string agent = MakeAgent(backend);
  auto conversation = Open(backend, agent);
  const std::string id = conversation->id();
  Send(*conversation, "kept", R"({"tool": "report_progress"}, {"say": "Never."})");
  NextCall(*conversation);
  proxy.Cut();
  CHECK(conversation->Next(kPatience).status().code() == absl::StatusCode::kUnavailable);
  CHECK(conversation->Send("x", "x").code() != absl::StatusCode::kOk);
  CHECK(conversation->Abort().code() == absl::StatusCode::kUnavailable);
  conversation = Open(backend, agent, id);
  if (conversation->running()) REQUIRE(conversation->Abort().ok());
  CHECK(List(backend, id).front().marker == "kept");
  Send(*conversation, "next", R"({"say": "Again."})");
  CHECK(AwaitEnd(*conversation).why == Why::kEnded);
}

TEST_CASE("a server that accepts and never answers is LETTA_SILENT") {
  testing::TcpProxy proxy(Letta().url());
  app_server::Options options = At(proxy.url());
  options.call_timeout = absl::Milliseconds(300);
  AppServer backend(options);
  REQUIRE(backend.Check().ok());
  proxy.SwallowAnswersTo("nothing that is ever sent");
  proxy.DelayAnswers(absl::Seconds(60));
  CHECK(ReasonOf(backend.ReadMemory("agent-x").status()) == "LETTA_SILENT");
  CHECK(ReasonOf(backend.Open({.agent_id = "agent-x"}).status()) == "LETTA_SILENT");
  proxy.Cut();
}

TEST_CASE("a server that is not there is LETTA_UNAVAILABLE, at once while it is left alone") {
  app_server::Options options = At("ws://127.0.0.1:1");
  AppServer backend(options);
  CHECK(ReasonOf(backend.Check()) == "LETTA_UNAVAILABLE");
  const std::int64_t begun = MonotonicNanos();
  for (int i = 0; i < 100; ++i) CHECK(ReasonOf(backend.Check()) == "LETTA_UNAVAILABLE");
  CHECK(MonotonicNanos() - begun < 1'000'000'000);
}

TEST_CASE(
    "after a kill in the middle of a turn the conversation is there, without what was under way") {
  const TestLetta letta;
  AppServer backend(At(letta.url()));
  const std::string agent = MakeAgent(backend);
  auto conversation = Open(backend, agent);
  const std::string id = conversation->id();
  // Two turns that wait for a question's answer.
  std::vector<std::unique_ptr<Conversation>> asking;
  std::string call_id;
  for (const char* marker : {"question 1", "question 2"}) {
    asking.push_back(Open(backend, agent));
    Send(*asking.back(), marker, R"({"tool": "AskUserQuestion", "arguments": {"questions": [
        {"question": "Q?", "header": "H", "multiSelect": false, "options": [
          {"label": "a", "description": "A"}, {"label": "b", "description": "B"}]}]}},
        {"tool": "Bash", "arguments": {"command": "echo ran", "description": "x"}},
        {"tool": "Grep", "arguments": {"pattern": "root", "path": "/etc/passwd"}}, {"say": "I wait."})");
    call_id = NextCall(*asking.back()).call_id;
  }
  Send(*conversation, "before",
       R"({"say": "Kept.", "tool": "report_progress"}, {"say": "Never."})");
  NextCall(*conversation);
  letta.Kill();
  CHECK(conversation->Next(kPatience).status().code() == absl::StatusCode::kUnavailable);
  CHECK(ReasonOf(backend.Check()) == "LETTA_UNAVAILABLE");
  CHECK(ReasonOf(backend.Messages(id, 5).status()) == "LETTA_UNAVAILABLE");
  letta.Start();
  absl::Status back;
  const Stop pause;
  for (int i = 0; i < 100 && !(back = backend.Check()).ok(); ++i) {
    pause.WaitFor(absl::Milliseconds(100));
  }
  REQUIRE(back.ok());

  conversation = Open(backend, agent, id);
  if (conversation->running()) REQUIRE(conversation->Abort().ok());
  const std::vector<Message> kept = List(backend, id);
  REQUIRE(kept.size() >= 2);
  CHECK(kept[0].marker == "before");
  CHECK(kept[1].text == "Kept.");
  Send(*conversation, "after", R"({"say": "Goes on."})");
  CHECK(AwaitEnd(*conversation).why == Why::kEnded);

  // A question that was pending is asked again, under the same id.
  auto& aborted = asking[0];
  auto& answered = asking[1];
  answered = Open(backend, agent, answered->id());
  CHECK(answered->running());
  const ToolCall again = NextCall(*answered);
  CHECK(again.question);
  CHECK(again.call_id == call_id);
  REQUIRE(answered->Answer(again, {.text = "Handed on."}).ok());
  // A turn that the server resumes has no other tools, nor its own under an offered one's name.
  std::vector<Message> seen;
  const ToolCall found = NextCall(*answered, &seen);
  CHECK(found.name == "Grep");
  REQUIRE(answered->Answer(found, {.text = "nothing"}).ok());
  CHECK(AwaitEnd(*answered, &seen).why == Why::kEnded);
  const auto is_refusal = [](const Message& message) {
    return message.text.starts_with("There is no tool Bash here.");
  };
  CHECK(std::count_if(seen.begin(), seen.end(), is_refusal) == 1);

  // Aborting takes it away.
  aborted = Open(backend, agent, aborted->id());
  CHECK(aborted->running());
  REQUIRE(aborted->Abort().ok());
  Send(*aborted, "next", R"({"say": "Anew."})");
  CHECK(AwaitEnd(*aborted).why == Why::kEnded);
}

}  // namespace
}  // namespace god33::letta
