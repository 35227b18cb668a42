#pragma once

#include <functional>

#include "absl/status/status.h"
#include "amqp/publisher.h"
#include "base/executor.h"
#include "base/stop.h"
#include "god33/store/v1/dead_letters.grpc.pb.h"
#include "services/event-store-manager/dead_letter_store.h"
#include "services/event-store-manager/metrics.h"
#include "services/event-store-manager/sorter.h"

namespace god33::manager {

// DeadLetterService. Calls block on threads of its own: a few for single dead letters and lists, fewer
// for those that go through many, which may take minutes. When all are taken and enough calls wait, a
// call is refused: RESOURCE_EXHAUSTED (BUSY).
class DeadLetterService final : public store::v1::DeadLetterService::CallbackService {
 public:
  static constexpr std::size_t kSingleThreads = 4;
  static constexpr std::size_t kBulkThreads = 2;
  static constexpr std::size_t kThreads = kSingleThreads + kBulkThreads;

  DeadLetterService(DeadLetterStore& letters, amqp::Config broker, const Sorter& sorter,
                    Metrics& metrics);

  // Ends what goes through many after the step it is at.
  void Stop() { stop_.Request(); }

  grpc::ServerUnaryReactor* ListDeadLetters(grpc::CallbackServerContext* context,
                                            const store::v1::ListDeadLettersRequest* request,
                                            store::v1::ListDeadLettersResponse* response) override;
  grpc::ServerUnaryReactor* GetDeadLetter(grpc::CallbackServerContext* context,
                                          const store::v1::GetDeadLetterRequest* request,
                                          store::v1::GetDeadLetterResponse* response) override;
  grpc::ServerUnaryReactor* SendBackDeadLetter(
      grpc::CallbackServerContext* context, const store::v1::SendBackDeadLetterRequest* request,
      store::v1::SendBackDeadLetterResponse* response) override;
  grpc::ServerUnaryReactor* SendBackDeadLetters(
      grpc::CallbackServerContext* context, const store::v1::SendBackDeadLettersRequest* request,
      store::v1::SendBackDeadLettersResponse* response) override;
  grpc::ServerUnaryReactor* DropDeadLetter(grpc::CallbackServerContext* context,
                                           const store::v1::DropDeadLetterRequest* request,
                                           store::v1::DropDeadLetterResponse* response) override;
  grpc::ServerUnaryReactor* DropDeadLetters(grpc::CallbackServerContext* context,
                                            const store::v1::DropDeadLettersRequest* request,
                                            store::v1::DropDeadLettersResponse* response) override;

 private:
  // Whether the caller still waits and the process still runs; an error if not.
  using Goes = std::function<absl::Status()>;

  Goes GoesOf(grpc::CallbackServerContext* context) const;

  absl::Status SendBack(const store::v1::SendBackDeadLetterRequest& request,
                        store::v1::SendBackDeadLetterResponse& response);
  absl::Status DryRun(const store::v1::SendBackDeadLetterRequest& request,
                      store::v1::SendBackDeadLetterResponse& response);
  absl::Status SendBackAll(const store::v1::SendBackDeadLettersRequest& request, const Goes& goes,
                           store::v1::SendBackDeadLettersResponse& response);
  absl::Status LookAtAll(const DeadLetterBulk& bulk, const Goes& goes,
                         store::v1::SendBackDeadLettersResponse& response);
  absl::Status DropAll(const store::v1::DropDeadLettersRequest& request, const Goes& goes,
                       store::v1::DropDeadLettersResponse& response);

  // What reading and looking up the message say: OK, or an error with the dead letter's reason. An
  // error of code UNAVAILABLE says that they said nothing.
  absl::Status VerdictOn(const amqp::Publication& publication, bool with_log);

  DeadLetterStore& letters_;
  const amqp::Config broker_;
  const Sorter& sorter_;
  Metrics& metrics_;
  god33::Stop stop_;
  Executor single_;
  Executor bulk_;
};

}  // namespace god33::manager
