#include "workflow/chain.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <utility>

#include "base/strings.h"
#include "json/value.h"
#include "projection/payload.h"

namespace god33::workflow {
namespace {

using projection::FoldEvent;
using projection::Payload;

// Payloads may be large; this much of a text tells what it is about.
constexpr std::size_t kMostText = 10'000;
constexpr std::size_t kMostOptions = 100;

bool Steers(std::string_view type) {
  static constexpr std::array<std::string_view, 5> kFamilies = {
      "bmad.workflow.", "agent.handoff.", "agent.letta.task.", "agent.letta.session.",
      "agent.feedback."};
  return type == "agent.letta.checkpoint.saved" ||
         std::any_of(kFamilies.begin(), kFamilies.end(),
                     [type](std::string_view family) { return type.starts_with(family); });
}

std::string FirstOf(const Payload& payload, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (const std::string text = payload.Text(key); !text.empty()) {
      return std::string(Clip(text, kMostText));
    }
  }
  return {};
}

std::vector<std::string> OptionsOf(const FoldEvent& event) {
  std::vector<std::string> options;
  const auto list = json::Value::Checked(event.payload).Find("options");
  if (!list || list->kind() != json::Kind::kArray) return options;
  for (const json::Value option : list->elements()) {
    if (options.size() == kMostOptions) break;
    if (option.is_string()) options.emplace_back(Clip(option.ToString(), kMostText));
  }
  return options;
}

Link Read(const FoldEvent& event) {
  const Payload payload(event.payload);
  return {.id = event.id,
          .type = event.type,
          .position = event.position,
          .time = event.time,
          .parents = event.parents,
          .session = payload.Id("session_id"),
          .new_session = payload.Id("new_session_id"),
          .task = payload.Id("task_id"),
          .question = payload.Id("request_id"),
          .from = FirstOf(payload, {"from_agent", "agent_instance_id", "agent_id"}),
          .to = FirstOf(payload, {"to_agent", "target_agent"}),
          .kind = FirstOf(payload, {"task_type", "checkpoint_type"}),
          .text = FirstOf(payload, {"task_description", "task", "question", "message", "decision",
                                    "response", "summary"}),
          .reason = FirstOf(payload, {"failure_reason", "reason"}),
          .detail = FirstOf(payload, {"detail", "needs"}),
          .checkpoint = FirstOf(payload, {"checkpoint_id", "final_checkpoint_id",
                                          "recovering_from_checkpoint", "last_checkpoint_id"}),
          .options = OptionsOf(event),
          .default_answer = FirstOf(payload, {"default"}),
          .deadline = FirstOf(payload, {"deadline"})};
}

}  // namespace

void Chain::Add(const FoldEvent& event) {
  ++events_;
  if (!Steers(event.type)) return;
  Link link = Read(event);
  const auto place = std::upper_bound(
      links_.begin(), links_.end(), link.position,
      [](std::int64_t position, const Link& other) { return position < other.position; });
  links_.insert(place, std::move(link));
}

const Link* Chain::Last(std::string_view type) const {
  for (auto link = links_.rbegin(); link != links_.rend(); ++link) {
    if (link->type == type) return &*link;
  }
  return nullptr;
}

}  // namespace god33::workflow
