#pragma once

#include <algorithm>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/error.h"
#include "base/strings.h"
#include "services/letta-bridge/backend.h"

namespace god33::letta {

// Stands in for Letta, in this process: it keeps agents and conversations, records what it is asked, and follows
// scripts instead of a model. A script belongs to the task whose description is its key: each input to that task's
// agent, in whichever conversation, takes the script's next turn; behind its end a turn completes the task. Thread-safe.
class RecordingBackend final : public Backend {
 public:
  // One thing that happens in a turn; after the last one the turn ends.
  struct Happening {
    enum class Kind { kSay, kCall, kFail, kHang, kLose, kDie, kSeen };
    Kind kind = Kind::kSay;
    std::string text;  // what is said, the tool, or why the model failed
    std::string arguments;
    Message message;
  };
  using Turn = std::vector<Happening>;
  static Happening Say(std::string text) { return {.text = std::move(text)}; }
  static Happening Call(std::string tool, std::string arguments) {
    return {
        .kind = Happening::Kind::kCall, .text = std::move(tool), .arguments = std::move(arguments)};
  }
  static Happening Fail() { return {.kind = Happening::Kind::kFail, .text = "no model"}; }

  // Nothing is heard of the turn any more, until it is aborted.
  static Happening Hang() { return {.kind = Happening::Kind::kHang}; }

  // The connection is lost, and the turn goes on; or is lost with it.
  static Happening Lose() { return {.kind = Happening::Kind::kLose}; }
  static Happening Die() { return {.kind = Happening::Kind::kDie}; }

  static Turn Complete() { return {Call("complete_task", R"({"summary":"built"})"), Say("Done.")}; }

  void Follow(const std::string& key, std::vector<Turn> script) {
    absl::MutexLock lock(&mutex_);
    scripts_[key] = {script.begin(), script.end()};
  }

  // The next call of the method for this task's agent fails.
  void FailNext(const std::string& method, const std::string& key, absl::Status status,
                int times = 1) {
    absl::MutexLock lock(&mutex_);
    for (int i = 0; i < times; ++i) faults_[{method, key}].push_back(status);
  }
  static absl::Status Away() {
    return MakeError(absl::StatusCode::kUnavailable, "LETTA_UNAVAILABLE", "away");
  }

  // Whether the server answers at all.
  void SetUp(bool up) {
    absl::MutexLock lock(&mutex_);
    up_ = up;
  }

  void Forget(const std::string& agent_id) {
    absl::MutexLock lock(&mutex_);
    agents_.erase(agent_id);
  }

  // ---- What was recorded.

  // Inputs to the task's agent.
  std::vector<std::string> Inputs(const std::string& key) const {
    absl::MutexLock lock(&mutex_);
    const auto found = inputs_.find(key);
    return found == inputs_.end() ? std::vector<std::string>() : found->second;
  }
  std::vector<ToolResult> Results(const std::string& key) const {
    absl::MutexLock lock(&mutex_);
    const auto found = results_.find(key);
    return found == results_.end() ? std::vector<ToolResult>() : found->second;
  }
  int Calls(const std::string& method) const {
    absl::MutexLock lock(&mutex_);
    const auto found = calls_.find(method);
    return found == calls_.end() ? 0 : found->second;
  }
  std::vector<MemoryFile> MemoryOf(const std::string& agent_id) const {
    absl::MutexLock lock(&mutex_);
    const auto found = agents_.find(agent_id);
    return found == agents_.end() ? std::vector<MemoryFile>() : found->second;
  }

  // ---- Backend.

  void Shutdown() override {}
  std::string Describe() const override { return "recording backend"; }
  absl::Status Check() override {
    absl::MutexLock lock(&mutex_);
    return up_ ? absl::OkStatus() : Away();
  }

  absl::StatusOr<std::string> CreateAgent(const AgentSpec& spec) override {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = Enter("CreateAgent", KeyIn(spec.memory)); !status.ok()) return status;
    const std::string id = StrCat("agent-", ++made_);
    agents_[id] = spec.memory;
    return id;
  }
  absl::Status DeleteAgent(const std::string& agent_id) override {
    absl::MutexLock lock(&mutex_);
    ++calls_["DeleteAgent"];
    agents_.erase(agent_id);
    return absl::OkStatus();
  }
  absl::StatusOr<Memory> ReadMemory(const std::string& agent_id) override {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = EnterFor("ReadMemory", agent_id); !status.ok()) return status;
    return Memory{.commit = StrCat("commit-", commits_), .files = agents_[agent_id]};
  }
  absl::StatusOr<std::string> WriteMemory(const std::string& agent_id,
                                          const std::vector<MemoryFile>& files) override {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = Enter("WriteMemory", KeyIn(files)); !status.ok()) return status;
    if (!agents_.contains(agent_id)) return UnknownAgent();
    agents_[agent_id] = files;
    return StrCat("commit-", ++commits_);
  }
  absl::StatusOr<std::unique_ptr<Conversation>> Open(const Attach& attach) override {
    absl::MutexLock lock(&mutex_);
    if (absl::Status status = EnterFor("Open", attach.agent_id); !status.ok()) return status;
    std::string id = attach.conversation_id;
    if (id.empty()) {
      id = StrCat("conv-", ++made_);
      chats_[id] = std::make_unique<Chat>();
      chats_[id]->agent_id = attach.agent_id;
    }
    const auto found = chats_.find(id);
    if (found == chats_.end()) return UnknownConversation();
    return std::unique_ptr<Conversation>(new Attached(*this, id, *found->second));
  }
  absl::StatusOr<std::string> Fork(const std::string& conversation_id,
                                   const std::string& message_id) override {
    absl::MutexLock lock(&mutex_);
    const auto found = chats_.find(conversation_id);
    if (found == chats_.end()) return UnknownConversation();
    const Chat& chat = *found->second;
    if (absl::Status status = Enter("Fork", chat.key); !status.ok()) return status;
    auto forked = std::make_unique<Chat>();
    forked->agent_id = chat.agent_id;
    forked->key = chat.key;
    for (const Message& message : chat.messages) {
      forked->messages.push_back(message);
      if (message.id != message_id) continue;
      const std::string id = StrCat("conv-", ++made_);
      chats_[id] = std::move(forked);
      return id;
    }
    return UnknownConversation();
  }
  absl::StatusOr<std::vector<Message>> Messages(const std::string& conversation_id,
                                                int limit) override {
    absl::MutexLock lock(&mutex_);
    const auto found = chats_.find(conversation_id);
    if (found == chats_.end()) return UnknownConversation();
    if (absl::Status status = Enter("Messages", found->second->key); !status.ok()) return status;
    const std::vector<Message>& all = found->second->messages;
    const std::size_t count = std::min(all.size(), static_cast<std::size_t>(limit));
    return std::vector<Message>(all.end() - static_cast<std::ptrdiff_t>(count), all.end());
  }

 private:
  struct Chat {
    std::string agent_id;
    std::string key;  // of the task, once its first input came
    std::vector<Message> messages;
    std::deque<Happening> ahead;
    bool running = false;
    bool waits_for_result = false;
  };

  class Attached final : public Conversation {
   public:
    Attached(RecordingBackend& backend, std::string id, Chat& chat)
        : backend_(backend),
          id_(std::move(id)),
          agent_id_(chat.agent_id),
          chat_(chat),
          running_(chat.running) {}

    const std::string& agent_id() const override { return agent_id_; }
    const std::string& id() const override { return id_; }
    bool running() const override { return running_; }
    absl::Status SeeMemory() override { return absl::OkStatus(); }

    absl::Status Send(const std::string& marker, const std::string& text) override {
      absl::MutexLock lock(&backend_.mutex_);
      if (chat_.key.empty()) chat_.key = backend_.KeyIn(text);
      if (absl::Status status = backend_.Enter("Send", chat_.key); !status.ok()) return status;
      if (lost_) return Away();
      backend_.inputs_[chat_.key].push_back(text);
      backend_.Add(chat_, {.kind = Message::Kind::kInput, .marker = marker, .text = text});
      auto& script = backend_.scripts_[chat_.key];
      Turn turn = Complete();
      if (!script.empty()) {
        turn = script.front();
        script.pop_front();
      }
      chat_.ahead.assign(turn.begin(), turn.end());
      chat_.running = true;
      return absl::OkStatus();
    }

    absl::StatusOr<TurnEvent> Next(absl::Duration timeout) override {
      absl::MutexLock lock(&backend_.mutex_);
      if (lost_) return Away();
      const auto has_news = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
        return woken_ ||
               (chat_.running && !chat_.waits_for_result &&
                (chat_.ahead.empty() || chat_.ahead.front().kind != Happening::Kind::kHang));
      };
      backend_.mutex_.AwaitWithTimeout(absl::Condition(&has_news), timeout);
      if (std::exchange(woken_, false) || !has_news()) return Nothing();
      if (chat_.ahead.empty()) {
        chat_.running = false;
        return TurnFinished{.tokens = 10};
      }
      const Happening happening = chat_.ahead.front();
      chat_.ahead.pop_front();
      switch (happening.kind) {
        case Happening::Kind::kSay:
          return MessageSeen{
              backend_.Add(chat_, {.kind = Message::Kind::kAnswer, .text = happening.text})};
        case Happening::Kind::kSeen:
          return MessageSeen{happening.message};
        case Happening::Kind::kCall: {
          const std::string call_id = StrCat("call-", ++backend_.made_);
          backend_.Add(chat_, {.kind = Message::Kind::kToolCall, .tool_call_id = call_id});
          chat_.waits_for_result = true;
          return ToolCall{
              .call_id = call_id, .name = happening.text, .arguments = happening.arguments};
        }
        case Happening::Kind::kFail:
          chat_.ahead.clear();
          chat_.running = false;
          return TurnFinished{.why = TurnFinished::Why::kFailed, .detail = happening.text};
        case Happening::Kind::kDie:
          chat_.ahead.clear();
          chat_.running = false;
          break;
        default:
          break;
      }
      lost_ = true;
      return Away();
    }

    absl::Status Answer(const ToolCall& call, const ToolResult& result) override {
      absl::MutexLock lock(&backend_.mutex_);
      if (absl::Status status = backend_.Enter("Answer", chat_.key); !status.ok()) {
        // The connection goes, and the turn with it.
        lost_ = true;
        chat_.ahead.clear();
        chat_.running = chat_.waits_for_result = false;
        return status;
      }
      backend_.results_[chat_.key].push_back(result);
      chat_.waits_for_result = false;
      const Message message = backend_.Add(
          chat_,
          {.kind = Message::Kind::kToolResult, .text = result.text, .tool_call_id = call.call_id});
      chat_.ahead.push_front({.kind = Happening::Kind::kSeen, .message = message});
      return absl::OkStatus();
    }

    absl::Status Abort() override {
      absl::MutexLock lock(&backend_.mutex_);
      if (absl::Status status = backend_.Enter("Abort", chat_.key); !status.ok()) return status;
      chat_.ahead.clear();
      chat_.running = chat_.waits_for_result = false;
      return absl::OkStatus();
    }

    void Wake() override {
      absl::MutexLock lock(&backend_.mutex_);
      woken_ = true;
    }

   private:
    RecordingBackend& backend_;
    const std::string id_;
    const std::string agent_id_;
    Chat& chat_;
    const bool running_;
    bool lost_ = false;
    bool woken_ = false;
  };

  static absl::Status UnknownAgent() {
    return MakeError(absl::StatusCode::kNotFound, "AGENT_UNKNOWN", "there is no such agent");
  }
  static absl::Status UnknownConversation() {
    return MakeError(absl::StatusCode::kNotFound, "CONVERSATION_UNKNOWN", "there is none");
  }

  // The task that a text is about.
  std::string KeyIn(std::string_view text) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const auto& [key, script] : scripts_) {
      if (text.find(StrCat("\n\n", key, "\n")) != std::string_view::npos) return key;
    }
    return {};
  }
  std::string KeyIn(const std::vector<MemoryFile>& files) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    for (const MemoryFile& file : files) {
      if (std::string key = KeyIn(file.content); !key.empty()) return key;
    }
    return {};
  }

  absl::Status Enter(const std::string& method, const std::string& key)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    ++calls_[method];
    auto& faults = faults_[{method, key}];
    if (faults.empty()) return absl::OkStatus();
    absl::Status status = faults.front();
    faults.pop_front();
    return status;
  }
  absl::Status EnterFor(const std::string& method, const std::string& agent_id)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto agent = agents_.find(agent_id);
    if (agent == agents_.end()) return UnknownAgent();
    return Enter(method, KeyIn(agent->second));
  }
  Message Add(Chat& chat, Message message) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    message.id = StrCat("m-", ++made_);
    chat.messages.push_back(message);
    return message;
  }

  mutable absl::Mutex mutex_;
  bool up_ ABSL_GUARDED_BY(mutex_) = true;
  int made_ ABSL_GUARDED_BY(mutex_) = 0;
  int commits_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::vector<MemoryFile>> agents_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::unique_ptr<Chat>> chats_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::deque<Turn>> scripts_ ABSL_GUARDED_BY(mutex_);
  std::map<std::pair<std::string, std::string>, std::deque<absl::Status>> faults_
      ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<std::string>> inputs_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, std::vector<ToolResult>> results_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, int> calls_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace god33::letta
