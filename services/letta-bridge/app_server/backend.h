#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/backoff.h"
#include "http/web_socket_client.h"
#include "services/letta-bridge/app_server/session.h"
#include "services/letta-bridge/backend.h"

namespace god33::letta::app_server {

struct Options {
  http::WebSocketUrl url;
  std::string token;  // the capability token of a server that is not on this machine
  absl::Duration connect_timeout = absl::Seconds(10);
  absl::Duration call_timeout = absl::Seconds(30);
  absl::Duration create_timeout = absl::Seconds(60);  // of an agent
};

// The Letta App Server, protocol 1, over one WebSocket for all conversations.
class AppServer final : public Backend {
 public:
  explicit AppServer(Options options);

  void Shutdown() override;
  std::string Describe() const override;
  absl::Status Check() override;
  absl::StatusOr<std::string> CreateAgent(const AgentSpec& spec) override;
  absl::Status DeleteAgent(const std::string& agent_id) override;
  absl::StatusOr<Memory> ReadMemory(const std::string& agent_id) override;
  absl::StatusOr<std::string> WriteMemory(const std::string& agent_id,
                                          const std::vector<MemoryFile>& files) override;
  absl::StatusOr<std::unique_ptr<Conversation>> Open(const Attach& attach) override;
  absl::StatusOr<std::string> Fork(const std::string& conversation_id,
                                   const std::string& message_id) override;
  absl::StatusOr<std::vector<Message>> Messages(const std::string& conversation_id,
                                                int limit) override;

 private:
  // The connection, made if there is none; one caller at a time makes it.
  absl::StatusOr<std::shared_ptr<Session>> Connect();

  // The answer to a command, of the server that did it; else its refusal.
  absl::StatusOr<Frame> Call(std::string_view command, Members members);
  absl::StatusOr<std::vector<Frame>> CallForAll(std::string_view command, Members members,
                                                absl::Duration timeout);

  // NOT_FOUND when the server says that there is none: to be asked before its memory, of which the server makes
  // an empty one for any id.
  absl::Status CheckAgent(const std::string& agent_id);

  // The agent's files as they are stored.
  struct StoredFile {
    std::string path;
    std::string text;
  };
  absl::StatusOr<std::vector<StoredFile>> ReadFiles(const std::string& agent_id);
  absl::StatusOr<std::string> ReadCommit(const std::string& agent_id);

  // The commit, or empty where nothing changed.
  absl::StatusOr<std::string> WriteFile(const std::string& agent_id, const std::string& path,
                                        const std::string& text);
  absl::StatusOr<std::string> DeleteFile(const std::string& agent_id, const std::string& path);

  const Options options_;
  mutable absl::Mutex mutex_;
  std::shared_ptr<Session> session_ ABSL_GUARDED_BY(mutex_);
  bool connecting_ ABSL_GUARDED_BY(mutex_) = false;
  bool shut_down_ ABSL_GUARDED_BY(mutex_) = false;
  Backoff backoff_ ABSL_GUARDED_BY(mutex_);
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);          // of the last try
  std::int64_t retry_nanos_ ABSL_GUARDED_BY(mutex_) = 0;  // until then nobody tries again
  std::string version_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace god33::letta::app_server
