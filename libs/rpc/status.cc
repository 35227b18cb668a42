#include "rpc/status.h"

#include <utility>

#include "base/error.h"
#include "google/rpc/error_details.pb.h"
#include "google/rpc/status.pb.h"

namespace god33::rpc {
namespace {

constexpr char kDomain[] = "god33";
constexpr char kField[] = "field";

}  // namespace

grpc::Status ToGrpc(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const auto code = static_cast<grpc::StatusCode>(status.code());
  google::rpc::ErrorInfo info;
  info.set_reason(ReasonOf(status));
  info.set_domain(kDomain);
  if (const std::string field = FieldOf(status); !field.empty()) {
    (*info.mutable_metadata())[kField] = field;
  }
  for (const auto& [key, value] : MetadataOf(status)) (*info.mutable_metadata())[key] = value;
  const std::string message(MessageOf(status));
  google::rpc::Status details;
  details.set_code(static_cast<int>(status.code()));
  details.set_message(message);
  details.add_details()->PackFrom(info);
  return grpc::Status(code, message, details.SerializeAsString());
}

absl::Status FromGrpc(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const auto code = static_cast<absl::StatusCode>(status.error_code());
  google::rpc::Status details;
  google::rpc::ErrorInfo info;
  if (details.ParseFromString(status.error_details())) {
    for (const auto& detail : details.details()) {
      if (!detail.UnpackTo(&info) || info.domain() != kDomain) continue;
      const auto field = info.metadata().find(kField);
      absl::Status result =
          MakeError(code, info.reason(), status.error_message(),
                    field == info.metadata().end() ? std::string() : field->second);
      for (const auto& [key, value] : info.metadata()) {
        if (key != kField) result = WithMetadata(std::move(result), key, value);
      }
      return result;
    }
  }
  return absl::Status(code, status.error_message());
}

}  // namespace god33::rpc
