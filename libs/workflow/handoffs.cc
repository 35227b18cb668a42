#include "workflow/handoffs.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_set.h"

namespace god33::workflow {
namespace {

constexpr char kAcceptedType[] = "agent.handoff.accepted";
constexpr char kRejectedType[] = "agent.handoff.rejected";
constexpr char kRecoveryStartedType[] = "agent.letta.session.recovery.started";
constexpr char kAskedType[] = "agent.feedback.requested";

bool IsRequest(const Link& link) {
  return link.type == kHandoffRequestedType || link.type == "agent.handoff.requested";
}

bool EndsQuestion(const Link& link) {
  return link.type == "agent.feedback.response" || link.type == "agent.feedback.withdrawn" ||
         link.type == "agent.feedback.timed_out";
}

void Enter(Handoff& handoff, HandoffState state, const Link& link) {
  if (handoff.over()) return;
  handoff.state = state;
  handoff.reason = link.reason;
  handoff.detail = link.detail;
  if (handoff.over()) handoff.ended_at = link.time;
}

// It goes on: an acceptance, a recovery, a session that is resumed. Helps nobody whose work is over.
void GoOn(Handoff& handoff) {
  if (handoff.over()) return;
  handoff.state = HandoffState::kAccepted;
  handoff.reason.clear();
  handoff.detail.clear();
}

void Accept(Handoff& handoff, const Link& link) {
  handoff.accepted_at = link.time;
  // One that comes late tells who began; what has happened since stays.
  if (!handoff.session) handoff.session = link.session;
  if (handoff.checkpoint.empty()) handoff.checkpoint = link.checkpoint;
  if (handoff.state == HandoffState::kRequested) GoOn(handoff);
}

void Recover(Handoff& handoff, const Link& link) {
  if (!link.new_session) return;
  handoff.session = link.new_session;
  handoff.paused = false;
  GoOn(handoff);
}

void SaveCheckpoint(Handoff& handoff, const Link& link) {
  ++handoff.checkpoints;
  if (!link.checkpoint.empty()) handoff.checkpoint = link.checkpoint;
  if (!link.text.empty()) handoff.progress = link.text;
}

void Complete(Handoff& handoff, const Link& link) {
  if (handoff.over()) return;
  Enter(handoff, HandoffState::kCompleted, link);
  handoff.completed_by = link.id;
  if (!link.checkpoint.empty()) handoff.checkpoint = link.checkpoint;
}

void Apply(const Link& link, Handoff& handoff) {
  // Of a session that a recovery has replaced nothing counts any more.
  const bool of_old_session = link.session && handoff.session && *link.session != *handoff.session;
  if (link.type == kAcceptedType) {
    Accept(handoff, link);
  } else if (link.type == kRejectedType) {
    if (handoff.state == HandoffState::kRequested) Enter(handoff, HandoffState::kRejected, link);
  } else if (link.type == kRecoveryStartedType) {
    Recover(handoff, link);
  } else if (link.type == "agent.letta.task.cancelled") {
    Enter(handoff, HandoffState::kCancelled, link);
  } else if (link.type == kTaskCompletedType) {
    Complete(handoff, link);
  } else if (of_old_session) {
    return;
  } else if (link.type == "agent.letta.checkpoint.saved") {
    SaveCheckpoint(handoff, link);
  } else if (link.type == "agent.letta.session.paused") {
    handoff.paused = true;
  } else if (link.type == "agent.letta.session.resumed" ||
             link.type == "agent.letta.task.resumed") {
    handoff.paused = false;
    GoOn(handoff);
  } else if (link.type == "agent.letta.session.failed") {
    Enter(handoff, HandoffState::kFailed, link);
  } else if (link.type == "agent.letta.task.blocked") {
    Enter(handoff, HandoffState::kBlocked, link);
  }
  if (handoff.over()) handoff.paused = false;
}

}  // namespace

std::string_view NameOf(HandoffState state) {
  switch (state) {
    case HandoffState::kRequested:
      return "requested";
    case HandoffState::kAccepted:
      return "accepted";
    case HandoffState::kBlocked:
      return "blocked";
    case HandoffState::kFailed:
      return "failed";
    case HandoffState::kCompleted:
      return "completed";
    case HandoffState::kRejected:
      return "rejected";
    case HandoffState::kCancelled:
      return "cancelled";
  }
  return "unknown";
}

Handoffs::Handoffs(const Chain& chain) {
  for (const Link& link : chain.links()) {
    if (!IsRequest(link)) continue;
    by_event_.emplace(link.id, all_.size());
    all_.push_back({.id = link.id,
                    .position = link.position,
                    .from = link.from,
                    .to = link.to,
                    .task_type = link.kind,
                    .task = link.text,
                    .requested_at = link.time});
  }
  LearnSessions(chain);
  for (const Link& link : chain.links()) {
    if (IsRequest(link)) continue;
    if (const auto index = IndexOf(link)) Apply(link, all_[*index]);
  }
  ReadQuestions(chain);
}

// An event may stand before the acceptance or the recovery that tells whose session it is of, and a recovery
// before the acceptance.
void Handoffs::LearnSessions(const Chain& chain) {
  for (const Link& link : chain.links()) {
    if (link.type != kAcceptedType) continue;
    const auto index = IndexOf(link);
    if (!index) continue;
    by_event_.emplace(link.id, *index);
    if (link.session) by_session_.emplace(*link.session, *index);
  }
  for (bool learned = true; std::exchange(learned, false);) {
    for (const Link& link : chain.links()) {
      if (link.type != kRecoveryStartedType || !link.new_session) continue;
      const auto index = IndexOf(link);
      if (index && by_session_.emplace(*link.new_session, *index).second) learned = true;
    }
  }
}

void Handoffs::ReadQuestions(const Chain& chain) {
  absl::flat_hash_set<Uuid> ended;
  for (const Link& link : chain.links()) {
    if (!EndsQuestion(link)) continue;
    if (link.question) {
      ended.insert(*link.question);
    } else {
      ended.insert(link.parents.begin(), link.parents.end());
    }
  }
  for (const Link& link : chain.links()) {
    if (link.type != kAskedType || ended.contains(link.id)) continue;
    const Handoff* handoff = Of(link);
    if (handoff != nullptr && handoff->over()) continue;
    open_questions_.push_back(
        {.id = link.id,
         .position = link.position,
         .handoff = handoff == nullptr ? std::nullopt : std::optional(handoff->id),
         .session = link.session,
         .from = link.from.empty() && handoff != nullptr ? handoff->to : link.from,
         .text = link.text,
         .options = link.options,
         .default_answer = link.default_answer,
         .deadline = link.deadline,
         .asked_at = link.time});
  }
}

const Handoff* Handoffs::Find(const Uuid& id) const {
  const auto handoff =
      std::find_if(all_.begin(), all_.end(), [&id](const Handoff& each) { return each.id == id; });
  return handoff == all_.end() ? nullptr : &*handoff;
}

const Handoff* Handoffs::Of(const Link& link) const {
  const auto index = IndexOf(link);
  return index ? &all_[*index] : nullptr;
}

std::optional<std::size_t> Handoffs::IndexOf(const Link& link) const {
  if (link.task) {
    if (const auto found = by_event_.find(*link.task); found != by_event_.end())
      return found->second;
  }
  if (link.session) {
    if (const auto found = by_session_.find(*link.session); found != by_session_.end()) {
      return found->second;
    }
  }
  for (const Uuid& parent : link.parents) {
    if (const auto found = by_event_.find(parent); found != by_event_.end()) return found->second;
  }
  return std::nullopt;
}

}  // namespace god33::workflow
