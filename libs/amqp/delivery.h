#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "base/wakeup.h"

namespace god33::amqp {

// The deliveries of one channel that are out. They may be done with in any order and on any thread;
// the consumer's thread then acks the longest run from the front with one frame.
class AckLedger {
 public:
  explicit AckLedger(std::shared_ptr<Wakeup> wakeup) : wakeup_(std::move(wakeup)) {}

  // Consumer's thread, in the order of tags.
  void Add(std::uint64_t tag, std::size_t bytes);

  // The newest tag up to which all deliveries are done, unless it was told before.
  std::optional<std::uint64_t> TakeDone();

  // Any thread. Wakes the consumer when TakeDone has something to tell.
  void Done(std::uint64_t tag);

  // What is out.
  std::size_t bytes() const;
  std::size_t count() const;

 private:
  struct Entry {
    std::size_t bytes;
    bool done;
  };

  const std::shared_ptr<Wakeup> wakeup_;
  mutable absl::Mutex mutex_;
  std::uint64_t first_tag_ ABSL_GUARDED_BY(mutex_) = 1;  // of entries_.front()
  std::deque<Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

// A message that was delivered and not yet acked. Dropped without Ack() it is delivered again, once
// the connection ends. Move-only; Ack() can be called once.
class Delivery {
 public:
  Delivery(std::shared_ptr<AckLedger> ledger, std::uint64_t tag)
      : ledger_(std::move(ledger)), tag_(tag) {}

  Delivery(Delivery&&) = default;
  Delivery& operator=(Delivery&&) = default;

  // To be called after what the message asked for is committed. Any thread.
  void Ack() && { std::exchange(ledger_, nullptr)->Done(tag_); }

  std::string exchange;
  std::string routing_key;
  std::string body;
  std::string properties;  // as a JSON object
  std::string content_type;
  std::string message_id;
  std::optional<absl::Time> timestamp;
  bool redelivered = false;

 private:
  std::shared_ptr<AckLedger> ledger_;
  std::uint64_t tag_;
};

}  // namespace god33::amqp
