#include "reaction/fault.h"

#include <catch2/catch.hpp>

#include "base/error.h"

namespace god33::reaction {
namespace {

TEST_CASE(
    "an error that PostgreSQL did not make is the database's fault if it passes, else the "
    "asker's") {
  CHECK(FaultOf(absl::UnavailableError("no connection")) == Fault::kDatabase);
  CHECK(FaultOf(absl::DeadlineExceededError("")) == Fault::kDatabase);
  CHECK(FaultOf(absl::InvalidArgumentError("")) == Fault::kOwn);
  CHECK(FaultOf(absl::InternalError("")) == Fault::kOwn);
  CHECK(FaultOf(absl::FailedPreconditionError("")) == Fault::kOwn);
  CHECK(FaultOf(absl::AbortedError("")) == Fault::kOwn);
  CHECK(FaultOf(absl::AlreadyExistsError("")) == Fault::kOwn);
  CHECK(FaultOf(MakeError(absl::StatusCode::kInternal, "EVENT_INVALID", "")) == Fault::kOwn);
}

}  // namespace
}  // namespace god33::reaction
