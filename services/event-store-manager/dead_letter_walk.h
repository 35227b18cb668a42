#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "god33/store/v1/dead_letters.pb.h"
#include "pg/connection.h"
#include "services/event-store-manager/dead_letter_query.h"

namespace god33::manager {

// Goes through the open dead letters that match a filter and are there when it starts, oldest first, in
// steps that may each have a connection and a transaction of their own.
class DeadLetterWalk {
 public:
  static absl::StatusOr<DeadLetterWalk> Start(pg::Connection& connection,
                                              const DeadLetterFilter& filter);

  // Comes upon at most `count` more and returns their ids.
  absl::StatusOr<std::vector<std::int64_t>> Next(pg::Connection& connection, int count);

  // The same with their bodies, about 16 MiB of them; with `lock`, without those that others work on.
  absl::StatusOr<std::vector<store::v1::DeadLetter>> Load(pg::Connection& connection, int count,
                                                          bool lock);

  // There are no more.
  bool end() const { return end_; }

  // How many it has come upon so far, also those that others work on.
  std::int64_t matched() const { return matched_; }

 private:
  struct Place {
    std::int64_t id;
    absl::Time recorded_at;
  };

  absl::StatusOr<std::vector<Place>> Look(pg::Connection& connection, int count) const;
  void GoOnBehind(const std::vector<Place>& places);
  static std::vector<std::int64_t> IdsAt(const std::vector<Place>& places);

  DeadLetterFilter filter_;
  std::vector<std::string> types_;  // those that match filter_.type
  absl::Time after_;
  std::int64_t after_id_ = 0;
  std::int64_t newest_id_ = 0;
  std::int64_t matched_ = 0;
  bool end_ = false;
};

}  // namespace god33::manager
