#pragma once

#include <boost/asio/io_context.hpp>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "http/server.h"

namespace god33::http {

class Connection;

// The open connections: keeps them alive, and lets a stop reach them. Thread-safe.
class Connections {
 public:
  explicit Connections(std::size_t limit) : limit_(limit) {}

  // False when there are too many already, or after Close.
  [[nodiscard]] bool Add(const std::shared_ptr<Connection>& connection);
  void Remove(const Connection* connection);

  // From now on none is added.
  void Close();

  // Those that are open now.
  std::vector<std::shared_ptr<Connection>> List() const;

  // Waits until there are none. False when `timeout` is over before.
  bool AwaitNone(absl::Duration timeout) const;

 private:
  bool none() const ABSL_SHARED_LOCKS_REQUIRED(mutex_) { return open_.empty(); }

  const std::size_t limit_;
  mutable absl::Mutex mutex_;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  absl::flat_hash_map<const Connection*, std::shared_ptr<Connection>> open_ ABSL_GUARDED_BY(mutex_);
};

// What the connections of a server share. Responders keep it alive, so that an answer that comes
// after the server's end finds an event loop, if one that no longer runs.
struct Core : std::enable_shared_from_this<Core> {
  Core(Options o, Handler h)
      : options(std::move(o)), handler(std::move(h)), connections(options.max_connections) {}

  boost::asio::io_context io;
  const Options options;
  const Handler handler;
  Connections connections;
};

}  // namespace god33::http
