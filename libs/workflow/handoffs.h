#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/time/time.h"
#include "base/uuid.h"
#include "workflow/chain.h"

// A workflow's hand-offs and the questions of those who took them over, worked out of its chain.

namespace god33::workflow {

enum class HandoffState {
  kRequested,
  kAccepted,
  kBlocked,    // can't go on without help
  kFailed,     // its session failed, and nothing has recovered it yet
  kCompleted,  // this and what follows is for good: the first of them counts
  kRejected,
  kCancelled,
};

// "requested", "accepted", ...
std::string_view NameOf(HandoffState state);

struct Handoff {
  Uuid id;  // of the event that asked for it
  std::int64_t position = 0;
  std::string from;
  std::string to;
  std::string task_type;
  std::string task;
  absl::Time requested_at;

  HandoffState state = HandoffState::kRequested;
  std::string reason;  // of blocked, failed, rejected and cancelled
  std::string detail;
  bool paused = false;
  std::optional<absl::Time> accepted_at;
  std::optional<absl::Time> ended_at;  // completed, rejected or cancelled
  std::optional<Uuid> session;         // the one that has it now
  std::string checkpoint;              // the newest; empty: none
  std::int64_t checkpoints = 0;        // saved
  std::string progress;                // what the newest checkpoint says; empty: nothing
  std::optional<Uuid> completed_by;    // the event that said so

  // Completed, rejected or cancelled.
  bool over() const { return state >= HandoffState::kCompleted; }
};

struct Question {
  Uuid id;  // of the event that asks
  std::int64_t position = 0;
  std::optional<Uuid> handoff;
  std::optional<Uuid> session;
  std::string from;
  std::string text;
  std::vector<std::string> options;
  std::string default_answer;
  std::string deadline;  // as it was given
  absl::Time asked_at;
};

// What became of hand-offs. An event is about the one that it names as task_id, else the one whose session it
// is of (that of its acceptance, or of a recovery), else the one whose request or acceptance is its parent;
// whether they arrive in their order or not.
class Handoffs {
 public:
  explicit Handoffs(const Chain& chain);

  // By position.
  const std::vector<Handoff>& all() const { return all_; }

  // nullptr: there is no such hand-off.
  const Handoff* Find(const Uuid& id) const;

  // The hand-off that an event of the chain is about; nullptr: none.
  const Handoff* Of(const Link& link) const;

  // Those that nobody has answered or withdrawn, by position; none of a hand-off that is over.
  const std::vector<Question>& open_questions() const { return open_questions_; }

 private:
  std::optional<std::size_t> IndexOf(const Link& link) const;
  void LearnSessions(const Chain& chain);
  void ReadQuestions(const Chain& chain);

  std::vector<Handoff> all_;
  absl::flat_hash_map<Uuid, std::size_t> by_event_;  // requests and acceptances
  absl::flat_hash_map<Uuid, std::size_t> by_session_;
  std::vector<Question> open_questions_;
};

}  // namespace god33::workflow
