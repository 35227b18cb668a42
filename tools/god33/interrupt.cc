#include "tools/god33/interrupt.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <thread>

namespace god33::cli {
namespace {

// A handler may do little, so it wakes a thread. It works whichever thread the signal reaches, also
// those that a library has started before.
int wake_fd = -1;

void OnSignal(int /*signal*/) {
  const int error = errno;
  const char byte = 0;
  [[maybe_unused]] const ssize_t written = write(wake_fd, &byte, 1);
  errno = error;
}

}  // namespace

std::shared_ptr<Interrupt> Interrupt::Install() {
  auto interrupt = std::make_shared<Interrupt>();
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return interrupt;  // then signals end the process at once
  wake_fd = ends[1];
  // Nobody waits for it: the process ends soon after the command.
  std::thread([interrupt, end = ends[0]] {
    char byte;
    while (read(end, &byte, 1) < 0 && errno == EINTR) {
    }
    interrupt->Stop();
  }).detach();
  struct sigaction action = {};
  action.sa_handler = OnSignal;
  action.sa_flags = SA_RESTART | static_cast<int>(SA_RESETHAND);
  for (const int signal : {SIGINT, SIGTERM}) sigaction(signal, &action, nullptr);
  return interrupt;
}

void Interrupt::Guard(grpc::ClientContext* call) {
  absl::MutexLock lock(&mutex_);
  call_ = call;
  if (call_ != nullptr && stop_.requested()) call_->TryCancel();
}

void Interrupt::Stop() {
  absl::MutexLock lock(&mutex_);
  stop_.Request();
  if (call_ != nullptr) call_->TryCancel();
}

}  // namespace god33::cli
