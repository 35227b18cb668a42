#include "base/error.h"

#include <catch2/catch.hpp>

#include "absl/status/statusor.h"

namespace god33 {
namespace {

TEST_CASE("an error carries its code, reason, message and field") {
  const absl::Status status = MakeError(absl::StatusCode::kAborted, "VERSION_CONFLICT",
                                        "has version 3", "expected_version");
  CHECK(status.code() == absl::StatusCode::kAborted);
  CHECK(ReasonOf(status) == "VERSION_CONFLICT");
  CHECK(MessageOf(status) == "has version 3");
  CHECK(FieldOf(status) == "expected_version");
}

TEST_CASE("an error about no field names none") {
  CHECK(FieldOf(MakeError(absl::StatusCode::kAborted, "R", "m")).empty());
  CHECK(FieldOf(absl::InternalError("m")).empty());
}

TEST_CASE("an error made elsewhere has its code's name as reason") {
  CHECK(ReasonOf(absl::UnavailableError("gone")) == "UNAVAILABLE");
  CHECK(ReasonOf(absl::NotFoundError("gone")) == "NOT_FOUND");
  CHECK(ReasonOf(InvalidArgument("bad")) == "INVALID_ARGUMENT");
}

TEST_CASE("an invalid field is an invalid argument whose message names it") {
  const absl::Status status = InvalidField("limit", "expected 1 to 1000, got 0");
  CHECK(status.code() == absl::StatusCode::kInvalidArgument);
  CHECK(ReasonOf(status) == "INVALID_ARGUMENT");
  CHECK(FieldOf(status) == "limit");
  CHECK(MessageOf(status) == "limit: expected 1 to 1000, got 0");
}

TEST_CASE("a prefix changes the message alone") {
  const absl::Status status = Prefixed(
      MakeError(absl::StatusCode::kNotFound, "EVENT_NOT_FOUND", "no such event", "event_id"),
      "events[3]: ");
  CHECK(status.code() == absl::StatusCode::kNotFound);
  CHECK(MessageOf(status) == "events[3]: no such event");
  CHECK(ReasonOf(status) == "EVENT_NOT_FOUND");
  CHECK(FieldOf(status) == "event_id");
  CHECK(ReasonOf(Prefixed(absl::UnavailableError("m"), "p")) == "UNAVAILABLE");
}

TEST_CASE("no error stays no error") {
  CHECK(Prefixed(absl::OkStatus(), "prefix").ok());
  CHECK(FieldOf(absl::OkStatus()).empty());
  CHECK(MessageOf(absl::OkStatus()).empty());
}

TEST_CASE("reason and field survive copies and StatusOr") {
  const absl::StatusOr<int> result = InvalidField("offset", "expected 0 or more");
  const absl::Status copy = result.status();
  CHECK(ReasonOf(copy) == "INVALID_ARGUMENT");
  CHECK(FieldOf(copy) == "offset");
}

TEST_CASE("metadata travels beside reason and field, and none of them shows up in another") {
  const absl::Status status =
      WithMetadata(WithMetadata(InvalidField("after", "too far"), "position", "12"), "within", "3");
  CHECK(MetadataOf(status) ==
        std::map<std::string, std::string>{{"position", "12"}, {"within", "3"}});
  CHECK(MetadataOf(Prefixed(status, "p: ")) == MetadataOf(status));
  CHECK(FieldOf(status) == "after");
  CHECK(MetadataOf(InvalidField("after", "too far")).empty());
  CHECK(MetadataOf(absl::OkStatus()).empty());
}

TEST_CASE("a message may hold any bytes") {
  const std::string_view message("a\0\xFF", 3);
  CHECK(MessageOf(MakeError(absl::StatusCode::kInternal, "R", message)) == message);
}

}  // namespace
}  // namespace god33
