#include "tools/god33/watch.h"

#include <catch2/catch.hpp>

namespace god33::cli {
namespace {

TEST_CASE("without --watch a command is what it was") {
  int runs = 0;
  GlobalOptions options;
  Output nothing([](std::string_view) { return absl::OkStatus(); });
  SystemClock clock;
  TimeOrderedIds ids(clock);
  Session session{
      .options = options, .paper = {.out = nothing}, .prose = nothing, .clock = clock, .ids = ids};
  const Command command = Watched({}, [&runs](Session&) {
    ++runs;
    return absl::OkStatus();
  });
  CHECK(command(session).ok());
  CHECK(runs == 1);
}

TEST_CASE("a redrawn answer takes the place of the one before, which may have been longer") {
  std::size_t drawn = 0;
  CHECK(Redrawn("a\nb\n", "as of now", {.terminal = true}, drawn) ==
        "\x1b[?7l\ra\x1b[K\n\rb\x1b[K\n\ras of now\x1b[K\n\x1b[J\x1b[?7h");
  CHECK(drawn == 3);
  CHECK(Redrawn("c\n", "as of now", {.terminal = true}, drawn) ==
        "\x1b[?7l\x1b[3A\rc\x1b[K\n\ras of now\x1b[K\n\x1b[J\x1b[?7h");
  CHECK(drawn == 2);
}

TEST_CASE("an answer never scrolls the screen") {
  std::size_t drawn = 0;
  const std::string text =
      Redrawn("1\n2\n3\n4\n5\n6\n", "last", {.terminal = true, .height = 6}, drawn);
  CHECK(text ==
        "\x1b[?7l\r1\x1b[K\n\r2\x1b[K\n\r3\x1b[K\n\r(3 more "
        "lines)\x1b[K\n\rlast\x1b[K\n\x1b[J\x1b[?7h");
  CHECK(drawn == 5);
  Redrawn("1\n2\n3\n4\n", "last", {.terminal = true, .height = 6}, drawn);
  CHECK(drawn == 5);
  Redrawn("1\n2\n3\n4\n", "last", {.terminal = true, .height = 1}, drawn);
  CHECK(drawn == 3);
}

TEST_CASE("of lines, those that the answer before did not have are new") {
  std::set<std::string> seen;
  CHECK(NewLines("a\nb\n", seen) == "a\nb\n");
  CHECK(NewLines("b\nc\na\n", seen) == "c\n");
  CHECK(NewLines("", seen).empty());
  CHECK(NewLines("a\n", seen) == "a\n");
}

}  // namespace
}  // namespace god33::cli
