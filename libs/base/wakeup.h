#pragma once

namespace god33 {

// Lets one thread interrupt another that waits in poll(2). Signals before and during the wait both
// count; several count as one. Thread-safe.
class Wakeup {
 public:
  Wakeup();
  ~Wakeup();
  Wakeup(const Wakeup&) = delete;
  Wakeup& operator=(const Wakeup&) = delete;

  void Signal();

  // Readable while a signal is pending.
  int fd() const { return fd_; }

  // Takes the pending signal, if there is one.
  void Clear();

 private:
  int fd_;
};

}  // namespace god33
