#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/uuid.h"
#include "projection/fold_event.h"

// What the log says of a BMAD workflow to those who steer it.

namespace god33::workflow {

inline constexpr char kStartedType[] = "bmad.workflow.started";
inline constexpr char kPhaseCompletedType[] = "bmad.workflow.phase.completed";
inline constexpr char kHandoffRequestedType[] = "bmad.workflow.handoff.requested";
inline constexpr char kValidationRequestedType[] = "bmad.workflow.validation.requested";
inline constexpr char kCompletedType[] = "bmad.workflow.completed";
inline constexpr char kTaskCompletedType[] = "agent.letta.task.completed";

// One event, with as much of its payload as steering needs. What an event does not say is empty.
struct Link {
  Uuid id;
  std::string type;
  std::int64_t position = 0;
  absl::Time time;  // the producer's clock
  std::vector<Uuid> parents;

  std::optional<Uuid> session;
  std::optional<Uuid> new_session;  // that a recovery opens
  std::optional<Uuid> task;         // the hand-off, by its request's event id
  std::optional<Uuid> question;     // that is answered, by its request's event id

  std::string from;
  std::string to;
  std::string kind;  // of a task or of a checkpoint
  std::string text;  // task, question, answer, summary: what the event is about
  std::string reason;
  std::string detail;
  std::string checkpoint;
  std::vector<std::string> options;
  std::string default_answer;
  std::string deadline;
};

// The events of one workflow, in the order of positions. Plain value; one thread.
class Chain {
 public:
  // Takes the event in, once, in whatever order they come. Types that steering doesn't care for only count.
  void Add(const projection::FoldEvent& event);

  // Whether the log has the workflow at all.
  bool known() const { return events_ > 0; }

  const std::vector<Link>& links() const { return links_; }

  // The newest event of the type; nullptr: none.
  const Link* Last(std::string_view type) const;

 private:
  std::vector<Link> links_;
  std::int64_t events_ = 0;
};

}  // namespace god33::workflow
