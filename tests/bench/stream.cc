// bench_stream ADDRESS N: one subscriber that catches up by gRPC: N events from the beginning of the log. It prints
// the seconds it took.

#include <grpcpp/grpcpp.h>

#include <cstdio>

#include "base/strings.h"
#include "god33/store/v1/event_store.grpc.pb.h"
#include "tests/bench/command.h"

namespace god33::bench {
namespace {

int Main(int argc, char** argv) {
  Arguments arguments(argc, argv, "usage: bench_stream ADDRESS N\n");
  const std::string address = arguments.Text();
  const std::size_t count = arguments.Count();
  arguments.End();
  const auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
  const auto stub = store::v1::EventStoreService::NewStub(channel);
  store::v1::StreamEventsRequest request;
  request.set_after(0);
  const Stopwatch watch;
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  const auto reader = stub->StreamEvents(&context, request);
  store::v1::StreamEventsResponse frame;
  std::size_t events = 0;
  while (events < count && reader->Read(&frame)) events += frame.has_event();
  const double seconds = watch.Seconds();
  context.TryCancel();
  const grpc::Status status = reader->Finish();
  if (events < count) {
    Fail(absl::UnavailableError(StrCat("ended after ", events, ": ", status.error_message())));
  }
  std::printf("%.3f\n", seconds);
  return 0;
}

}  // namespace
}  // namespace god33::bench

int main(int argc, char** argv) {
  return god33::bench::Main(argc, argv);
}
