#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "base/uuid.h"

// One event as it travels (seed 001, "Event Envelope"): the form that the services work with,
// whatever shape it had on the bus. Plain values. The protobuf twin is
// god33.event.v1.EventEnvelope.

namespace god33::event {

inline constexpr std::size_t kMaxTypeLength = 255;
inline constexpr std::size_t kMaxVersionLength = 20;
inline constexpr std::size_t kMaxParents = 1000;

struct Source {
  std::string host;
  std::string type;
  std::optional<std::string> app;
  std::string meta;  // JSON text; empty: none

  friend bool operator==(const Source&, const Source&) = default;
};

struct CodeState {
  std::optional<std::string> repo_url;
  std::optional<std::string> branch;
  std::optional<std::string> working_diff;
  std::optional<std::string> branch_diff;
  std::optional<std::string> last_commit_hash;

  friend bool operator==(const CodeState&, const CodeState&) = default;
};

struct AgentContext {
  std::optional<std::string> type;
  std::optional<std::string> name;
  std::optional<std::string> system_prompt;
  std::optional<std::string> instance_id;
  std::vector<std::string> mcp_servers;
  std::vector<std::string> file_references;
  std::vector<std::string> url_references;
  std::optional<CodeState> code_state;
  std::optional<std::string> checkpoint_id;
  std::string meta;  // JSON text; empty: none

  friend bool operator==(const AgentContext&, const AgentContext&) = default;
};

struct Envelope {
  Uuid id;
  std::string type;
  absl::Time time;  // whole microseconds

  // False when the producer gave no time (CloudEvents allows that) and `time` is when it was
  // received. Such a time is no part of the content: a second delivery has another one.
  bool time_given = true;

  std::string version = "1.0.0";
  Source source;
  std::vector<Uuid> parents;  // in the order given, without duplicates and without `id`
  std::optional<AgentContext> agent_context;
  std::string payload;  // JSON text of an object, as it was published
};

}  // namespace god33::event
