#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

// What the bridge needs of Letta, whichever of its servers runs the agents. Nothing outside of the
// implementations knows frames, routes or ids of one of them.
//
// Errors, of all calls:
//   NOT_FOUND (AGENT_UNKNOWN, CONVERSATION_UNKNOWN)   Letta itself says that there is none
//   UNAVAILABLE (LETTA_UNAVAILABLE)                   no connection, or it broke: whether the call did
//                                                     anything is unknown
//   DEADLINE_EXCEEDED (LETTA_SILENT)                  no answer in time: likewise unknown
//   UNIMPLEMENTED (LETTA_UNSUPPORTED)                 this kind of server can't do it
//   others (LETTA_REFUSED)                            Letta refused, with its words
// An outage is never NOT_FOUND: unknown is not absent.

namespace god33::letta {

// A file of an agent's memory. What is below "system/" is always in the agent's sight.
struct MemoryFile {
  std::string path;  // "system/task.md"
  std::string description;
  std::string content;  // UTF-8

  friend bool operator==(const MemoryFile&, const MemoryFile&) = default;
};

struct Memory {
  std::string commit;  // names this state of the memory; empty: the server has no such names
  std::vector<MemoryFile> files;  // by path
};

// A tool that the bridge runs and an agent may call.
struct ToolSpec {
  std::string name;
  std::string description;
  std::string parameters;  // JSON Schema of an object
};

struct AgentSpec {
  std::string name;  // letta-python-dev-001
  std::string system_prompt;
  std::string model;  // in the server's words, e.g. openai-compatible/scripted
  std::vector<std::string> mcp_servers;
  std::vector<std::string> tags;
  std::vector<MemoryFile> memory;
};

// A complete message of a conversation.
struct Message {
  enum class Kind { kInput, kAnswer, kToolCall, kToolResult, kOther };
  std::string
      id;  // empty where the server gives it only in its list: tool calls and results in MessageSeen
  Kind kind = Kind::kOther;
  std::string marker;  // of an input: the marker that it was sent with
  std::string text;    // of a tool call: its name, a blank, and its arguments
  std::string tool_call_id;
};

// ---- What a conversation tells.

// The agent calls one of the offered tools and waits for its result, the App Server for 5 minutes at most: then it
// tells the agent that the call timed out, and an answer is refused with FAILED_PRECONDITION. `question`: it used the server's own
// means of asking a human; the arguments are those of ask_human then.
struct ToolCall {
  std::string call_id;  // unique within the conversation; also after a fork
  std::string name;
  std::string arguments;  // JSON object
  bool question = false;
};

struct ToolResult {
  std::string text;
  bool is_error = false;
};

// A message is complete. Inputs are not told: who sent them knows them.
struct MessageSeen {
  Message message;
};

// The turn is over; nothing runs in the conversation until the next input.
struct TurnFinished {
  enum class Why { kEnded, kAborted, kFailed };
  Why why = Why::kEnded;
  std::string detail;       // of a failure, in Letta's words
  std::int64_t tokens = 0;  // used by the turn, as far as the server tells
};

// Nothing happened until the deadline, or Wake was called.
struct Nothing {};

using TurnEvent = std::variant<Nothing, ToolCall, MessageSeen, TurnFinished>;

// One agent's conversation, attached. Used by one thread, except for Wake. Destroying it detaches: a turn
// under way goes on in the server, which may wait for a tool result for ever.
class Conversation {
 public:
  virtual ~Conversation() = default;

  virtual const std::string& agent_id() const = 0;
  virtual const std::string& id() const = 0;

  // Whether a turn was under way when it was attached: one that another connection's loss has not ended, or one
  // that waits for an answer since before a restart. Its open calls are told again.
  virtual bool running() const = 0;

  // Makes the agent see its memory as it is now. A conversation that was there before the memory was written may show
  // the old one otherwise.
  virtual absl::Status SeeMemory() = 0;

  // Gives the agent an input, which starts a turn. Not to be called during a turn. `marker` names the input:
  // it is found again by Messages, and is what tells whether an input had arrived, since the same input sent
  // twice runs twice. OK: it was accepted.
  virtual absl::Status Send(const std::string& marker, const std::string& text) = 0;

  // The next thing that happens. UNAVAILABLE: the connection is gone and so is what was under way in it; the
  // conversation must be attached anew. RESOURCE_EXHAUSTED: the owner was too slow for the bounded queue.
  virtual absl::StatusOr<TurnEvent> Next(absl::Duration timeout) = 0;

  // Answers a tool call.
  virtual absl::Status Answer(const ToolCall& call, const ToolResult& result) = 0;

  // Ends the turn under way, if there is one; returns when it has ended. Events until then are dropped. The model's
  // answer may go on unseen for a while: an input that is sent meanwhile begins when the server has done with it.
  virtual absl::Status Abort() = 0;

  // Ends a wait in Next. Any thread.
  virtual void Wake() = 0;
};

class Backend {
 public:
  virtual ~Backend() = default;

  // Ends all calls, now and later, with UNAVAILABLE: the process stops.
  virtual void Shutdown() = 0;

  // "Letta App Server 0.32.18", once connected. For people.
  virtual std::string Describe() const = 0;

  // OK: the server answers. Cheap, without a round trip where the connection tells.
  virtual absl::Status Check() = 0;

  // Makes an agent; its id. Slow (a few 100 ms): what the pool is for.
  virtual absl::StatusOr<std::string> CreateAgent(const AgentSpec& spec) = 0;

  // OK also when there is none.
  virtual absl::Status DeleteAgent(const std::string& agent_id) = 0;

  virtual absl::StatusOr<Memory> ReadMemory(const std::string& agent_id) = 0;

  // Makes the memory what `files` says: writes what differs, deletes what isn't among them. The new commit. An empty
  // description becomes the path. INVALID_ARGUMENT for a path that is not relative, or does not end in .md. When
  // Letta refuses one of the files all of them are as before, or the error says that they are not.
  virtual absl::StatusOr<std::string> WriteMemory(const std::string& agent_id,
                                                  const std::vector<MemoryFile>& files) = 0;

  struct Attach {
    std::string agent_id;
    std::string conversation_id;  // empty: a new one
    std::string directory;        // where the agent works; must exist on the server's machine
    std::vector<ToolSpec> tools;  // all that the agent may call
  };
  virtual absl::StatusOr<std::unique_ptr<Conversation>> Open(const Attach& attach) = 0;

  // A new conversation of the same agent with all messages up to and including `message_id`, an id that Messages
  // has given; its id. The old one is not touched.
  virtual absl::StatusOr<std::string> Fork(const std::string& conversation_id,
                                           const std::string& message_id) = 0;

  // The newest `limit` messages, oldest first.
  virtual absl::StatusOr<std::vector<Message>> Messages(const std::string& conversation_id,
                                                        int limit) = 0;
};

// The backend for LETTA_SERVER_URL, chosen by its scheme: ws and wss are the App Server. InvalidArgument
// (UNSUPPORTED_LETTA_URL) for others, http and https included: the REST interface of Letta Cloud and of
// old servers is not supported in this version. Connects when it is needed, and again after a loss.
// Thread-safe; outlives its conversations.
absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(const std::string& url,
                                                     const std::string& token);

}  // namespace god33::letta
