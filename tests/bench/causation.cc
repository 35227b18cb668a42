// bench_causation: events that caused others, and walks over them by the code of the API, inside this
// process. The database is DATABASE_URL's.

#include <cstdio>

#include "absl/functional/function_ref.h"
#include "base/strings.h"
#include "services/event-store-api/causation_ids.h"
#include "services/event-store-api/causation_walk.h"
#include "testing/random.h"
#include "tests/bench/command.h"
#include "tests/bench/store.h"

namespace god33::bench {
namespace {

constexpr char kUsage[] = R"(usage: bench_causation ACTION
  tree DEPTH       stores a tree in which each event causes 10; prints the id of its root
  diamond LAYERS   stores a root and layers of 2, each caused by both of the layer above; prints it
  chain N          stores a root and N events in a row; prints it
  walk ROOT N T    finds ROOT's N descendants T times; prints the milliseconds of each: for positions and
                   depths, and with their ids
  recurse ROOT N T   the same by a recursive CTE over the table id_edges (parent_id, child_id), with ids
)";

using Ids = std::vector<std::string>;

class Family {
 public:
  std::string Add(const Ids& parents) {
    std::string id = random_.Id().ToString();
    std::string list;
    for (const std::string& parent : parents) {
      StrAppend(&list, list.empty() ? "\"" : ",\"", parent, "\"");
    }
    events_.push_back(store_.Read(StrCat(
        R"({"event_id":")", id,
        R"(","event_type":"bench.cause.given","timestamp":"2026-01-01T00:00:00Z","version":"1.0.0",)",
        R"("source":{"host":"bench","type":"manual"},"correlation_ids":[)", list,
        R"(],"payload":{}})")));
    return id;
  }

  void Store() { store_.Write(std::move(events_)); }

 private:
  testing::Random random_{static_cast<std::uint64_t>(MonotonicNanos())};
  bench::Store store_;
  std::vector<manager::Submission> events_;
};

void Tree(Family& family, const std::string& root, std::size_t depth) {
  constexpr int kChildren = 10;
  Ids level = {root};
  for (; depth > 0; --depth) {
    Ids next;
    for (const std::string& parent : level) {
      for (int i = 0; i < kChildren; ++i) next.push_back(family.Add({parent}));
    }
    level = std::move(next);
  }
}

void Diamond(Family& family, const std::string& root, std::size_t layers) {
  Ids layer = {root};
  for (; layers > 0; --layers) layer = {family.Add(layer), family.Add(layer)};
}

void Chain(Family& family, const std::string& root, std::size_t count) {
  std::string last = root;
  for (; count > 0; --count) last = family.Add({last});
}

void Make(void (*shape)(Family&, const std::string&, std::size_t), std::size_t size) {
  Family family;
  const std::string root = family.Add({});
  shape(family, root, size);
  family.Store();
  std::puts(root.c_str());
}

api::Reach WalkFrom(api::Reader& reader, pg::Connection& connection, const Uuid& root) {
  constexpr pg::Statement kPosition = {"position",
                                       "SELECT position FROM event_ids WHERE event_id = $1::uuid"};
  const std::int64_t position = Must(connection.Query(kPosition, pg::Params().Id(root))).Int8(0, 0);
  const std::int64_t head = Must(reader.State(connection)).head;
  return Must(
      api::WalkLog(reader, connection, {.root = position, .max_depth = 10'000, .head = head}));
}

// Times what finds the root and `expected` events below it: `find` returns how many there were.
void Time(std::size_t expected, std::size_t times, absl::FunctionRef<std::size_t()> find) {
  for (; times > 0; --times) {
    const std::size_t found = find();
    if (found != expected + 1) {
      Fail(absl::InternalError(StrCat("found ", found - 1, " events, not ", expected)));
    }
  }
}

void Walk(const Uuid& root, std::size_t expected, std::size_t times) {
  api::Reader reader({.database = StoreDatabase(), .connections = 1});
  Check(reader.Run([&](pg::Connection& connection) {
    Time(expected, times, [&] {
      const Stopwatch watch;
      const api::Reach reach = WalkFrom(reader, connection, root);
      const double walked = watch.Seconds();
      const std::size_t found = Must(api::ReadIds(connection, reach.walk.nodes())).size();
      std::printf("%.3f %.3f\n", walked * 1000, watch.Seconds() * 1000);
      return found;
    });
    return absl::OkStatus();
  }));
}

void Recurse(const Uuid& root, std::size_t expected, std::size_t times) {
  constexpr pg::Statement kRecurse = {"recurse", R"sql(
    WITH RECURSIVE walk (id, depth) AS (
      SELECT $1::uuid, 0
      UNION SELECT e.child_id, walk.depth + 1 FROM walk JOIN id_edges AS e ON e.parent_id = walk.id)
    SELECT id, min(depth) FROM walk GROUP BY id)sql"};
  const auto connection = Must(pg::Connection::Open(StoreDatabase()));
  Time(expected, times, [&] {
    const Stopwatch watch;
    const pg::Result rows = Must(connection->Query(kRecurse, pg::Params().Id(root)));
    std::printf("%.3f\n", watch.Seconds() * 1000);
    return static_cast<std::size_t>(rows.rows());
  });
}

int Main(int argc, char** argv) {
  Arguments arguments(argc, argv, kUsage);
  const std::string action = arguments.Text();
  if (action == "walk" || action == "recurse") {
    const auto root = Uuid::Parse(arguments.Text());
    if (!root) arguments.Usage();
    const std::size_t expected = arguments.Count();
    const std::size_t times = arguments.Count();
    arguments.End();
    (action == "walk" ? Walk : Recurse)(*root, expected, times);
    return 0;
  }
  const std::size_t size = arguments.Count();
  arguments.End();
  if (action == "tree") {
    Make(Tree, size);
  } else if (action == "diamond") {
    Make(Diamond, size);
  } else if (action == "chain") {
    Make(Chain, size);
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
