#include "services/letta-bridge/command.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <csignal>
#include <functional>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/stop.h"
#include "base/strings.h"
#include "unit/letta_bridge/directory.h"

namespace god33::letta {
namespace {

// As a service has it (rpc::PrepareProcess).
const auto kPipeSignal = std::signal(SIGPIPE, SIG_IGN);

absl::StatusOr<CommandResult> Shell(const std::string& script, const std::string& input = "",
                                    absl::Duration timeout = absl::Seconds(20)) {
  return RunCommand({.words = {"sh", "-c", script}, .input = input, .timeout = timeout});
}

double SecondsOf(const std::function<void()>& action) {
  const std::int64_t begun = MonotonicNanos();
  action();
  return static_cast<double>(MonotonicNanos() - begun) / 1e9;
}

// Whether the process whose id the file holds is gone, soon.
bool IsGone(const Directory& directory, const std::string& file) {
  const pid_t pid = std::stoi(directory.Read(file));
  const Stop never;
  for (int i = 0; i < 500; ++i) {
    if (kill(pid, 0) != 0) return true;
    // One that ended and that nobody has waited for yet.
    std::ostringstream stat;
    stat << std::ifstream(StrCat("/proc/", pid, "/stat")).rdbuf();
    if (stat.str().find(") Z") != std::string::npos) return true;
    never.WaitFor(absl::Milliseconds(10));
  }
  return false;
}

TEST_CASE("a program's output and exit code come back, those of stderr in between") {
  const auto result = Shell("echo one; echo two >&2; echo three; exit 3");
  REQUIRE(result.ok());
  CHECK(result->exit_code == 3);
  CHECK(result->output == "one\ntwo\nthree\n");
  CHECK_FALSE(result->cut);
  CHECK(Shell("")->exit_code == 0);
}

TEST_CASE("a program gets its input to the end, however much it is") {
  CHECK(Shell("cat", "text")->output == "text");
  CHECK(Shell("cat", std::string("a\0b", 3))->output == std::string("a\0b", 3));
  CHECK(Shell("wc -c", std::string(3'000'000, 'x'))->output == "3000000\n");
  CHECK(Shell("wc -c")->output == "0\n");

  // Both ways at once, more than pipes hold.
  const auto echoed = RunCommand(
      {.words = {"cat"}, .input = std::string(1'000'000, 'x'), .most_output = 2'000'000});
  REQUIRE(echoed.ok());
  CHECK(echoed->output.size() == 1'000'000);
}

TEST_CASE("a program need not read its input") {
  const std::string much(1'000'000, 'x');
  CHECK(Shell("true", much)->exit_code == 0);
  CHECK(Shell("exec <&-; echo done", much)->output == "done\n");
  CHECK(Shell("head -c 5", much)->output == "xxxxx");
}

TEST_CASE("more output than is wanted is dropped, and the program goes on to its end") {
  const auto result =
      RunCommand({.words = {"sh", "-c", "head -c 500000 /dev/zero; exit 4"}, .most_output = 1000});
  REQUIRE(result.ok());
  CHECK(result->output == std::string(1000, '\0'));
  CHECK(result->cut);
  CHECK(result->exit_code == 4);
  const auto exact = RunCommand({.words = {"printf", "12345"}, .most_output = 5});
  CHECK(exact->output == "12345");
  CHECK_FALSE(exact->cut);
  const auto none = RunCommand({.words = {"printf", "12345"}, .most_output = 0});
  CHECK(none->output.empty());
  CHECK(none->cut);
}

TEST_CASE("a program that takes too long is ended with all that it has started") {
  const Directory directory;
  absl::StatusOr<CommandResult> result;
  const double seconds = SecondsOf([&] {
    result = RunCommand({.words = {"sh", "-c",
                                   "echo $$ >parent; sleep 60 & echo $! >child; "
                                   "trap '' TERM; wait; sleep 60"},
                         .directory = directory.path().string(),
                         .timeout = absl::Milliseconds(300)});
  });
  CHECK(absl::IsDeadlineExceeded(result.status()));
  CHECK(ReasonOf(result.status()) == "COMMAND_TIMEOUT");
  CHECK(seconds < 5);
  CHECK(IsGone(directory, "parent"));
  CHECK(IsGone(directory, "child"));
}

TEST_CASE("one that writes without end is ended, too, and so is one that reads nothing") {
  CHECK(ReasonOf(Shell("yes", "", absl::Milliseconds(200)).status()) == "COMMAND_TIMEOUT");
  CHECK(
      ReasonOf(Shell("sleep 60", std::string(1'000'000, 'x'), absl::Milliseconds(200)).status()) ==
      "COMMAND_TIMEOUT");
}

TEST_CASE("a program that closes its output and goes on is waited for") {
  const Directory directory;
  const auto result = RunCommand({.words = {"sh", "-c",
                                            "echo out; exec >&- 2>&-; sleep 0.3; "
                                            "touch done; exit 5"},
                                  .directory = directory.path().string()});
  REQUIRE(result.ok());
  CHECK(result->output == "out\n");
  CHECK(result->exit_code == 5);
  CHECK(directory.Has("done"));
  CHECK(ReasonOf(Shell("exec >&- 2>&-; sleep 60", "", absl::Milliseconds(200)).status()) ==
        "COMMAND_TIMEOUT");
}

TEST_CASE("what a program leaves behind goes with it, and is not waited for") {
  const Directory directory;
  absl::StatusOr<CommandResult> result;
  const double seconds = SecondsOf([&] {
    result =
        RunCommand({.words = {"sh", "-c", "sleep 60 >/dev/null 2>&1 & echo $! >child; echo done"},
                    .directory = directory.path().string()});
  });
  REQUIRE(result.ok());
  CHECK(result->output == "done\n");
  CHECK(seconds < 5);
  CHECK(IsGone(directory, "child"));
}

TEST_CASE("a program that has ended is not waited for because its child holds the output") {
  const Directory directory;
  absl::StatusOr<CommandResult> result;
  const double seconds = SecondsOf([&] {
    result = RunCommand({.words = {"sh", "-c", "sleep 60 & echo $! >child; echo done; exit 6"},
                         .directory = directory.path().string(),
                         .timeout = absl::Seconds(20)});
  });
  REQUIRE(result.ok());
  CHECK(result->output == "done\n");
  CHECK(result->exit_code == 6);
  CHECK(seconds < 5);
  CHECK(IsGone(directory, "child"));
}

TEST_CASE("a signal that ended a program is told as shells do") {
  CHECK(Shell("kill -9 $$")->exit_code == 137);
  CHECK(Shell("kill -TERM $$")->exit_code == 143);
}

TEST_CASE("a program that there is not, or not to be run, is told") {
  const Directory directory;
  directory.Write("text", "no program");
  for (const std::string& word :
       {std::string("god33-no-such-program"), (directory.path() / "text").string(),
        directory.path().string(), std::string("/no/such/program")}) {
    CAPTURE(word);
    const auto result = RunCommand({.words = {word}});
    CHECK(absl::IsNotFound(result.status()));
    CHECK(ReasonOf(result.status()) == "COMMAND_NOT_FOUND");
    CHECK_THAT(std::string(MessageOf(result.status())), Catch::Contains(word));
  }
  const auto nowhere =
      RunCommand({.words = {"true"}, .directory = (directory.path() / "gone").string()});
  CHECK(ReasonOf(nowhere.status()) == "COMMAND_NOT_FOUND");
}

TEST_CASE("a program knows nothing of this process' environment but where to find programs") {
  REQUIRE(setenv("GOD33_TEST_SECRET", "secret", 1) == 0);
  const auto result = RunCommand({.words = {"env"}});
  unsetenv("GOD33_TEST_SECRET");
  REQUIRE(result.ok());
  CHECK_THAT(result->output, Catch::Contains("PATH="));
  std::istringstream lines(result->output);
  for (std::string line; std::getline(lines, line);) {
    CAPTURE(line);
    CHECK((line.starts_with("PATH=") || line.starts_with("HOME=") || line.starts_with("LANG=")));
  }
}

TEST_CASE("a program has no file of this process open, and no signal blocked or ignored") {
  const auto result = RunCommand({.words = {"sh", "-c", "ls /proc/self/fd | wc -l"}});
  REQUIRE(result.ok());
  CHECK(std::stoi(result->output) <= 4);  // 0, 1, 2 and the directory that is being listed

  // As a service's threads do.
  sigset_t blocked, before;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGTERM);
  sigaddset(&blocked, SIGUSR1);
  pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto masks = RunCommand({.words = {"grep", "-E", "SigBlk|SigIgn", "/proc/self/status"}});
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  REQUIRE(kPipeSignal != SIG_ERR);
  REQUIRE(masks.ok());
  CHECK_THAT(masks->output, Catch::Contains("SigBlk:\t0000000000000000"));
  const std::string ignored = masks->output.substr(masks->output.find("SigIgn:") + 8, 16);
  CHECK((std::stoull(ignored, nullptr, 16) & (1ULL << (SIGPIPE - 1))) == 0);
}

TEST_CASE("programs run side by side") {
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&right, i] {
      for (int n = 0; n < 5; ++n) {
        const auto result = Shell(StrCat("cat; exit ", i), StrCat("thread ", i));
        right += result.ok() && result->exit_code == i && result->output == StrCat("thread ", i);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(right == 40);
}

}  // namespace
}  // namespace god33::letta
