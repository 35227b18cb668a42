#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "services/letta-bridge/app_server/inbox.h"
#include "services/letta-bridge/app_server/session.h"
#include "services/letta-bridge/app_server/turn.h"
#include "services/letta-bridge/backend.h"

namespace god33::letta::app_server {

// A conversation on one connection: it ends with it.
class AppServerConversation final : public Conversation {
 public:
  static absl::StatusOr<std::unique_ptr<Conversation>> Open(std::shared_ptr<Session> session,
                                                            const Backend::Attach& attach,
                                                            absl::Duration call_timeout);
  ~AppServerConversation() override;

  const std::string& agent_id() const override { return runtime_.agent_id; }
  const std::string& id() const override { return runtime_.conversation_id; }
  bool running() const override { return running_; }
  absl::Status SeeMemory() override;
  absl::Status Send(const std::string& marker, const std::string& text) override;
  absl::StatusOr<TurnEvent> Next(absl::Duration timeout) override;
  absl::Status Answer(const ToolCall& call, const ToolResult& result) override;
  absl::Status Abort() override;
  void Wake() override { inbox_->Wake(); }

 private:
  AppServerConversation(std::shared_ptr<Session> session, Runtime runtime,
                        const std::vector<ToolSpec>& tools, absl::Duration call_timeout);

  absl::Status Start(const Backend::Attach& attach);

  // Sends a command about this conversation and takes frames until its answer is among them.
  absl::StatusOr<Frame> Call(std::string_view command, Members members);

  // Takes frames until `done` says so of one of them.
  absl::StatusOr<Frame> Await(std::string_view command, absl::FunctionRef<bool(const Frame&)> done);

  // What a turn needs that is late, so that neither it nor its owner waits for ever. When to look again.
  absl::StatusOr<absl::Duration> Watch();

  // Takes one frame, if there is one in time, and sends what it asks for.
  absl::StatusOr<std::optional<Frame>> Take(absl::Duration timeout);

  absl::Status SendFrames();

  std::shared_ptr<Session> session_;
  const Runtime runtime_;
  const absl::Duration call_timeout_;
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  Turn turn_;
  bool running_ = false;
  bool woken_ = false;              // while something else than Next waited
  std::int64_t waiting_nanos_ = 0;  // when the input was accepted, or its queue last resumed
  std::int64_t ending_nanos_ = 0;   // when the turn was first seen ending; 0: it is not
};

}  // namespace god33::letta::app_server
