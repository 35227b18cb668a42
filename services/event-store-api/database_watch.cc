#include "services/event-store-api/database_watch.h"

#include "base/error.h"

namespace god33::api {
namespace {

constexpr absl::Duration kEvery = absl::Seconds(2);
constexpr absl::Duration kAgainAfter = absl::Milliseconds(500);

}  // namespace

DatabaseWatch::DatabaseWatch(Reader& reader, rpc::Health& health)
    : reader_(reader), health_(health), thread_([this] { Run(); }) {}

DatabaseWatch::~DatabaseWatch() {
  stop_.Request();
  thread_.join();
}

void DatabaseWatch::Run() {
  bool serving = false;
  do {
    const absl::Status status = reader_.Run(
        [this](pg::Connection& connection) { return reader_.State(connection).status(); });
    // A pool that is busy is no sign of a database that is away.
    serving = status.ok() || absl::IsResourceExhausted(status);
    health_.Set("postgresql", serving, std::string(MessageOf(status)));
  } while (!stop_.WaitFor(serving ? kEvery : kAgainAfter));
}

}  // namespace god33::api
