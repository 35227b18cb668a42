#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pg/connection.h"
#include "projection/fold_event.h"
#include "projection/session.h"
#include "projection/workflow.h"

namespace god33::manager {

// One event that is to be folded into one aggregate. Items are folded in the order
// (since, own events before late members, position, workflows before sessions).
struct FoldItem {
  std::int64_t since = 0;
  std::int64_t position = 0;
  std::optional<Uuid> workflow;  // nullopt: into the sessions it names
};

// The log and the tables that are folded from it, as the projector sees them.
class ProjectionStore {
 public:
  explicit ProjectionStore(pg::Connection& connection) : connection_(connection) {}

  absl::StatusOr<std::int64_t> Head();

  // The items with after < since <= up_to, without the first `skip`; at most `limit`.
  absl::StatusOr<std::vector<FoldItem>> Items(std::int64_t after, std::int64_t up_to,
                                              std::int64_t skip, int limit);

  // The items of one workflow from (since, position) on, for a retry.
  absl::StatusOr<std::vector<FoldItem>> WorkflowItems(const Uuid& workflow, std::int64_t since,
                                                      std::int64_t position, std::int64_t up_to,
                                                      int limit);
  absl::StatusOr<std::vector<FoldItem>> SessionItems(const Uuid& session, std::int64_t since,
                                                     std::int64_t up_to, int limit);

  // The events of the items by position. Stops early when they grow large, so the last items may be
  // missing, but never the first.
  absl::StatusOr<std::map<std::int64_t, projection::FoldEvent>> Events(
      const std::vector<FoldItem>& items);

  // The states that are stored; absent ones are new.
  absl::StatusOr<std::map<Uuid, projection::WorkflowState>> Workflows(const std::vector<Uuid>& ids);
  absl::StatusOr<std::map<Uuid, projection::SessionState>> Sessions(const std::vector<Uuid>& ids);

  absl::Status Save(const std::map<Uuid, projection::WorkflowState>& workflows);
  absl::Status Save(const std::map<Uuid, projection::SessionState>& sessions);

  // An aggregate that stands still since an event of it could not be folded.
  struct Failure {
    std::string projection;  // "workflow" or "session"
    Uuid aggregate;
    std::int64_t since = 0;
    std::int64_t position = 0;
    std::string error;
    int attempts = 1;
  };
  absl::StatusOr<std::vector<Failure>> FrozenAmong(const std::string& projection,
                                                   const std::vector<Uuid>& ids);
  absl::StatusOr<std::optional<Failure>> NextRetry();
  absl::StatusOr<std::int64_t> CountFrozen();
  absl::Status Freeze(const Failure& failure, absl::Duration retry_in);
  absl::Status Thaw(const Failure& failure);

  // Gives events that were stored before their workflow's project was known their project: at most
  // 1,000, of workflows whose project became known at after < position <= up_to. Returns how many.
  absl::StatusOr<std::int64_t> FillProjects(std::int64_t after, std::int64_t up_to);

 private:
  absl::Status AddHandoffTargets(std::map<std::int64_t, projection::FoldEvent>& events);

  pg::Connection& connection_;
};

}  // namespace god33::manager
