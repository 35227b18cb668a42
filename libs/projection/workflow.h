#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "base/uuid.h"
#include "projection/fold_event.h"

// The state of a BMAD workflow (seed 001, "Workflow State Projection"), as a fold of the events
// that belong to it. The rules are DESIGN.md, decision 24.

namespace god33::projection {

struct WorkflowPhase {
  std::string phase;
  std::optional<absl::Time> started_at;
  std::optional<absl::Time> completed_at;

  friend bool operator==(const WorkflowPhase&, const WorkflowPhase&) = default;
};

struct WorkflowHandoff {
  std::string from;
  std::string to;
  absl::Time at;
  std::optional<absl::Time> accepted_at;
  Uuid event_id;

  friend bool operator==(const WorkflowHandoff&, const WorkflowHandoff&) = default;
};

// What the columns hold, in characters.
inline constexpr std::size_t kMostPhase = 50;
inline constexpr std::size_t kMostAgent = 100;
inline constexpr std::size_t kMostProject = 255;

struct WorkflowState {
  static constexpr std::size_t kMostListed = 1000;  // of hand-offs, events and agents

  Uuid id;
  std::string project_name = "unknown";
  std::string current_phase = "unknown";
  std::string current_agent;           // empty: none
  std::string current_agent_instance;  // empty: none
  absl::Time started_at;
  absl::Time updated_at;
  std::optional<absl::Time> completed_at;
  bool started = false;       // bmad.workflow.started was folded
  bool implementing = false;  // the first agent.handoff.accepted was folded
  std::vector<WorkflowPhase> phase_history;
  std::deque<WorkflowHandoff> handoffs;
  std::deque<Uuid> events;       // the newest, oldest first
  std::set<std::string> agents;  // who was involved
  std::int64_t version = 0;      // events folded
  std::int64_t position = 0;     // the newest of their `since`

  friend bool operator==(const WorkflowState&, const WorkflowState&) = default;
};

// Folds the event into the state. FAILED_PRECONDITION when it holds what the table can't (a phase
// of more than 50 characters, ...); then `state` is unchanged.
absl::Status Apply(const FoldEvent& event, WorkflowState& state);

// The columns that are JSON, and back. Reading what was written gives the same state.
std::string PhaseHistoryJson(const WorkflowState& state);
std::string HandoffsJson(const WorkflowState& state);
std::string MetadataJson(const WorkflowState& state);
void ReadPhaseHistory(std::string_view json, WorkflowState& state);
void ReadHandoffs(std::string_view json, WorkflowState& state);
void ReadMetadata(std::string_view json, WorkflowState& state);

}  // namespace god33::projection
