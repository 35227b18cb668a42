#include "services/letta-bridge/app_server/message.h"

#include <optional>

#include "base/strings.h"
#include "services/letta-bridge/app_server/frame.h"

namespace god33::letta::app_server {
namespace {

// What the server puts before an input by itself.
constexpr std::string_view kReminder = "<system-reminder>";

// Content is a text, or parts of which some are texts.
std::string ReadContent(json::Value message, std::string_view key) {
  const auto content = message.Find(key);
  if (!content) return "";
  if (content->is_string()) {
    std::string text = content->ToString();
    return text.starts_with(kReminder) ? "" : text;
  }
  if (content->kind() != json::Kind::kArray) {
    return content->is_null() ? "" : std::string(content->text());
  }
  std::string text;
  for (const json::Value part : content->elements()) {
    if (!part.is_object()) continue;
    const std::string piece = TextOf(part, "text");
    if (!piece.starts_with(kReminder)) text += piece;
  }
  return text;
}

std::optional<json::Value> ReadToolCall(json::Value message) {
  if (auto call = ObjectOf(message, "tool_call")) return call;
  for (const json::Value call : ElementsOf(message, "tool_calls")) {
    if (call.is_object()) return call;
  }
  return std::nullopt;
}

}  // namespace

Message ReadMessage(json::Value message) {
  Message read{.id = TextOf(message, "id")};
  const std::string type = TextOf(message, "message_type");
  if (type == "user_message") {
    read.text = ReadContent(message, "content");
    // Without its own words it is the server's remark, such as that a turn was interrupted.
    if (read.text.empty()) return read;
    read.kind = Message::Kind::kInput;
    read.marker = TextOf(message, "otid");
  } else if (type == "assistant_message") {
    read.kind = Message::Kind::kAnswer;
    read.text = ReadContent(message, "content");
  } else if (type == "approval_request_message" || type == "tool_call_message") {
    read.kind = Message::Kind::kToolCall;
    if (const auto call = ReadToolCall(message)) {
      read.tool_call_id = TextOf(*call, "tool_call_id");
      read.text = StrCat(TextOf(*call, "name"), " ", TextOf(*call, "arguments"));
    }
  } else if (type == "tool_return_message") {
    read.kind = Message::Kind::kToolResult;
    read.tool_call_id = TextOf(message, "tool_call_id");
    read.text = ReadContent(message, "tool_return");
  } else {
    read.text = ReadContent(message, "content");
  }
  return read;
}

}  // namespace god33::letta::app_server
