#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "pg/connection.h"
#include "projection/session.h"
#include "projection/workflow.h"

namespace god33::manager {

// The tables that are folded from the log, as the projector sees them; what is folded is
// eventlog::FoldSource.
class ProjectionStore {
 public:
  explicit ProjectionStore(pg::Connection& connection) : connection_(connection) {}

  absl::StatusOr<std::int64_t> Head();

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
  template <typename State>
  absl::Status SaveEach(const pg::Statement& statement, const std::map<Uuid, State>& states);

  pg::Connection& connection_;
};

}  // namespace god33::manager
