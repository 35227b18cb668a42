#include "sequence/membership.h"

#include <catch2/catch.hpp>

#include "testing/fake_ids.h"
#include "unit/printers.h"

namespace god33::sequence {
namespace {

using testing::FakeId;
using Memberships = std::vector<Membership>;

const Uuid kW1 = FakeId(1);
const Uuid kW2 = FakeId(2);
const Uuid kC1 = FakeId(3);
const Uuid kC2 = FakeId(4);

Membership Workflow(const Uuid& id, std::string project = "", bool inherited = true) {
  return {GroupKind::kWorkflow, id, inherited, std::move(project)};
}

Membership Collaboration(const Uuid& id, bool inherited) {
  return {GroupKind::kCollaboration, id, inherited, ""};
}

struct Case {
  std::string type = "a.b";
  event::Facts facts = {};
  std::string own_project = "";
  std::vector<Memberships> parents = {};
};

Groups Of(const Case& c) {
  std::vector<const Memberships*> parents;
  for (const Memberships& parent : c.parents) parents.push_back(&parent);
  return GroupsOf(c.type, c.facts, c.own_project, parents);
}

TEST_CASE("an event that names nothing and has no parents belongs nowhere") {
  const Groups groups = Of({});
  CHECK(groups.memberships.empty());
  CHECK(groups.project.empty());
}

TEST_CASE("an event belongs to the workflow that its payload names, and its children will") {
  const Groups groups = Of({.facts = {.workflow_id = kW1}});
  CHECK(groups.memberships == Memberships{Workflow(kW1)});
  CHECK(groups.project.empty());
}

TEST_CASE("a payload's workflow wins over those of the parents") {
  CHECK(Of({.facts = {.workflow_id = kW1}, .parents = {{Workflow(kW2)}}}).memberships ==
        Memberships{Workflow(kW1)});
}

TEST_CASE("an event that names no workflow belongs to its parents'") {
  CHECK(Of({.parents = {{Workflow(kW1)}, {}, {Workflow(kW2), Workflow(kW1)}}}).memberships ==
        Memberships{Workflow(kW1), Workflow(kW2)});
}

TEST_CASE("what is not inherited does not come down") {
  CHECK(
      Of({.parents = {{Collaboration(kC1, false), Workflow(kW1, "", false)}}}).memberships.empty());
}

TEST_CASE("the project is the payload's, else its workflow's, else that of the first parent's") {
  CHECK(Of({.facts = {.project = "p"}}).project == "p");
  CHECK(Of({.facts = {.workflow_id = kW1, .project = "p"}, .own_project = "q"}).project == "p");
  CHECK(Of({.facts = {.workflow_id = kW1}, .own_project = "q"}).project == "q");
  CHECK(Of({.parents = {{Workflow(kW1)}, {Workflow(kW2, "r")}}}).project == "r");
}

TEST_CASE("workflows come down within one project") {
  const Groups first = Of({.parents = {{Workflow(kW1, "p")}, {Workflow(kW2, "q")}}});
  CHECK(first.memberships == Memberships{Workflow(kW1, "p")});
  CHECK(first.project == "p");

  const Groups own =
      Of({.facts = {.project = "q"}, .parents = {{Workflow(kW1, "p")}, {Workflow(kW2, "q")}}});
  CHECK(own.memberships == Memberships{Workflow(kW2, "q")});
  CHECK(own.project == "q");
}

TEST_CASE("a workflow whose project is not known yet comes down in any project") {
  CHECK(Of({.facts = {.project = "q"}, .parents = {{Workflow(kW1)}}}).memberships ==
        Memberships{Workflow(kW1)});
  CHECK(Of({.parents = {{Workflow(kW1, "p")}, {Workflow(kW2)}}}).memberships ==
        Memberships{Workflow(kW1, "p"), Workflow(kW2)});
}

TEST_CASE("an event belongs to the collaboration it names, its children only if it started it") {
  CHECK(Of({.facts = {.collaboration_id = kC1}}).memberships ==
        Memberships{Collaboration(kC1, false)});
  CHECK(
      Of({.type = "agent.collaboration.started", .facts = {.collaboration_id = kC1}}).memberships ==
      Memberships{Collaboration(kC1, true)});
}

TEST_CASE("collaborations come down beside a workflow of the event's own, in any project") {
  CHECK(Of({.facts = {.workflow_id = kW1, .project = "p"},
            .own_project = "p",
            .parents = {{Collaboration(kC1, true), Workflow(kW2, "q")}}})
            .memberships == Memberships{Workflow(kW1, "p"), Collaboration(kC1, true)});
}

TEST_CASE("a collaboration that is named and inherited comes down further") {
  CHECK(Of({.facts = {.collaboration_id = kC1},
            .parents = {{Collaboration(kC1, true), Collaboration(kC2, true)}}})
            .memberships == Memberships{Collaboration(kC1, true), Collaboration(kC2, true)});
}

}  // namespace
}  // namespace god33::sequence
