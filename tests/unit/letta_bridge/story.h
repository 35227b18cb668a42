#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "services/letta-bridge/task.h"
#include "testing/fake_ids.h"

// Events of a task for the tests of its fold.

namespace god33::letta {

using testing::FakeId;

// JSON with ' for ".
inline std::string Json(std::string text) {
  for (char& c : text) c = c == '\'' ? '"' : c;
  return text;
}

// A member of a payload that names an event or a session by its number.
inline std::string IdMember(std::string_view key, std::uint64_t n) {
  return StrCat("'", key, "':'", FakeId(n).ToString(), "'");
}

// An event as the log has it.
struct StoredEvent {
  Uuid id;
  std::string type;
  std::string payload;
  std::vector<Uuid> parents;

  TaskEvent View() const { return {id, type, payload, parents}; }
};

// The event FakeId(n); `members` of its payload are JSON, with ' for ".
inline StoredEvent Event(std::uint64_t n, std::string type, const std::string& members = "",
                         std::vector<Uuid> parents = {}) {
  return {FakeId(n), std::move(type), Json(StrCat("{", members, "}")), std::move(parents)};
}

inline constexpr std::uint64_t kWorkflow = 900;

inline StoredEvent Requested(std::uint64_t n, const std::string& more = "") {
  return Event(n, "bmad.workflow.handoff.requested",
               StrCat(IdMember("workflow_id", kWorkflow),
                      ",'from_agent':'bmad-architect','to_agent':'letta-python-dev',"
                      "'task_description':'Build it'",
                      more));
}

inline Task FoldAll(const std::vector<StoredEvent>& events) {
  Task task;
  for (const StoredEvent& event : events) Apply(event.View(), task);
  return task;
}

}  // namespace god33::letta
