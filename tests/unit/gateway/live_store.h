#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/synchronization/mutex.h"
#include "base/error.h"
#include "base/strings.h"
#include "god33/store/v1/event_store.grpc.pb.h"
#include "rpc/status.h"

namespace god33::gateway {

// An EventStoreService with a log of its own, which grows as the test says. Positions are dense from
// 1; event N has the id "eN" and the payload {"n":N} with a line break in it.
class LiveStore final : public store::v1::EventStoreService::Service {
 public:
  explicit LiveStore(int port = 0) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(StrCat("127.0.0.1:", port), grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(this);
    server_ = builder.BuildAndStart();
  }

  ~LiveStore() override {
    End(grpc::Status(grpc::StatusCode::UNAVAILABLE, "stopping"));
    server_->Shutdown();
  }

  int port() const { return port_; }
  std::string address() const { return StrCat("127.0.0.1:", port_); }

  void Append(int count, std::size_t payload_bytes = 0) {
    absl::MutexLock lock(&mutex_);
    last_ += count;
    payload_bytes_ = payload_bytes;
  }

  // Ends all streams that are open.
  void End(const grpc::Status& status) {
    absl::MutexLock lock(&mutex_);
    end_ = status;
    ++ends_;
  }

  // Those that were opened, in their order; waits until there are so many.
  std::vector<store::v1::StreamEventsRequest> AwaitRequests(std::size_t count) {
    absl::MutexLock lock(&mutex_);
    const auto there = [this, count] { return requests_.size() >= count; };
    if (!mutex_.AwaitWithTimeout(absl::Condition(&there), absl::Seconds(10))) return {};
    return requests_;
  }

  // False when streams are still open after 10 s.
  bool AwaitNone() {
    absl::MutexLock lock(&mutex_);
    const auto none = [this] { return open_ == 0; };
    return mutex_.AwaitWithTimeout(absl::Condition(&none), absl::Seconds(10));
  }

  std::string request_id() {
    absl::MutexLock lock(&mutex_);
    return request_id_;
  }

  // How many events streams were given.
  int written() {
    absl::MutexLock lock(&mutex_);
    return written_;
  }

  grpc::Status StreamEvents(grpc::ServerContext* context,
                            const store::v1::StreamEventsRequest* request,
                            grpc::ServerWriter<store::v1::StreamEventsResponse>* writer) override {
    int ends = 0;
    std::int64_t position = 0;
    {
      absl::MutexLock lock(&mutex_);
      requests_.push_back(*request);
      const auto id = context->client_metadata().find("x-request-id");
      if (id != context->client_metadata().end()) {
        request_id_ = std::string(id->second.data(), id->second.size());
      }
      ends = ends_;
      position = request->has_after() ? request->after() : last_;
    }
    if (request->event_types_size() > 0 && request->event_types(0) == "bad type") {
      return rpc::ToGrpc(InvalidField("event_types[0]", "a word may have no blank"));
    }
    store::v1::StreamEventsResponse response;
    response.mutable_subscribed();
    response.set_position(position);
    writer->Write(response);
    return Follow(*context, position, ends, *writer);
  }

 private:
  grpc::Status Follow(grpc::ServerContext& context, std::int64_t position, int ends,
                      grpc::ServerWriter<store::v1::StreamEventsResponse>& writer) {
    absl::MutexLock lock(&mutex_);
    ++open_;
    while (!context.IsCancelled() && ends == ends_) {
      if (position < last_) {
        ++position;
        const std::string padding(payload_bytes_, 'x');
        mutex_.Unlock();
        store::v1::StreamEventsResponse response;
        response.mutable_event()->set_event_id(StrCat("e", position));
        response.mutable_event()->set_position(position);
        response.mutable_event()->mutable_payload()->set_text(
            StrCat("{\"n\":", position, ",\n\"x\":\"", padding, "\"}"));
        response.set_position(position);
        writer.Write(response);
        mutex_.Lock();
        ++written_;
      } else {
        const auto more = [&] { return position < last_ || ends != ends_; };
        mutex_.AwaitWithTimeout(absl::Condition(&more), absl::Milliseconds(10));
      }
    }
    --open_;
    return ends == ends_ ? grpc::Status::CANCELLED : end_;
  }

  int port_ = 0;
  absl::Mutex mutex_;
  std::int64_t last_ = 0;
  std::size_t payload_bytes_ = 0;
  int open_ = 0;
  int ends_ = 0;
  int written_ = 0;
  grpc::Status end_;
  std::vector<store::v1::StreamEventsRequest> requests_;
  std::string request_id_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace god33::gateway
