#include "sequence/membership.h"

#include <algorithm>

namespace god33::sequence {
namespace {

constexpr char kCollaborationStarted[] = "agent.collaboration.started";

// Adds the membership unless it is there; a heritable one replaces one that is not.
void Join(std::vector<Membership>& memberships, Membership membership) {
  for (Membership& present : memberships) {
    if (present.kind == membership.kind && present.group == membership.group) {
      present.inherited |= membership.inherited;
      return;
    }
  }
  memberships.push_back(std::move(membership));
}

}  // namespace

Groups GroupsOf(const std::string& event_type, const event::Facts& facts,
                const std::string& own_project,
                const std::vector<const std::vector<Membership>*>& parents) {
  Groups groups;
  groups.project = facts.project.empty() ? own_project : facts.project;
  if (facts.workflow_id) {
    groups.memberships.push_back({GroupKind::kWorkflow, *facts.workflow_id, true,
                                  own_project.empty() ? facts.project : own_project});
  }
  if (facts.collaboration_id) {
    groups.memberships.push_back({GroupKind::kCollaboration, *facts.collaboration_id,
                                  event_type == kCollaborationStarted, std::string()});
  }
  for (const std::vector<Membership>* parent : parents) {
    for (const Membership& membership : *parent) {
      if (!membership.inherited) continue;
      if (membership.kind == GroupKind::kWorkflow) {
        if (facts.workflow_id) continue;
        const bool other_project = !membership.project.empty() && !groups.project.empty() &&
                                   membership.project != groups.project;
        if (other_project) continue;
        if (groups.project.empty()) groups.project = membership.project;
      }
      Join(groups.memberships, membership);
    }
  }
  return groups;
}

}  // namespace god33::sequence
