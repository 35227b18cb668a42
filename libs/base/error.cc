#include "base/error.h"

#include "absl/strings/cord.h"
#include "base/strings.h"

namespace god33 {
namespace {

constexpr char kReason[] = "god33.reason";
constexpr char kField[] = "god33.field";
constexpr std::string_view kMetadata = "god33.metadata.";

}  // namespace

absl::Status MakeError(absl::StatusCode code, std::string_view reason, std::string_view message,
                       std::string_view field) {
  absl::Status status(code, ToAbsl(message));
  status.SetPayload(kReason, absl::Cord(ToAbsl(reason)));
  if (!field.empty()) status.SetPayload(kField, absl::Cord(ToAbsl(field)));
  return status;
}

absl::Status InvalidArgument(std::string_view message) {
  return absl::InvalidArgumentError(ToAbsl(message));
}

absl::Status InvalidField(std::string_view field, std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, "INVALID_ARGUMENT",
                   StrCat(field, ": ", message), field);
}

std::string ReasonOf(const absl::Status& status) {
  if (const auto reason = status.GetPayload(kReason)) return std::string(*reason);
  return absl::StatusCodeToString(status.code());
}

std::string FieldOf(const absl::Status& status) {
  const auto field = status.GetPayload(kField);
  return field ? std::string(*field) : std::string();
}

absl::Status WithMetadata(absl::Status status, std::string_view key, std::string_view value) {
  status.SetPayload(StrCat(kMetadata, key), absl::Cord(ToAbsl(value)));
  return status;
}

std::map<std::string, std::string> MetadataOf(const absl::Status& status) {
  std::map<std::string, std::string> metadata;
  status.ForEachPayload([&metadata](absl::string_view url, const absl::Cord& payload) {
    const std::string_view name = ToStd(url);
    if (name.starts_with(kMetadata)) {
      metadata.emplace(name.substr(kMetadata.size()), std::string(payload));
    }
  });
  return metadata;
}

std::string_view MessageOf(const absl::Status& status) {
  return ToStd(status.message());
}

absl::Status Prefixed(const absl::Status& status, std::string_view prefix) {
  absl::Status result(status.code(), StrCat(prefix, status.message()));
  status.ForEachPayload([&result](absl::string_view url, const absl::Cord& payload) {
    result.SetPayload(url, payload);
  });
  return result;
}

}  // namespace god33
