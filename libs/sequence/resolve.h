#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/uuid.h"
#include "sequence/membership.h"
#include "sequence/unit.h"

namespace god33::sequence {

// What was looked up in the log for a batch. True as long as the log ends at `head` and no
// memberships of stored events have changed since `generation`.
struct Known {
  struct Event {
    std::int64_t position;
    Uuid digest;

    // Of the batch's event with this id, if its time is ours: the digest it has with the stored time.
    std::optional<Uuid> retry_digest = std::nullopt;

    bool IsSameAs(const NewEvent& event) const {
      return digest == event.digest || digest == retry_digest;
    }
  };

  std::int64_t head = 0;
  std::int64_t generation = 0;
  absl::flat_hash_map<Uuid, Event> events;  // those of the batch's ids and parents that are stored
  absl::flat_hash_map<std::int64_t, std::vector<Membership>> memberships;  // of the stored parents
  absl::flat_hash_map<Uuid, std::string> projects;  // of the workflows that the batch names
  absl::flat_hash_set<Uuid> awaited;                // those of the batch's ids that have children
  absl::flat_hash_map<std::string, std::int64_t> versions;  // of the batch's aggregates
};

// The rows that a batch becomes. `position` counts from head + 1 in the order of `events`.
struct Rows {
  struct EventRow {
    const NewEvent* event;
    std::int64_t position;
    std::string project;
    std::string aggregate;  // empty: none
    std::int64_t aggregate_version = 0;
  };
  struct Edge {
    std::int64_t parent;
    std::int64_t child;
  };
  struct Orphan {
    Uuid parent;
    std::int64_t child;
  };
  struct LateParent {
    std::int64_t position;
    Uuid id;
  };
  struct Member {
    std::int64_t position;
    Membership membership;
  };

  struct Owned {
    Uuid workflow;
    std::string project;
    std::int64_t position;
  };

  std::vector<EventRow> events;
  std::vector<Edge> edges;
  std::vector<Orphan> orphans;
  std::vector<LateParent> late_parents;
  std::vector<Member> members;
  std::vector<Owned> owned;                                 // workflows whose project became known
  absl::flat_hash_map<std::string, std::int64_t> versions;  // of the aggregates that moved
};

struct Resolution {
  std::vector<Outcome> outcomes;  // one for each unit
  Rows rows;
};

// Decides, unit by unit, what is new, a duplicate or in conflict, and gives positions from
// known.head + 1 without gaps. Events of earlier units count for later ones. Pure; the rows point
// into `units`.
Resolution Resolve(const std::vector<const Unit*>& units, const Known& known);

}  // namespace god33::sequence
