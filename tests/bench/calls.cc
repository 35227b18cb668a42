// bench_calls: unary gRPC calls by many clients at once, each with a connection of its own and one call
// under way. Answers are not parsed. It prints how many calls there were and how long they took.

#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <atomic>
#include <cstdio>
#include <iostream>
#include <optional>
#include <thread>

#include "absl/synchronization/mutex.h"
#include "base/strings.h"
#include "god33/store/v1/event_store.grpc.pb.h"
#include "google/protobuf/text_format.h"
#include "rpc/process.h"
#include "rpc/server.h"
#include "tests/bench/checkpoints.h"
#include "tests/bench/command.h"
#include "wire/proto.h"
#include "wire/read.h"

namespace god33::bench {
namespace {

constexpr char kUsage[] = R"(usage: bench_calls ACTION
  serve                           a server of ListEventTypes whose answer is empty; prints its address
  append ADDRESS CLIENTS SEED N   appends N checkpoints, one a call
  echo ADDRESS CLIENTS N          calls what `serve` serves N times
  list ADDRESS CLIENTS N          N calls of ListEvents; requests are lines of input, as protobuf text
)";

using store::v1::EventStoreService;

constexpr std::size_t kThreads = 2;

class EmptyService final : public EventStoreService::CallbackService {
 public:
  grpc::ServerUnaryReactor* ListEventTypes(grpc::CallbackServerContext* context,
                                           const store::v1::ListEventTypesRequest*,
                                           store::v1::ListEventTypesResponse*) override {
    grpc::ServerUnaryReactor* reactor = context->DefaultReactor();
    reactor->Finish(grpc::Status::OK);
    return reactor;
  }
};

// As our services are, until its input ends.
void Serve() {
  rpc::PrepareProcess();
  EmptyService service;
  rpc::Health health;
  const auto server = Must(rpc::Server::Start({.listen = "127.0.0.1:0"}, {&service}, health));
  std::puts(server->address().c_str());
  std::fflush(stdout);
  std::cin.get();
}

grpc::ByteBuffer Bytes(const google::protobuf::Message& message) {
  const grpc::Slice slice(message.SerializeAsString());
  return grpc::ByteBuffer(&slice, 1);
}

std::vector<grpc::ByteBuffer> Appends(std::uint64_t seed, std::size_t count) {
  Checkpoints checkpoints(seed);
  std::vector<grpc::ByteBuffer> requests;
  for (; count > 0; --count) {
    const Checkpoint checkpoint = checkpoints.Next();
    store::v1::AppendEventRequest request;
    wire::ToProto(Must(wire::ReadMessage({.body = checkpoint.body})), *request.mutable_event());
    requests.push_back(Bytes(request));
  }
  return requests;
}

std::vector<grpc::ByteBuffer> ReadListRequests() {
  std::vector<grpc::ByteBuffer> requests;
  for (const std::string& line : InputLines()) {
    store::v1::ListEventsRequest request;
    if (!google::protobuf::TextFormat::ParseFromString(line, &request)) {
      Fail(absl::InvalidArgumentError(StrCat("no such request: ", line)));
    }
    requests.push_back(Bytes(request));
  }
  if (requests.empty()) Fail(absl::InvalidArgumentError("no requests on standard input"));
  return requests;
}

// What is called, and how often. Requests are used in turn. Thread-safe.
class Load {
 public:
  Load(std::string method, const std::vector<grpc::ByteBuffer>& requests, std::size_t count)
      : method_(std::move(method)), requests_(requests), count_(count) {}

  const std::string& method() const { return method_; }

  // nullptr: all calls were made.
  const grpc::ByteBuffer* Next() {
    const std::size_t number = next_.fetch_add(1, std::memory_order_relaxed);
    return number < count_ ? &requests_[number % requests_.size()] : nullptr;
  }

 private:
  const std::string method_;
  const std::vector<grpc::ByteBuffer>& requests_;
  const std::size_t count_;
  std::atomic<std::size_t> next_ = 0;
};

// One client: a connection and the call under way.
class Client {
 public:
  explicit Client(const std::string& address) : stub_(Connect(address)) {}

  // False: there is nothing left to call.
  bool Begin(Load& load, grpc::CompletionQueue& queue) {
    const grpc::ByteBuffer* request = load.Next();
    if (request == nullptr) return false;
    watch_.Restart();
    context_.emplace();
    call_ = stub_.PrepareUnaryCall(&*context_, load.method(), *request, &queue);
    call_->StartCall();
    call_->Finish(&answer_, &status_, this);
    return true;
  }

  // Milliseconds of the call that has ended.
  double End() {
    if (!status_.ok()) Fail(absl::UnavailableError(status_.error_message()));
    return watch_.Seconds() * 1000;
  }

 private:
  static std::shared_ptr<grpc::Channel> Connect(const std::string& address) {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);  // else all share one connection
    arguments.SetMaxReceiveMessageSize(-1);
    auto channel =
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments);
    if (!channel->WaitForConnected(std::chrono::system_clock::now() + std::chrono::seconds(10))) {
      Fail(absl::UnavailableError(StrCat("nobody serves at ", address)));
    }
    return channel;
  }

  grpc::GenericStub stub_;
  std::optional<grpc::ClientContext> context_;
  std::unique_ptr<grpc::GenericClientAsyncResponseReader> call_;
  grpc::ByteBuffer answer_;
  grpc::Status status_;
  Stopwatch watch_;
};

// Lets its clients call until all calls were made.
std::vector<double> Drive(Load& load, std::vector<std::unique_ptr<Client>>& clients) {
  std::vector<double> milliseconds;
  grpc::CompletionQueue queue;
  std::size_t under_way = 0;
  for (const auto& client : clients) under_way += client->Begin(load, queue);
  void* tag = nullptr;
  bool ok = false;
  while (under_way > 0 && queue.Next(&tag, &ok)) {
    auto* client = static_cast<Client*>(tag);
    milliseconds.push_back(client->End());
    if (!client->Begin(load, queue)) --under_way;
  }
  return milliseconds;
}

void Call(const std::string& method, const std::string& address, std::size_t clients,
          const std::vector<grpc::ByteBuffer>& requests, std::size_t count) {
  Load load(StrCat("/", EventStoreService::service_full_name(), "/", method), requests, count);
  std::vector<std::vector<std::unique_ptr<Client>>> of_thread(std::min(clients, kThreads));
  for (std::size_t i = 0; i < clients; ++i) {
    of_thread[i % of_thread.size()].push_back(std::make_unique<Client>(address));
  }
  absl::Mutex mutex;
  Latencies latencies;
  const Stopwatch watch;
  std::vector<std::thread> threads;
  for (auto& mine : of_thread) {
    threads.emplace_back([&] {
      const std::vector<double> milliseconds = Drive(load, mine);
      absl::MutexLock lock(&mutex);
      for (const double value : milliseconds) latencies.Add(value);
    });
  }
  for (std::thread& thread : threads) thread.join();
  latencies.Print(watch.Seconds());
}

int Main(int argc, char** argv) {
  Arguments arguments(argc, argv, kUsage);
  const std::string action = arguments.Text();
  if (action == "serve") {
    arguments.End();
    Serve();
    return 0;
  }
  const std::string address = arguments.Text();
  const std::size_t clients = arguments.Count();
  const std::size_t seed = action == "append" ? arguments.Count() : 0;
  const std::size_t count = arguments.Count();
  arguments.End();
  if (action == "append") {
    Call("AppendEvent", address, clients, Appends(seed, count), count);
  } else if (action == "echo") {
    Call("ListEventTypes", address, clients, {Bytes(store::v1::ListEventTypesRequest())}, count);
  } else if (action == "list") {
    Call("ListEvents", address, clients, ReadListRequests(), count);
  } else {
    arguments.Usage();
  }
  return 0;
}

}  // namespace
}  // namespace god33::bench

int main(int argc, char** argv) {
  return god33::bench::Main(argc, argv);
}
