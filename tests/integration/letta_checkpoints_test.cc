#include <catch2/catch.hpp>
#include <thread>

#include "base/error.h"
#include "base/stop.h"
#include "services/letta-bridge/checkpoint_store.h"
#include "tests/integration/bridging.h"

// Which checkpoints, and which memories, are kept.

namespace god33::letta {
namespace {

using testing::Bridging;
using testing::MakeHandoff;
using testing::NewId;
using testing::TestDatabase;

struct Keeping : Bridging {
  // A task's checkpoints 1 to `digests.size()`, each with the memory of that name.
  Uuid MakeTask(const std::vector<std::string>& digests, const std::string& status = "active") {
    const Uuid task = Take(MakeHandoff());
    MustExecute(StrCat("UPDATE letta_tasks SET status = '", status, "' WHERE task_id = '",
                       task.ToString(), "'"));
    for (std::size_t i = 0; i < digests.size(); ++i) {
      MustExecute(StrCat("INSERT INTO letta_checkpoints VALUES ('", task.ToString(), "', ", i + 1,
                         ", '", NewId().ToString(),
                         "', gen_random_uuid(), gen_random_uuid(), 'progress', '", digests[i],
                         "', '{}', now()); INSERT INTO letta_memories VALUES ('", digests[i],
                         "', '[]', 100, now() - interval '2 h') ON CONFLICT DO NOTHING"));
    }
    return task;
  }
  std::string Sequences(const Uuid& task) const {
    return Text(
        StrCat("SELECT string_agg(sequence::text, ' ' ORDER BY sequence) "
               "FROM letta_checkpoints WHERE task_id = '",
               task.ToString(), "'"));
  }
  std::string Memories() const {
    return Text("SELECT coalesce(string_agg(digest, ' ' ORDER BY digest), '') FROM letta_memories");
  }

  // Drops, and checks that what goes is what was said.
  DroppedCheckpoints Drop(int kept) {
    const auto preview = PreviewDrop(*connection, kept);
    REQUIRE(preview.ok());
    const std::int64_t checkpoints = Count("letta_checkpoints");
    const std::int64_t memories = Count("letta_memories");
    const std::int64_t bytes = Number("SELECT coalesce(sum(bytes), 0) FROM letta_memories");
    REQUIRE(DropOldCheckpoints(*connection, kept).ok());
    CHECK(preview->checkpoints == checkpoints - Count("letta_checkpoints"));
    CHECK(preview->memories == memories - Count("letta_memories"));
    CHECK(preview->bytes == bytes - Number("SELECT coalesce(sum(bytes), 0) FROM letta_memories"));
    return *preview;
  }

  std::unique_ptr<pg::Connection> connection = TestDatabase::Connect(Database());
};

TEST_CASE("the first and the newest checkpoints of a task are kept, and what they name") {
  Keeping set;
  const Uuid task = set.MakeTask({"a", "b", "c", "d", "e"});
  const Uuid small = set.MakeTask({"f", "b"});
  const DroppedCheckpoints dropped = set.Drop(2);
  CHECK(dropped.checkpoints == 2);
  CHECK(dropped.memories == 1);
  CHECK(dropped.bytes == 100);
  CHECK(set.Sequences(task) == "1 4 5");
  CHECK(set.Sequences(small) == "1 2");
  CHECK(set.Memories() == "a b d e f");
  CHECK(set.Drop(2).checkpoints == 0);
}

TEST_CASE("of tasks that are over the first and the last are kept") {
  Keeping set;
  std::vector<Uuid> over;
  for (const char* status : {"completed", "blocked", "cancelled"}) {
    over.push_back(set.MakeTask({"a", "b", "c", "d"}, status));
  }
  const Uuid paused = set.MakeTask({"a", "b", "c", "d"}, "paused");
  const Uuid recovering = set.MakeTask({"x"}, "recovering");
  CHECK(set.Drop(10).checkpoints == 6);
  for (const Uuid& task : over) CHECK(set.Sequences(task) == "1 4");
  CHECK(set.Sequences(paused) == "1 2 3 4");
  CHECK(set.Sequences(recovering) == "1");
  CHECK(set.Memories() == "a b c d x");
}

TEST_CASE("nothing goes when all are to be kept") {
  Keeping set;
  const Uuid task = set.MakeTask({"a", "b", "c", "d"}, "completed");
  CHECK(set.Drop(0).checkpoints == 0);
  CHECK(set.Sequences(task) == "1 2 3 4");
}

TEST_CASE("a memory that was kept just now stays: its checkpoint may not be committed yet") {
  Keeping set;
  set.MakeTask({"a", "b", "c"}, "completed");
  set.MustExecute("UPDATE letta_memories SET kept_at = now() WHERE digest = 'b'");
  CHECK(set.Drop(1).memories == 0);
  CHECK(set.Memories() == "a b c");
  set.MustExecute("UPDATE letta_memories SET kept_at = now() - interval '2 h'");
  CHECK(set.Drop(1).memories == 1);
  CHECK(set.Memories() == "a c");
}

TEST_CASE("the same memory is kept once, and read as it was") {
  Keeping set;
  const std::vector<MemoryFile> files = {
      {.path = "system/persona.md", .description = "Who", .content = "I am\n"},
      {.path = "system/task.md", .description = "", .content = "ä \"quoted\" \x01 text"}};
  const auto digest = KeepMemory(*set.connection, files);
  REQUIRE(digest.ok());
  CHECK(digest->size() == 64);
  CHECK(*KeepMemory(*set.connection, files) == *digest);
  CHECK(set.Count("letta_memories") == 1);
  CHECK(*ReadMemoryOf(*set.connection, *digest) == files);
  CHECK(*KeepMemory(*set.connection, {}) != *digest);
  CHECK(ReadMemoryOf(*set.connection, *KeepMemory(*set.connection, {}))->empty());
  CHECK(ReasonOf(ReadMemoryOf(*set.connection, "none").status()) == "CHECKPOINT_DROPPED");
}

TEST_CASE("a memory that is kept while others are dropped is not lost") {
  Keeping set;
  const auto digest = *KeepMemory(*set.connection, {{.path = "a.md"}});
  set.MustExecute("UPDATE letta_memories SET kept_at = now() - interval '2 h'");
  // The checkpoint that names it is not committed yet.
  const auto other = TestDatabase::Connect(Keeping::Database());
  REQUIRE(other->Execute("BEGIN").ok());
  CHECK(*KeepMemory(*other, {{.path = "a.md"}}) == digest);
  absl::Status dropped = absl::UnknownError("not run");
  std::thread thread([&] { dropped = DropOldCheckpoints(*set.connection, 1); });
  Stop().WaitFor(absl::Milliseconds(200));
  REQUIRE(other->Commit().ok());
  thread.join();
  INFO(dropped);
  CHECK(dropped.ok());
  CHECK(set.Memories() == digest);
}

}  // namespace
}  // namespace god33::letta
