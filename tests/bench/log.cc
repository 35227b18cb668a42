// bench_log: writing the log and folding it, inside this process. It prints the seconds it took. The
// database is DATABASE_URL's.

#include <cstdio>

#include "eventlog/fold_source.h"
#include "services/event-store-manager/projector.h"
#include "tests/bench/checkpoints.h"
#include "tests/bench/command.h"
#include "tests/bench/store.h"

namespace god33::bench {
namespace {

constexpr char kUsage[] = R"(usage: bench_log ACTION
  write SEED N   stores N checkpoints by the batch writer
  project        folds the whole log, from nothing
  read           reads the whole log as the projector does, and folds nothing
)";

// Reading the messages is not counted, which the consumer's thread does in the manager; so they are read
// some at a time.
double Write(std::uint64_t seed, std::size_t count) {
  constexpr std::size_t kMostRead = 50'000;
  Store store;
  Checkpoints checkpoints(seed);
  double seconds = 0;
  for (std::size_t written = 0; written < count;) {
    std::vector<manager::Submission> submissions;
    for (; submissions.size() < kMostRead && written < count; ++written) {
      submissions.push_back(store.Read(checkpoints.Next().body));
    }
    const Stopwatch watch;
    store.Write(std::move(submissions));
    seconds += watch.Seconds();
  }
  return seconds;
}

double Project() {
  auto connection = Must(pg::Connection::Open(StoreDatabase()));
  Check(
      connection->Execute("DELETE FROM workflow_state; DELETE FROM agent_sessions; "
                          "UPDATE cursors SET position = 0, within = 0 WHERE name = 'projector'"));
  auto lease = Must(eventlog::AcquireCursor(*connection, "projector", "bench", absl::Minutes(10)));
  if (!lease) Fail(absl::AbortedError("somebody else projects"));
  prometheus::Registry registry;
  manager::Metrics metrics(registry);
  manager::Projector projector(StoreDatabase(), metrics);
  const Stopwatch watch;
  while (Must(projector.Step(*connection, *lease))) {
  }
  const double seconds = watch.Seconds();
  Check(eventlog::ReleaseCursor(*connection, *lease));
  return seconds;
}

// In steps of the projector's size.
double Read() {
  constexpr std::int64_t kPositions = 4000;
  constexpr int kItems = 8000;
  auto connection = Must(pg::Connection::Open(StoreDatabase()));
  constexpr pg::Statement kHead = {"head", "SELECT coalesce(max(position), 0) FROM event_ids"};
  const std::int64_t head = Must(connection->Query(kHead)).Int8(0, 0);
  eventlog::FoldSource source(*connection);
  const Stopwatch watch;
  for (std::int64_t position = 0; position < head; position += kPositions) {
    const auto items = Must(source.Items(position, position + kPositions, 0, kItems));
    Must(source.Events(items));
  }
  return watch.Seconds();
}

int Main(int argc, char** argv) {
  Arguments arguments(argc, argv, kUsage);
  const std::string action = arguments.Text();
  double seconds = 0;
  if (action == "write") {
    const std::size_t seed = arguments.Count();
    const std::size_t count = arguments.Count();
    arguments.End();
    seconds = Write(seed, count);
  } else if (action == "project") {
    arguments.End();
    seconds = Project();
  } else if (action == "read") {
    arguments.End();
    seconds = Read();
  } else {
    arguments.Usage();
  }
  std::printf("%.3f\n", seconds);
  return 0;
}

}  // namespace
}  // namespace god33::bench

int main(int argc, char** argv) {
  return god33::bench::Main(argc, argv);
}
