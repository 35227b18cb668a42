#include "tools/god33/output.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.h"
#include "base/strings.h"

namespace god33::cli {
namespace {

constexpr std::size_t kBuffered = 64 << 10;

void EndByPipe() {
  std::signal(SIGPIPE, SIG_DFL);
  std::raise(SIGPIPE);
}

}  // namespace

Sink FileSink(int fd) {
  return [fd](std::string_view text) {
    while (!text.empty()) {
      const ssize_t written = write(fd, text.data(), text.size());
      if (written >= 0) {
        text.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno == EPIPE) {
        EndByPipe();
      } else if (errno != EINTR) {
        return MakeError(absl::StatusCode::kFailedPrecondition, "OUTPUT",
                         StrCat("can't write the output: ", std::strerror(errno)));
      }
    }
    return absl::OkStatus();
  };
}

void EndIfReaderHasGone(int fd) {
  pollfd asked{.fd = fd, .events = 0, .revents = 0};
  if (poll(&asked, 1, 0) == 1 && (asked.revents & POLLERR) != 0) EndByPipe();
}

void Output::Write(std::string_view text) {
  buffer_ += text;
  if (buffer_.size() >= kBuffered) Flush().IgnoreError();  // the next Flush tells
}

absl::Status Output::Flush() {
  if (status_.ok()) status_ = sink_(buffer_);
  buffer_.clear();
  return status_;
}

}  // namespace god33::cli
