#include "tools/god33/health.h"

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/impl/codegen/proto_utils.h>

#include <deque>
#include <memory>

#include "absl/synchronization/blocking_counter.h"
#include "grpc/health/v1/health.pb.h"
#include "tools/god33/api_client.h"

namespace god33::cli {
namespace {

using google::protobuf::Message;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

// "" is the service as a whole.
constexpr const char* kParts[] = {"", "postgresql", "rabbitmq", "outbox"};

// One question to one service.
struct Question {
  std::size_t service;
  std::string part;
  grpc::ClientContext context;
  HealthCheckRequest request;
  HealthCheckResponse response;
  grpc::Status status;
};

std::string WordFor(const Question& question) {
  if (question.status.ok()) {
    return question.response.status() == HealthCheckResponse::SERVING ? "serving" : "not_serving";
  }
  // A server that answers with an error is there, but does not say that it serves.
  const auto code = question.status.error_code();
  const bool answered =
      code == grpc::StatusCode::NOT_FOUND || code == grpc::StatusCode::UNIMPLEMENTED;
  return answered ? "not_serving" : "unreachable";
}

void Note(const Question& question, Health& health) {
  if (question.part.empty()) {
    health.status = WordFor(question);
    if (!question.status.ok()) health.detail = LastCause(question.status.error_message());
  } else if (question.status.ok()) {
    health.components[question.part] = WordFor(question);
  }
}

}  // namespace

std::vector<Health> AskHealth(const std::vector<Service>& services, absl::Duration timeout) {
  std::deque<Question> questions;  // elements stay where they are
  std::vector<std::unique_ptr<grpc::TemplatedGenericStub<Message, Message>>> stubs;
  absl::BlockingCounter missing(static_cast<int>(services.size() * std::size(kParts)));
  for (std::size_t i = 0; i < services.size(); ++i) {
    stubs.push_back(std::make_unique<grpc::TemplatedGenericStub<Message, Message>>(
        OpenChannel(services[i].address)));
    for (const char* part : kParts) {
      Question& question = questions.emplace_back();
      question.service = i;
      question.part = part;
      question.request.set_service(part);
      SetTimeout(question.context, timeout);
      stubs.back()->UnaryCall(&question.context, "/grpc.health.v1.Health/Check", {},
                              &question.request, &question.response,
                              [&question, &missing](grpc::Status status) {
                                question.status = std::move(status);
                                missing.DecrementCount();
                              });
    }
  }
  missing.Wait();
  std::vector<Health> answers(services.size());
  for (const Question& question : questions) Note(question, answers[question.service]);
  return answers;
}

}  // namespace god33::cli
