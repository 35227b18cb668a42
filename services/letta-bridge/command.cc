#include "services/letta-bridge/command.h"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>

#include "base/clock.h"
#include "base/error.h"
#include "base/strings.h"

namespace god33::letta {
namespace {

// A pipe whose ends close themselves.
class Pipe {
 public:
  Pipe() { open_ = pipe2(ends_.data(), O_CLOEXEC) == 0; }
  ~Pipe() {
    CloseReader();
    CloseWriter();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  bool open() const { return open_; }
  int reader() const { return ends_[0]; }
  int writer() const { return ends_[1]; }
  void CloseReader() { Close(ends_[0]); }
  void CloseWriter() { Close(ends_[1]); }

 private:
  static void Close(int& fd) {
    if (fd >= 0) close(fd);
    fd = -1;
  }
  std::array<int, 2> ends_ = {-1, -1};
  bool open_ = false;
};

std::vector<std::string> CleanEnvironment() {
  std::vector<std::string> variables;
  for (const char* name : {"PATH", "HOME", "LANG"}) {
    if (const char* value = std::getenv(name)) variables.push_back(StrCat(name, "=", value));
  }
  return variables;
}

std::vector<char*> Pointers(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

// Starts it as the leader of a process group, with no signal blocked. The error is an errno.
int Spawn(const CommandRun& run, const Pipe& input, const Pipe& output, pid_t& child) {
  std::vector<std::string> words = run.words;
  std::vector<std::string> variables = CleanEnvironment();
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, input.reader(), 0);
  posix_spawn_file_actions_adddup2(&actions, output.writer(), 1);
  posix_spawn_file_actions_adddup2(&actions, output.writer(), 2);
  posix_spawn_file_actions_addclosefrom_np(&actions, 3);
  if (!run.directory.empty()) {
    posix_spawn_file_actions_addchdir_np(&actions, run.directory.c_str());
  }
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  sigset_t none;
  sigemptyset(&none);
  sigset_t defaults;
  sigemptyset(&defaults);
  sigaddset(&defaults, SIGPIPE);
  posix_spawnattr_setsigmask(&attributes, &none);
  posix_spawnattr_setsigdefault(&attributes, &defaults);
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes,
                           POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  const int error = posix_spawnp(&child, words[0].c_str(), &actions, &attributes,
                                 Pointers(words).data(), Pointers(variables).data());
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&actions);
  return error;
}

// Takes what is there now. False: there is nothing more to come.
bool TakeOutput(const CommandRun& run, const Pipe& output, CommandResult& result) {
  std::array<char, 16384> buffer;
  while (true) {
    const ssize_t count = read(output.reader(), buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return count < 0;
    const std::string_view part(buffer.data(), static_cast<std::size_t>(count));
    const std::size_t room = run.most_output - result.output.size();
    result.output.append(part.substr(0, room));
    if (part.size() > room) result.cut = true;
  }
}

// Gives it the input and takes the output until it ends: it may run on after it has closed its output, and what it
// has started may hold the output after it. False: the time was over.
bool Converse(const CommandRun& run, std::int64_t deadline, int ended, Pipe& input, Pipe& output,
              CommandResult& result) {
  fcntl(input.writer(), F_SETFL, O_NONBLOCK);
  fcntl(output.reader(), F_SETFL, O_NONBLOCK);
  std::size_t written = 0;
  while (true) {
    if (written == run.input.size()) input.CloseWriter();
    std::array<pollfd, 3> fds = {pollfd{output.reader(), POLLIN, 0},
                                 pollfd{input.writer(), POLLOUT, 0}, pollfd{ended, POLLIN, 0}};
    const std::int64_t left = (deadline - MonotonicNanos()) / 1'000'000;
    if (left <= 0) return false;
    if (poll(fds.data(), fds.size(), static_cast<int>(left)) < 0) continue;
    if ((fds[1].revents & (POLLOUT | POLLERR)) != 0) {
      const ssize_t count =
          write(input.writer(), run.input.data() + written, run.input.size() - written);
      if (count > 0) written += static_cast<std::size_t>(count);
      // A program that reads no further is nothing to complain of.
      if (count < 0 && errno != EAGAIN && errno != EINTR) written = run.input.size();
    }
    const bool more = fds[0].revents == 0 || TakeOutput(run, output, result);
    if (fds[2].revents != 0) {
      if (more) TakeOutput(run, output, result);
      return true;
    }
    if (!more) output.CloseReader();
  }
}

}  // namespace

absl::StatusOr<CommandResult> RunCommand(const CommandRun& run) {
  Pipe input;
  Pipe output;
  if (!input.open() || !output.open()) return absl::InternalError("no pipe can be had");
  pid_t child = 0;
  if (const int error = Spawn(run, input, output, child); error != 0) {
    return MakeError(absl::StatusCode::kNotFound, "COMMAND_NOT_FOUND",
                     StrCat("can't run ", run.words[0], ": ", std::strerror(error)));
  }
  input.CloseReader();
  output.CloseWriter();
  CommandResult result;
  const std::int64_t deadline = MonotonicNanos() + absl::ToInt64Nanoseconds(run.timeout);
  const int end = static_cast<int>(syscall(SYS_pidfd_open, child, 0));
  const bool ended = end >= 0 && Converse(run, deadline, end, input, output, result);
  // What it has left behind goes with it.
  kill(-child, SIGKILL);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (end < 0) return absl::InternalError("this system lacks pidfd_open");
  close(end);
  if (!ended) {
    return MakeError(absl::StatusCode::kDeadlineExceeded, "COMMAND_TIMEOUT",
                     StrCat(run.words[0], " took longer than ", absl::ToInt64Seconds(run.timeout),
                            " s and was ended"));
  }
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace god33::letta
