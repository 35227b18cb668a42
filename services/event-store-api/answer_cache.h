#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "auth/principal.h"
#include "base/uuid.h"
#include "google/protobuf/message.h"
#include "services/event-store-api/log_point.h"
#include "services/event-store-api/metrics.h"

namespace god33::api {

enum class AnswerKind { kEvent, kWorkflow, kSession };

// What is asked for by one id.
struct AnswerKey {
  AnswerKind kind = AnswerKind::kEvent;
  Uuid id;

  friend bool operator==(const AnswerKey&, const AnswerKey&) = default;
  template <typename H>
  friend H AbslHashValue(H hash, const AnswerKey& key) {
    return H::combine(std::move(hash), key.kind, key.id);
  }
};

// Answers in memory: events, which never change, and the states of workflows and sessions, which the log's
// tail keeps fresh (DESIGN.md, decision 13). The answers used last stay, within a number of bytes.
// Thread-safe; nothing here waits for anything else.
//
// The promise: what is found equals what the database answers at the position that is said with it.
// For projections it rests on this. The tail tells two things of each step it makes: which aggregates the
// events up to `head` belong to (they will change when the projector comes there), and which were joined by
// late members that are due up to `projected` (they have changed). A state that was read when the projector
// was at P is kept only if P is no earlier than either, and goes with the first event behind P. So between
// P and the tail's `projected` nothing was folded into a state that is found, and it is true at both, and at
// all positions between. Since the event itself takes it away, and not its fold, an answer is hardly ever
// behind the database's: only a late member's is, by the time between two looks of the tail.
class AnswerCache {
 public:
  // Beyond this without a look of the tail at the database, nothing is found.
  static constexpr absl::Duration kMostSilence = absl::Seconds(1);

  // The tail reads what states depend on for as long as somebody asks for states.
  static constexpr absl::Duration kInterest = absl::Minutes(1);

  // Aggregates with events that are not folded yet; with more, states are forgotten.
  static constexpr std::size_t kMostPending = 50'000;

  // With 0 bytes the cache is off: nothing is kept, found or counted.
  AnswerCache(std::size_t most_bytes, CacheMetrics& metrics)
      : most_bytes_(most_bytes), metrics_(metrics) {}

  struct Answer {
    std::shared_ptr<const google::protobuf::Message> message;
    LogPoint point;           // of the snapshot it was read in; of events only log_id counts
    std::int64_t oldest = 0;  // of the events it shows whole; below the horizon they are gone
    std::string project;      // empty: none, or not known yet; then it is for those who may see all
    bool frozen = false;      // the aggregate is: it may change without an event
  };

  struct Found {
    std::shared_ptr<const google::protobuf::Message> message;  // nullptr: not found
    std::int64_t position = 0;                                 // it is true at this position

    explicit operator bool() const { return message != nullptr; }
  };

  enum class Count { kYes, kNo };

  // The answer, if it is here, may be seen by this principal and is true at `min_position` or later. `now`
  // is MonotonicNanos().
  Found Find(const AnswerKey& key, std::int64_t min_position, const auth::Principal& principal,
             std::int64_t now, Count count = Count::kYes);

  // Whether an answer that is read now would be kept, and found with this min_position.
  bool Serves(const AnswerKey& key, std::int64_t min_position, std::int64_t now) const;

  // The database has answered this. It is kept unless the tail already knows that it may be stale, or
  // can't tell when it will be; an older one goes in any case, so that answers never go back.
  void Put(const AnswerKey& key, Answer answer);

  // For the tail.

  bool on() const { return most_bytes_ > 0; }

  // Somebody asks for states.
  bool wanted(std::int64_t now) const;

  // Where the tail is. `log_id` is nil before its first look.
  LogPoint point() const;

  struct Touch {
    AnswerKey key;
    std::int64_t position = 0;
  };
  struct Touches {
    // The newest event of each aggregate behind point().head and up to the new one.
    std::vector<Touch> events;
    // The newest position behind point().projected, and up to the new one, at which each was joined by late
    // members.
    std::vector<Touch> late;
    // The newest of those events that may belong to other sessions, too; 0: none.
    std::int64_t any_session = 0;
  };

  // The tail has looked at the database: at `seen_at`, a time before the look, it was at `point`, to which
  // point() leads.
  void Advance(const LogPoint& point, const Touches& touches, std::int64_t seen_at);

  // The same without knowing what has changed: forgets what may have.
  void Skip(const LogPoint& point, std::int64_t seen_at);

 private:
  struct Entry {
    AnswerKey key;
    Answer answer;
    std::size_t bytes = 0;
  };
  using Entries = std::list<Entry>;

  CacheCounters& CountersOf(AnswerKind kind) const;
  // States of this kind that were read when the projector was before this are as good as none.
  std::int64_t FloorOf(AnswerKind kind) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Since when a state of this aggregate must have been read to be kept, by the projector's position.
  std::int64_t FreshSince(const AnswerKey& key) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  std::int64_t TrueAt(const Entry& entry) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool Silent(std::int64_t now) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  void Drop(Entries::iterator entry, Entries& dropped) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropIfOlder(const Touch& touch, Entries& dropped) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // All states, and all events if they are meant, too.
  void DropAll(bool events, Entries& dropped) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::size_t most_bytes_;
  CacheMetrics& metrics_;
  mutable absl::Mutex mutex_;
  Entries entries_ ABSL_GUARDED_BY(mutex_);  // the last used first
  absl::flat_hash_map<AnswerKey, Entries::iterator> by_key_ ABSL_GUARDED_BY(mutex_);
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  LogPoint point_ ABSL_GUARDED_BY(mutex_);
  std::int64_t seen_at_ ABSL_GUARDED_BY(mutex_) = 0;    // 0: never
  std::int64_t wanted_at_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: never
  // The newest event of each aggregate behind point_.projected, or where an answer about it was refused; what
  // is not known stands in the floors.
  absl::flat_hash_map<AnswerKey, std::int64_t> pending_ ABSL_GUARDED_BY(mutex_);
  std::int64_t workflow_floor_ ABSL_GUARDED_BY(mutex_) = 0;
  std::int64_t session_floor_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace god33::api
