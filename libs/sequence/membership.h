#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "event/envelope.h"
#include "event/facts.h"

namespace god33::sequence {

enum class GroupKind : char { kWorkflow = 'w', kCollaboration = 'c' };

// An event's membership of a workflow or a collaboration.
struct Membership {
  GroupKind kind;
  Uuid group;
  bool inherited;       // the event's children become members, too
  std::string project;  // of the workflow; empty: not known

  friend bool operator==(const Membership&, const Membership&) = default;
};

// The groups an event belongs to, and the project that owns it (DESIGN.md, decision 9).
//
// Workflows: the payload's own workflow_id wins; otherwise those of the parents, within one
// project: the event's own, else that of the first parent whose workflow has one. Collaborations:
// the one the payload names, and those that come down from an agent.collaboration.started.
struct Groups {
  std::vector<Membership> memberships;
  std::string project;
};

// `parents` are the memberships of the parents that are known, in the parents' order. `own_project`
// is the project of the workflow that the payload names, empty if there is none or it isn't known.
Groups GroupsOf(const std::string& event_type, const event::Facts& facts,
                const std::string& own_project,
                const std::vector<const std::vector<Membership>*>& parents);

}  // namespace god33::sequence
