#include "event/summary.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <optional>
#include <string_view>

#include "base/strings.h"
#include "json/text.h"
#include "json/value.h"

namespace god33::event {
namespace {

// Of one field; more than a summary can show.
constexpr std::size_t kMostBytes = 4 * kMaxSummary;

// How many bytes at the start of `text` (not empty, UTF-8) are a character that would do something
// instead of showing something: C0, DEL and C1 controls, line and paragraph separators, marks of
// reading direction. 0: none.
std::size_t UnsafePrefix(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : 0U;
  };
  if (byte(0) <= 0x20 || byte(0) == 0x7F) return 1;
  if (byte(0) == 0xC2 && byte(1) <= 0x9F) return 2;
  if (byte(0) == 0xD8 && byte(1) == 0x9C) return 2;  // U+061C
  if (byte(0) != 0xE2) return 0;
  const bool separator_or_turn =  // U+200E, U+200F, U+2028 to U+202E
      byte(1) == 0x80 &&
      (byte(2) == 0x8E || byte(2) == 0x8F || (byte(2) >= 0xA8 && byte(2) <= 0xAE));
  const bool isolate = byte(1) == 0x81 && byte(2) >= 0xA6 && byte(2) <= 0xA9;  // U+2066 to U+2069
  return separator_or_turn || isolate ? 3 : 0;
}

// The text in one line: what is unsafe and runs of blanks become one blank.
std::string OneLine(std::string_view text) {
  const std::string clean = json::CleanText(Clip(text, kMostBytes));
  std::string line;
  for (std::string_view rest = clean; !rest.empty();) {
    if (const std::size_t unsafe = UnsafePrefix(rest); unsafe > 0) {
      if (!line.empty() && line.back() != ' ') line.push_back(' ');
      rest.remove_prefix(std::min(unsafe, rest.size()));
    } else {
      line.push_back(rest.front());
      rest.remove_prefix(1);
    }
  }
  if (!line.empty() && line.back() == ' ') line.pop_back();
  return line;
}

// At most kMaxSummary characters, the last one an ellipsis if some were cut.
std::string Shortened(std::string text) {
  if (CountCharacters(text) <= kMaxSummary) return text;
  std::size_t end = 0;
  for (std::size_t characters = 0; end < text.size(); ++end) {
    if ((text[end] & 0xC0) != 0x80 && ++characters == kMaxSummary) break;
  }
  text.resize(end);
  return text + "…";
}

// A payload, read without ever failing.
class Fields {
 public:
  explicit Fields(const Envelope& envelope) : value_(json::Value::Checked(envelope.payload)) {}
  explicit Fields(const json::Value& object) : value_(object) {}

  // A text, number or boolean; empty if there is none.
  std::string Text(std::string_view key) const {
    const auto value = value_.Find(key);
    if (!value) return {};
    switch (value->kind()) {
      case json::Kind::kString:
        return OneLine(value->ToString());
      case json::Kind::kNumber:
      case json::Kind::kBool:
        return OneLine(value->text());
      default:
        return {};
    }
  }

  // The first of them that says something.
  std::string FirstOf(std::initializer_list<std::string_view> keys) const {
    for (const std::string_view key : keys) {
      if (std::string text = Text(key); !text.empty()) return text;
    }
    return {};
  }

  std::optional<Fields> Object(std::string_view key) const {
    const auto value = value_.Find(key);
    if (!value || !value->is_object()) return std::nullopt;
    return Fields(*value);
  }

  std::size_t CountOf(std::string_view key) const {
    const auto value = value_.Find(key);
    if (!value || value->kind() != json::Kind::kArray) return 0;
    std::size_t count = 0;
    for ([[maybe_unused]] const json::Value element : value->elements()) ++count;
    return count;
  }

 private:
  json::Value value_;
};

// `before`, `text` and `after`, or nothing if the text is empty.
std::string Around(std::string_view before, const std::string& text, std::string_view after = {}) {
  return text.empty() ? std::string() : StrCat(before, text, after);
}

std::string OrElse(std::string text, std::string_view otherwise) {
  return text.empty() ? std::string(otherwise) : text;
}

// Who acts, as the event's context tells.
std::string Actor(const Envelope& envelope) {
  if (!envelope.agent_context) return {};
  const AgentContext& context = *envelope.agent_context;
  return OneLine(context.name && !context.name->empty() ? *context.name
                                                        : context.type.value_or(""));
}

std::string WorkflowStarted(const Fields& fields, const Envelope&) {
  return StrCat("Workflow initiated", Around(" for project ", fields.Text("project_name")),
                Around(", beginning with ", fields.Text("phase")));
}

std::string PhaseCompleted(const Fields& fields, const Envelope&) {
  return StrCat("Phase ", Around("", fields.Text("phase"), " "), "completed",
                Around(", next is ", fields.Text("next_phase")));
}

std::string HandoffRequested(const Fields& fields, const Envelope& envelope) {
  const std::string from = OrElse(fields.Text("from_agent"), Actor(envelope));
  return StrCat(OrElse(from, "An agent"), " hands a task over",
                Around(" to ", fields.Text("to_agent")),
                Around(": ", fields.FirstOf({"task_description", "task", "task_type"})),
                Around(" (priority ", fields.Text("priority"), ")"));
}

std::string HandoffAccepted(const Fields& fields, const Envelope& envelope) {
  const std::string by = OrElse(Actor(envelope), fields.Text("agent_type"));
  return StrCat(OrElse(by, "An agent"), " took the task over",
                Around(" from ", fields.Text("accepted_from")),
                Around(", session ", fields.Text("session_id")));
}

std::string HandoffRejected(const Fields& fields, const Envelope&) {
  return StrCat("The task was not taken over", Around(" by ", fields.Text("to_agent")),
                Around(": ", fields.Text("reason")), Around(" (", fields.Text("detail"), ")"));
}

std::string ValidationRequested(const Fields& fields, const Envelope& envelope) {
  const std::string from = OrElse(fields.Text("from_agent"), Actor(envelope));
  return StrCat(Around("", from, " asks for a review"), from.empty() ? "A review is asked for" : "",
                Around(" of the work of ", fields.Text("target_agent")));
}

std::string WorkflowCompleted(const Fields& fields, const Envelope&) {
  return StrCat("Workflow completed", Around(": ", fields.Text("summary")));
}

std::string CheckpointSaved(const Fields& fields, const Envelope&) {
  std::string about = fields.Text("summary");
  if (about.empty()) {
    if (const auto snapshot = fields.Object("context_snapshot")) {
      about = snapshot->Text("current_focus");
    }
  }
  return StrCat("Checkpoint ", Around("", fields.Text("checkpoint_id"), " "), "saved",
                Around(" (", fields.Text("checkpoint_type"), ")"), Around(": ", about));
}

std::string Passed(const Fields& validation, std::string_view key, std::string_view what) {
  const std::string passed = validation.Text(key);
  if (passed == "true") return StrCat("; ", what, " passed");
  return passed == "false" ? StrCat("; ", what, " failed") : std::string();
}

std::string TaskCompleted(const Fields& fields, const Envelope&) {
  std::string line = StrCat("Task completed", Around(": ", fields.Text("summary")));
  if (const std::size_t artifacts = fields.CountOf("artifacts"); artifacts > 0) {
    StrAppend(&line, "; ", artifacts, artifacts == 1 ? " artifact" : " artifacts");
  }
  if (const auto validation = fields.Object("validation")) {
    StrAppend(&line, Passed(*validation, "tests_passed", "tests"),
              Passed(*validation, "lint_passed", "lint"),
              Around("; coverage ", validation->Text("coverage_pct"), " %"));
  }
  return line + Around("; next is ", fields.Text("next_action"));
}

std::string TaskBlocked(const Fields& fields, const Envelope&) {
  return StrCat("Blocked", Around(": ", fields.Text("reason")),
                Around("; needs ", fields.Text("needs")));
}

std::string SessionPaused(const Fields& fields, const Envelope&) {
  return StrCat("Session paused", Around(": ", fields.Text("reason")));
}

std::string SessionResumed(const Fields& fields, const Envelope&) {
  return StrCat(
      "Session resumed",
      Around(" from checkpoint ", fields.FirstOf({"resuming_from_checkpoint", "checkpoint_id"})));
}

std::string SessionFailed(const Fields& fields, const Envelope&) {
  return StrCat("Session failed", Around(": ", fields.FirstOf({"failure_reason", "reason"})),
                Around(" (", fields.Text("detail"), ")"));
}

std::string RecoveryStarted(const Fields& fields, const Envelope&) {
  return StrCat("Recovery started",
                Around(" from checkpoint ", fields.Text("recovering_from_checkpoint")),
                Around(", in session ", fields.Text("new_session_id")));
}

std::string TaskCancelled(const Fields& fields, const Envelope&) {
  return StrCat("Task called off", Around(" by ", fields.Text("cancelled_by")),
                Around(": ", fields.Text("reason")));
}

std::string TaskResumed(const Fields& fields, const Envelope&) {
  return StrCat("Task resumed", Around(" from checkpoint ", fields.Text("resuming_from")));
}

std::string ContextUpdated(const Fields& fields, const Envelope&) {
  return StrCat("Context updated",
                Around(": ", fields.FirstOf({"summary", "decision_incorporated"})));
}

std::string ContextRestored(const Fields& fields, const Envelope&) {
  return StrCat("Context restored", Around(" from checkpoint ", fields.Text("checkpoint_id")));
}

std::string FeedbackRequested(const Fields& fields, const Envelope& envelope) {
  const std::string from =
      OrElse(fields.FirstOf({"from_agent", "agent_instance_id", "agent_id"}), Actor(envelope));
  return StrCat(OrElse(from, "An agent"), " asks",
                Around(": ", fields.FirstOf({"question", "message"})),
                Around(" (answer by ", fields.Text("deadline"), ")"));
}

std::string FeedbackResponse(const Fields& fields, const Envelope& envelope) {
  const std::string by = OrElse(fields.Text("responder"), Actor(envelope));
  return StrCat("Answered", Around(" by ", by),
                Around(": ", fields.FirstOf({"decision", "response"})),
                Around(" (", fields.Text("rationale"), ")"));
}

std::string FeedbackWithdrawn(const Fields& fields, const Envelope&) {
  return StrCat("Question withdrawn", Around(": ", fields.Text("reason")));
}

std::string FeedbackTimedOut(const Fields& fields, const Envelope&) {
  return StrCat("Nobody answered in time",
                Around("; the default counts: ", fields.Text("decision")));
}

struct Rule {
  std::string_view type;
  std::string (*summarize)(const Fields& fields, const Envelope& envelope);
};

constexpr std::array kRules = {
    Rule{"agent.feedback.requested", FeedbackRequested},
    Rule{"agent.feedback.response", FeedbackResponse},
    Rule{"agent.feedback.timed_out", FeedbackTimedOut},
    Rule{"agent.feedback.withdrawn", FeedbackWithdrawn},
    Rule{"agent.handoff.accepted", HandoffAccepted},
    Rule{"agent.handoff.rejected", HandoffRejected},
    Rule{"agent.handoff.requested", HandoffRequested},
    Rule{"agent.letta.checkpoint.saved", CheckpointSaved},
    Rule{"agent.letta.context.restored", ContextRestored},
    Rule{"agent.letta.context.updated", ContextUpdated},
    Rule{"agent.letta.session.failed", SessionFailed},
    Rule{"agent.letta.session.paused", SessionPaused},
    Rule{"agent.letta.session.recovery.started", RecoveryStarted},
    Rule{"agent.letta.session.resumed", SessionResumed},
    Rule{"agent.letta.task.blocked", TaskBlocked},
    Rule{"agent.letta.task.cancelled", TaskCancelled},
    Rule{"agent.letta.task.completed", TaskCompleted},
    Rule{"agent.letta.task.resumed", TaskResumed},
    Rule{"bmad.workflow.completed", WorkflowCompleted},
    Rule{"bmad.workflow.handoff.requested", HandoffRequested},
    Rule{"bmad.workflow.phase.completed", PhaseCompleted},
    Rule{"bmad.workflow.started", WorkflowStarted},
    Rule{"bmad.workflow.validation.requested", ValidationRequested},
};

// "fireflies.transcript.ready" reads "Fireflies transcript ready".
std::string WordsOf(const std::string& type) {
  std::string words = OneLine(type);
  std::replace_if(
      words.begin(), words.end(), [](char c) { return c == '.' || c == '_'; }, ' ');
  if (words.empty()) return "An event";
  if (words[0] >= 'a' && words[0] <= 'z') words[0] = static_cast<char>(words[0] - 'a' + 'A');
  return words;
}

std::string AnyEvent(const Fields& fields, const Envelope& envelope) {
  return StrCat(WordsOf(envelope.type),
                Around(": ", fields.FirstOf({"summary", "message", "title", "description", "text",
                                             "reason", "error", "status", "name", "path"})));
}

}  // namespace

std::string Summarize(const Envelope& envelope) {
  const Fields fields(envelope);
  for (const Rule& rule : kRules) {
    if (rule.type == envelope.type) return Shortened(rule.summarize(fields, envelope));
  }
  return Shortened(AnyEvent(fields, envelope));
}

}  // namespace god33::event
