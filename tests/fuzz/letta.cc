#include <cstdint>
#include <string>
#include <variant>

#include "base/strings.h"
#include "fuzz/fuzz.h"
#include "services/letta-bridge/app_server/memory_file.h"
#include "services/letta-bridge/app_server/turn.h"

// What a Letta App Server sends about one conversation. Input: a byte that says in which phase the turn is, and
// then a frame in each line.
//
// What is sent back is JSON; a call's arguments are a JSON object, and an open call can be answered once; a turn
// ends once, and nothing is told behind its end. A memory file is what was encoded.

namespace god33::letta::app_server {
namespace {

using fuzz::Check;

json::Value Parsed(const std::string& text) {
  const auto value = json::Value::Parse(text);
  Check(value.ok() && value->is_object(), "a JSON object", text);
  return *value;
}

void CheckEvents(Turn& turn) {
  bool ended = false;
  while (const auto event = turn.NextEvent()) {
    Check(!ended, "nothing is told behind a turn's end");
    if (const auto* call = std::get_if<ToolCall>(&*event)) {
      Parsed(call->arguments);
      const auto answer = turn.Answer(call->call_id, {.text = "x"});
      if (answer.ok()) Parsed(*answer);
      Check(!turn.Answer(call->call_id, {}).ok(), "a call is answered once", call->call_id);
    }
    ended = std::holds_alternative<TurnFinished>(*event);
    Check(!ended || !turn.open(), "a turn that has ended is not open");
  }
  for (const std::string& frame : turn.TakeFrames()) {
    Check(!TextOf(Parsed(frame), "type").empty(), "a frame has a type", frame);
  }
  for (const std::string& id : turn.TakeAnswered()) Check(!id.empty(), "an answer has an id");
}

void Run(std::uint8_t phase, std::string_view lines) {
  Turn turn({"agent", "conversation"}, {{.name = "report_progress"}, {.name = "ask_human"}});
  if (phase % 4 != 0) {
    turn.Attached();
    if (phase % 4 != 1) turn.Expect("in-1", "marker");
    const char* const accepted = phase % 4 == 2 ? "queued" : "started";
    const auto frame = Frame::Parse(
        StrCat(R"({"type":"input_accepted","request_id":"in-1","accepted":true,"disposition":")",
               accepted, R"("})"));
    turn.Feed(*frame);
  }
  while (!lines.empty()) {
    const auto frame = Frame::Parse(std::string(fuzz::Take(lines, '\n')));
    if (!frame.ok()) continue;
    turn.Feed(*frame);
    if (phase & 0x80) CheckEvents(turn);
  }
  if (phase % 4 == 0) turn.Attached();
  turn.Finish();
  CheckEvents(turn);
  turn.Drop();
  CheckEvents(turn);
}

void CheckMemory(std::string_view text) {
  const MemoryFile read = DecodeMemoryFile("a.md", text);
  const MemoryFile again = DecodeMemoryFile("a.md", EncodeMemoryFile(read));
  Check(again.content == read.content, "the content comes back", text);
  Check(SaysTheSame(read, read) && SaysTheSame(again, read), "what is written says the same", text);
}

}  // namespace
}  // namespace god33::letta::app_server

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text = god33::fuzz::Text(data, size).substr(1);
  god33::letta::app_server::Run(data[0], text);
  god33::letta::app_server::CheckMemory(text);
  return 0;
}
