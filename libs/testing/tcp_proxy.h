#pragma once

#include <list>
#include <string>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/stop.h"

namespace god33::testing {

// Stands between a client and a server that speak over TCP, and does to their connections what a network
// does at its worst. A socket that can't be had ends the process with a message. Thread-safe.
class TcpProxy {
 public:
  // `server_url` has the form scheme://[user[:password]@]host:port[/...].
  explicit TcpProxy(const std::string& server_url);
  ~TcpProxy();

  TcpProxy(const TcpProxy&) = delete;
  TcpProxy& operator=(const TcpProxy&) = delete;

  // The server's URL with this proxy's address.
  const std::string& url() const { return url_; }

  // Whatever the server sends from now on arrives that much later.
  void DelayAnswers(absl::Duration delay);

  // As soon as a client has sent `text`, unencrypted and in one piece, nothing that the server answers on
  // any connection arrives any more, until the next Cut.
  void SwallowAnswersTo(const std::string& text);

  // Waits until something was swallowed, at most for `timeout`. False if nothing was.
  [[nodiscard]] bool AwaitSwallowed(absl::Duration timeout);

  // Ends all connections. New ones are forwarded as they should be, without delay.
  void Cut();

 private:
  struct Link {
    int client;
    int server;
    std::thread requests;
    std::thread answers;
  };

  void Accept();
  void Forward(int from, int to, bool answers);

  // Whether these bytes go on.
  bool Pass(std::string_view bytes, bool answers);

  std::string host_;
  std::string port_;
  std::string url_;
  int listener_ = -1;
  Stop stop_;
  absl::Mutex mutex_;
  absl::Duration delay_ ABSL_GUARDED_BY(mutex_);
  std::string trigger_ ABSL_GUARDED_BY(mutex_);
  bool triggered_ ABSL_GUARDED_BY(mutex_) = false;
  bool swallowed_ ABSL_GUARDED_BY(mutex_) = false;
  std::list<Link> links_ ABSL_GUARDED_BY(mutex_);
  std::thread acceptor_;  // last: uses all the others
};

}  // namespace god33::testing
