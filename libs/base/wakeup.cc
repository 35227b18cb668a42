#include "base/wakeup.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>

namespace god33 {

Wakeup::Wakeup() : fd_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (fd_ < 0) std::abort();  // out of file descriptors before anything has started
}

Wakeup::~Wakeup() {
  close(fd_);
}

void Wakeup::Signal() {
  const std::uint64_t one = 1;
  // Fails only when the counter is full, and then the signal is pending anyway.
  [[maybe_unused]] const ssize_t written = write(fd_, &one, sizeof(one));
}

void Wakeup::Clear() {
  std::uint64_t count;
  [[maybe_unused]] const ssize_t taken = read(fd_, &count, sizeof(count));
}

}  // namespace god33
