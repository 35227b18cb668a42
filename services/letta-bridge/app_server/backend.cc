#include "services/letta-bridge/app_server/backend.h"

#include <algorithm>
#include <map>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/clock.h"
#include "services/letta-bridge/app_server/conversation.h"
#include "services/letta-bridge/app_server/errors.h"
#include "services/letta-bridge/app_server/memory_file.h"
#include "services/letta-bridge/app_server/message.h"

namespace god33::letta::app_server {
namespace {

constexpr int kMostPage = 100;

bool Succeeded(const Frame& frame) {
  return IsTrue(frame.body(), "success");
}

std::string ErrorOf(const Frame& frame) {
  return TextOf(frame.body(), "error");
}

std::string AgentNotFound(const std::string& id) {
  return StrCat("Agent ", id, " not found");
}

std::string ConversationNotFound(const std::string& id) {
  return StrCat("Conversation ", id, " not found");
}

bool IsMarkdown(std::string_view path) {
  return path.ends_with(".md");
}

bool IsMemoryPath(std::string_view path) {
  for (const absl::string_view part : absl::StrSplit(ToAbsl(path), '/')) {
    if (part.empty() || part == "." || part == "..") return false;
  }
  return IsMarkdown(path);
}

// The name of the memory block that becomes this file when an agent is made; empty if none does.
std::string BlockOf(const MemoryFile& file) {
  constexpr std::string_view kSystem = "system/";
  const std::string_view path = file.path;
  if (!path.starts_with(kSystem) || !IsMarkdown(path)) return "";
  const std::string_view label = path.substr(kSystem.size(), path.size() - kSystem.size() - 3);
  const bool plain = std::all_of(label.begin(), label.end(), [](char c) {
    return absl::ascii_isalnum(c) || c == '-' || c == '_';
  });
  return plain ? std::string(label) : "";
}

}  // namespace

AppServer::AppServer(Options options)
    : options_(std::move(options)),
      backoff_(absl::Milliseconds(100), absl::Seconds(5), RandomFraction) {}

std::string AppServer::Describe() const {
  absl::MutexLock lock(&mutex_);
  return version_.empty() ? "Letta App Server" : StrCat("Letta App Server ", version_);
}

absl::Status AppServer::Check() {
  return Connect().status();
}

void AppServer::Shutdown() {
  std::shared_ptr<Session> session;
  {
    absl::MutexLock lock(&mutex_);
    shut_down_ = true;
    session = session_;
  }
  if (session) session->End(Unavailable("the bridge stops"));
}

absl::StatusOr<std::shared_ptr<Session>> AppServer::Connect() {
  std::shared_ptr<Session> lost;  // ends without the lock: that can take seconds
  absl::MutexLock lock(&mutex_);
  const auto free = [this]() ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return !connecting_; };
  mutex_.Await(absl::Condition(&free));
  if (shut_down_) return Unavailable("the bridge stops");
  if (session_ && session_->status().ok()) return session_;
  if (!failure_.ok() && MonotonicNanos() < retry_nanos_) return failure_;
  lost = std::move(session_);
  session_ = nullptr;
  connecting_ = true;
  mutex_.Unlock();
  lost.reset();
  auto session = Session::Open({.url = options_.url,
                                .bearer_token = options_.token,
                                .connect_timeout = options_.connect_timeout},
                               options_.connect_timeout);
  mutex_.Lock();
  connecting_ = false;
  failure_ = session.status();
  if (!session.ok()) {
    retry_nanos_ = MonotonicNanos() + absl::ToInt64Nanoseconds(backoff_.Next());
    return failure_;
  }
  backoff_.Reset();
  version_ = (*session)->version();
  session_ = *std::move(session);
  return session_;
}

absl::StatusOr<std::vector<Frame>> AppServer::CallForAll(std::string_view command, Members members,
                                                         absl::Duration timeout) {
  const auto session = Connect();
  if (!session.ok()) return session.status();
  return (*session)->Call(command, members, timeout);
}

absl::StatusOr<Frame> AppServer::Call(std::string_view command, Members members) {
  auto frames = CallForAll(command, members, options_.call_timeout);
  if (!frames.ok()) return frames.status();
  return frames->back();
}

absl::StatusOr<std::string> AppServer::CreateAgent(const AgentSpec& spec) {
  if (!spec.mcp_servers.empty()) {
    return Unsupported(
        StrCat("the Letta App Server takes no MCP servers from a client: add ",
               absl::StrJoin(spec.mcp_servers, ", "),
               " to the agent with the server's own command line, or leave mcp_servers out"));
  }
  const auto made = CallForAll(
      "agent_create",
      [&](json::Writer& writer) {
        writer.Key("body");
        writer.BeginObject();
        WriteMember(writer, "name", spec.name);
        WriteMember(writer, "model", spec.model);
        WriteMember(writer, "system", spec.system_prompt);
        writer.Key("tools");
        writer.BeginArray();
        writer.EndArray();
        writer.Key("include_base_tools");
        writer.Bool(false);
        writer.Key("tags");
        writer.BeginArray();
        for (const std::string& tag : spec.tags) writer.String(tag);
        writer.EndArray();
        writer.Key("memory_blocks");
        writer.BeginArray();
        for (const MemoryFile& file : spec.memory) {
          const std::string label = BlockOf(file);
          if (label.empty()) continue;
          writer.BeginObject();
          WriteMember(writer, "label", label);
          WriteMember(writer, "value", file.content);
          WriteMember(writer, "description",
                      DecodeMemoryFile(file.path, EncodeMemoryFile(file)).description);
          writer.EndObject();
        }
        writer.EndArray();
        writer.EndObject();
      },
      options_.create_timeout);
  if (!made.ok()) return made.status();
  if (!Succeeded(made->back())) return Refused(ErrorOf(made->back()));
  const auto agent = ObjectOf(made->back().body(), "agent");
  std::string id = agent ? TextOf(*agent, "id") : "";
  if (id.empty()) return Refused("it named no agent");
  if (!spec.memory.empty()) {
    const auto written = WriteMemory(id, spec.memory);
    if (!written.ok()) {
      DeleteAgent(id).IgnoreError();
      return written.status();
    }
  }
  return id;
}

absl::Status AppServer::DeleteAgent(const std::string& agent_id) {
  const auto deleted = Call(
      "agent_delete", [&](json::Writer& writer) { WriteMember(writer, "agent_id", agent_id); });
  if (!deleted.ok()) return deleted.status();
  if (Succeeded(*deleted) || ErrorOf(*deleted) == AgentNotFound(agent_id)) return absl::OkStatus();
  return Refused(ErrorOf(*deleted));
}

absl::Status AppServer::CheckAgent(const std::string& agent_id) {
  const auto found = Call("agent_retrieve",
                          [&](json::Writer& writer) { WriteMember(writer, "agent_id", agent_id); });
  if (!found.ok()) return found.status();
  if (Succeeded(*found)) return absl::OkStatus();
  if (ErrorOf(*found) == AgentNotFound(agent_id)) return AgentUnknown(agent_id);
  return Refused(ErrorOf(*found));
}

absl::StatusOr<std::vector<AppServer::StoredFile>> AppServer::ReadFiles(
    const std::string& agent_id) {
  if (absl::Status status = CheckAgent(agent_id); !status.ok()) return status;
  const auto listed = CallForAll(
      "list_memory", [&](json::Writer& writer) { WriteMember(writer, "agent_id", agent_id); },
      options_.call_timeout);
  if (!listed.ok()) return listed.status();
  std::vector<StoredFile> files;
  for (const Frame& frame : *listed) {
    if (!Succeeded(frame)) return Refused(ErrorOf(frame));
    for (const json::Value entry : ElementsOf(frame.body(), "entries")) {
      if (!entry.is_object()) continue;
      std::string path = TextOf(entry, "relative_path");
      if (IsMarkdown(path)) files.push_back({.path = std::move(path)});
    }
  }
  // The list has the contents, too, but trimmed.
  for (StoredFile& file : files) {
    const auto read = Call("read_memory_file", [&](json::Writer& writer) {
      WriteMember(writer, "agent_id", agent_id);
      WriteMember(writer, "path", file.path);
    });
    if (!read.ok()) return read.status();
    if (!Succeeded(*read)) return Refused(ErrorOf(*read));
    file.text = TextOf(read->body(), "content");
  }
  std::sort(files.begin(), files.end(),
            [](const StoredFile& a, const StoredFile& b) { return a.path < b.path; });
  return files;
}

absl::StatusOr<std::string> AppServer::ReadCommit(const std::string& agent_id) {
  const auto history = Call("memory_history", [&](json::Writer& writer) {
    WriteMember(writer, "agent_id", agent_id);
    writer.Key("limit");
    writer.Int(1);
  });
  if (!history.ok()) return history.status();
  if (!Succeeded(*history)) return Refused(ErrorOf(*history));
  for (const json::Value commit : ElementsOf(history->body(), "commits")) {
    if (commit.is_object()) return TextOf(commit, "sha");
  }
  return "";
}

absl::StatusOr<Memory> AppServer::ReadMemory(const std::string& agent_id) {
  const auto files = ReadFiles(agent_id);
  if (!files.ok()) return files.status();
  auto commit = ReadCommit(agent_id);
  if (!commit.ok()) return commit.status();
  Memory memory{.commit = *std::move(commit)};
  for (const StoredFile& file : *files) {
    memory.files.push_back(DecodeMemoryFile(file.path, file.text));
  }
  return memory;
}

absl::StatusOr<std::string> AppServer::WriteMemory(const std::string& agent_id,
                                                   const std::vector<MemoryFile>& files) {
  std::map<std::string, const MemoryFile*> wanted;
  for (const MemoryFile& file : files) {
    if (!IsMemoryPath(file.path)) {
      return InvalidField("path", StrCat("a memory file's path is relative and ends in .md: ",
                                         Clip(file.path, 200)));
    }
    wanted[file.path] = &file;
  }
  const auto stored = ReadFiles(agent_id);
  if (!stored.ok()) return stored.status();
  std::map<std::string, std::string> before;
  for (const StoredFile& file : *stored) before[file.path] = file.text;

  std::string commit;
  std::vector<std::string> touched;
  absl::Status failed;
  const auto apply = [&](const std::string& path, absl::StatusOr<std::string> change) {
    touched.push_back(path);
    if (!change.ok()) failed = change.status();
    if (change.ok() && !change->empty()) commit = *std::move(change);
    return failed.ok();
  };
  for (const auto& [path, file] : wanted) {
    const auto old = before.find(path);
    if (old != before.end() && SaysTheSame(DecodeMemoryFile(path, old->second), *file)) continue;
    if (!apply(path, WriteFile(agent_id, path, EncodeMemoryFile(*file)))) break;
  }
  for (const auto& [path, text] : before) {
    if (!failed.ok()) break;
    if (!wanted.contains(path)) apply(path, DeleteFile(agent_id, path));
  }
  if (failed.ok()) return commit.empty() ? ReadCommit(agent_id) : commit;
  // A commit that is refused leaves the file changed. What was is brought back, as far as the server answers.
  absl::Status left;
  for (auto path = touched.rbegin(); path != touched.rend(); ++path) {
    const auto old = before.find(*path);
    absl::StatusOr<std::string> undone =
        old == before.end() ? DeleteFile(agent_id, *path) : WriteFile(agent_id, *path, old->second);
    // A new file that was never committed is deleted all the same, but only the next time without complaint.
    if (!undone.ok() && old == before.end()) undone = DeleteFile(agent_id, *path);
    left.Update(undone.status());
  }
  if (left.ok()) return failed;
  return MakeError(failed.code(), ReasonOf(failed),
                   StrCat(MessageOf(failed), "; the memory is left half changed: write it again"));
}

absl::StatusOr<std::string> AppServer::WriteFile(const std::string& agent_id,
                                                 const std::string& path, const std::string& text) {
  const auto written = Call("write_memory_file", [&](json::Writer& writer) {
    WriteMember(writer, "agent_id", agent_id);
    WriteMember(writer, "path", path);
    WriteMember(writer, "content", text);
  });
  if (!written.ok()) return written.status();
  if (!Succeeded(*written)) return Refused(ErrorOf(*written));
  return TextOf(written->body(), "commit_sha");
}

absl::StatusOr<std::string> AppServer::DeleteFile(const std::string& agent_id,
                                                  const std::string& path) {
  const auto deleted = Call("delete_memory_file", [&](json::Writer& writer) {
    WriteMember(writer, "agent_id", agent_id);
    WriteMember(writer, "path", path);
  });
  if (!deleted.ok()) return deleted.status();
  if (!Succeeded(*deleted)) return Refused(ErrorOf(*deleted));
  return TextOf(deleted->body(), "commit_sha");
}

absl::StatusOr<std::unique_ptr<Conversation>> AppServer::Open(const Attach& attach) {
  auto session = Connect();
  if (!session.ok()) return session.status();
  return AppServerConversation::Open(*std::move(session), attach, options_.call_timeout);
}

absl::StatusOr<std::string> AppServer::Fork(const std::string& conversation_id,
                                            const std::string& message_id) {
  const auto forked = Call("conversation_fork", [&](json::Writer& writer) {
    WriteMember(writer, "conversation_id", conversation_id);
    writer.Key("body");
    writer.BeginObject();
    WriteMember(writer, "message_id", message_id);
    writer.EndObject();
  });
  if (!forked.ok()) return forked.status();
  if (!Succeeded(*forked)) {
    const bool unknown = ErrorOf(*forked) == ConversationNotFound(conversation_id);
    return unknown ? ConversationUnknown(conversation_id) : Refused(ErrorOf(*forked));
  }
  const auto conversation = ObjectOf(forked->body(), "conversation");
  std::string id = conversation ? TextOf(*conversation, "id") : "";
  if (id.empty()) return Refused("it named no conversation");
  return id;
}

absl::StatusOr<std::vector<Message>> AppServer::Messages(const std::string& conversation_id,
                                                         int limit) {
  std::vector<Message> messages;  // newest first
  std::string before;
  while (static_cast<int>(messages.size()) < limit) {
    const auto page = Call("conversation_messages_list", [&](json::Writer& writer) {
      WriteMember(writer, "conversation_id", conversation_id);
      writer.Key("query");
      writer.BeginObject();
      writer.Key("limit");
      writer.Int(std::min<int>(kMostPage, limit - static_cast<int>(messages.size())));
      WriteMember(writer, "order", "desc");
      if (!before.empty()) WriteMember(writer, "before", before);
      writer.EndObject();
    });
    if (!page.ok()) return page.status();
    if (!Succeeded(*page)) {
      // Of a conversation that it does not know the server says that an agent is unknown, which nobody named.
      const auto known = Call("conversation_retrieve", [&](json::Writer& writer) {
        WriteMember(writer, "conversation_id", conversation_id);
      });
      if (!known.ok()) return known.status();
      const bool unknown =
          !Succeeded(*known) && ErrorOf(*known) == ConversationNotFound(conversation_id);
      return unknown ? ConversationUnknown(conversation_id) : Refused(ErrorOf(*page));
    }
    for (const json::Value message : ElementsOf(page->body(), "messages")) {
      if (message.is_object()) messages.push_back(ReadMessage(message));
    }
    std::string next = TextOf(page->body(), "next_before");
    if (!IsTrue(page->body(), "has_more") || next.empty() || next == before) break;
    before = std::move(next);
  }
  if (static_cast<int>(messages.size()) > limit) messages.resize(static_cast<std::size_t>(limit));
  std::reverse(messages.begin(), messages.end());
  return messages;
}

}  // namespace god33::letta::app_server
