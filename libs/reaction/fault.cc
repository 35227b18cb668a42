#include "reaction/fault.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "pg/error.h"

namespace god33::reaction {
namespace {

// Serialization failure, deadlock, a lock that was not to be had in time.
constexpr std::array<std::string_view, 3> kRaces = {"40001", "40P01", "55P03"};

// Undefined table, column or function, missing rights, a server that only reads: not migrated yet, or a standby.
constexpr std::array<std::string_view, 5> kNotReady = {"42P01", "42703", "42883", "42501", "25006"};

bool IsIn(const auto& states, const std::string& state) {
  return std::find(states.begin(), states.end(), state) != states.end();
}

}  // namespace

Fault FaultOf(const absl::Status& failure) {
  const std::string state = pg::SqlState(failure);
  if (IsIn(kRaces, state)) return Fault::kRace;
  if (pg::IsTransient(failure) || IsIn(kNotReady, state)) return Fault::kDatabase;
  return Fault::kOwn;
}

}  // namespace god33::reaction
