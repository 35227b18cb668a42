#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "http/web_socket_client.h"
#include "services/letta-bridge/app_server/frame.h"
#include "services/letta-bridge/app_server/inbox.h"

namespace god33::letta::app_server {

// One connection to the server, from its making to its loss: answers find their calls by request_id, all other
// frames their conversation. Thread-safe.
class Session {
 public:
  // Connects and asks the server what it is. UNIMPLEMENTED when it speaks another protocol.
  static absl::StatusOr<std::shared_ptr<Session>> Open(const http::WebSocketClientOptions& options,
                                                       absl::Duration timeout);

  // OK while the connection is there; then why it is lost.
  absl::Status status() const;

  // The server's version.
  const std::string& version() const { return version_; }

  // An id that no other command has, of this process or another.
  static std::string NewId();

  // Sends a command and waits for its answer, which may come in several frames. Of what the server says only
  // the arrival is checked. `command` names it in errors.
  absl::StatusOr<std::vector<Frame>> Call(std::string_view command, Members members,
                                          absl::Duration timeout);

  absl::Status Send(std::string frame);

  // Ends it: whoever waits is told that it is lost, because of `why`.
  void End(const absl::Status& why) { OnGone(why); }

  // From now on the conversation's frames go there, beginning with the tool calls that nobody has answered yet.
  // Who was there before is told that it is lost.
  void Attach(const Runtime& runtime, std::shared_ptr<Inbox> inbox);

  // These tool calls are answered: nobody who attaches later need see them.
  void Forget(const std::vector<std::string>& tool_call_requests);

  // Does nothing if another inbox has taken its place.
  void Detach(const Runtime& runtime, const Inbox* inbox);

 private:
  struct Pending {
    std::vector<Frame> frames;
    std::size_t bytes = 0;
    bool done = false;
  };

  Session() = default;

  absl::Status OnMessage(std::string text);
  void OnGone(const absl::Status& why);

  std::string version_;
  mutable absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Pending*> pending_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<Runtime, std::shared_ptr<Inbox>> inboxes_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Frame> open_calls_ ABSL_GUARDED_BY(mutex_);  // by request_id
  std::unique_ptr<http::WebSocketClient> client_;  // last: its thread uses all the others
};

}  // namespace god33::letta::app_server
