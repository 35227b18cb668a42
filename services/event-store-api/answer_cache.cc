#include "services/event-store-api/answer_cache.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace god33::api {
namespace {

// Of an entry without its message: list, index, shared pointer.
constexpr std::size_t kOverhead = 320;

// An answer of which fewer than this many would fit is not worth what it pushes out.
constexpr std::size_t kFewest = 8;

bool MaySee(const auth::Principal& principal, const std::string& project) {
  if (principal.all_projects) return true;
  return !project.empty() && std::find(principal.projects.begin(), principal.projects.end(),
                                       project) != principal.projects.end();
}

}  // namespace

CacheCounters& AnswerCache::CountersOf(AnswerKind kind) const {
  switch (kind) {
    case AnswerKind::kEvent:
      return metrics_.event;
    case AnswerKind::kWorkflow:
      return metrics_.workflow;
    case AnswerKind::kSession:
      break;
  }
  return metrics_.session;
}

std::int64_t AnswerCache::FloorOf(AnswerKind kind) const {
  switch (kind) {
    case AnswerKind::kEvent:
      return 0;
    case AnswerKind::kWorkflow:
      return workflow_floor_;
    case AnswerKind::kSession:
      break;
  }
  return session_floor_;
}

std::int64_t AnswerCache::FreshSince(const AnswerKey& key) const {
  const auto pending = pending_.find(key);
  return std::max(
      {point_.projected, FloorOf(key.kind), pending == pending_.end() ? 0 : pending->second});
}

std::int64_t AnswerCache::TrueAt(const Entry& entry) const {
  if (entry.key.kind == AnswerKind::kEvent) return std::max(point_.head, entry.answer.oldest);
  return std::max(point_.projected, entry.answer.point.projected);
}

bool AnswerCache::Silent(std::int64_t now) const {
  return seen_at_ == 0 || now - seen_at_ > absl::ToInt64Nanoseconds(kMostSilence);
}

AnswerCache::Found AnswerCache::Find(const AnswerKey& key, std::int64_t min_position,
                                     const auth::Principal& principal, std::int64_t now,
                                     Count count) {
  if (!on()) return {};
  const auto counted = [count](prometheus::Counter& counter) {
    if (count == Count::kYes) counter.Increment();
    return Found();
  };
  absl::MutexLock lock(&mutex_);
  if (key.kind != AnswerKind::kEvent) wanted_at_ = now;
  if (Silent(now)) return counted(metrics_.bypassed_tail);
  CacheCounters& counters = CountersOf(key.kind);
  const auto found = by_key_.find(key);
  if (found == by_key_.end()) return counted(counters.misses);
  const Entry& entry = *found->second;
  const bool gone = entry.answer.oldest > 0 && entry.answer.oldest < point_.horizon;
  if (gone || entry.answer.point.projected < FloorOf(key.kind)) return counted(counters.misses);
  if (!MaySee(principal, entry.answer.project)) return counted(counters.misses);
  const std::int64_t position = TrueAt(entry);
  if (position < min_position) return counted(metrics_.bypassed_min_position);
  entries_.splice(entries_.begin(), entries_, found->second);
  counted(counters.hits);
  return {.message = entry.answer.message, .position = position};
}

bool AnswerCache::Serves(const AnswerKey& key, std::int64_t min_position, std::int64_t now) const {
  if (!on()) return false;
  absl::ReaderMutexLock lock(&mutex_);
  if (Silent(now)) return false;
  if (key.kind == AnswerKind::kEvent) return min_position <= point_.head;
  return min_position <= point_.projected && FreshSince(key) <= point_.projected;
}

void AnswerCache::Put(const AnswerKey& key, Answer answer) {
  if (!on()) return;
  const std::size_t bytes = answer.message->SpaceUsedLong() + answer.project.size() + kOverhead;
  if (bytes > most_bytes_ / kFewest) return;
  Entries fresh;
  fresh.push_back({.key = key, .answer = std::move(answer), .bytes = bytes});
  Entries dropped;  // freed behind the lock
  absl::MutexLock lock(&mutex_);
  const LogPoint& point = fresh.front().answer.point;
  if (point.log_id != point_.log_id) return;
  const bool state = key.kind != AnswerKind::kEvent;
  if (state && point.generation != point_.generation) return;
  if (const auto present = by_key_.find(key); present != by_key_.end()) {
    if (state && present->second->answer.point.projected > point.projected) return;
    Drop(present->second, dropped);
  }
  if (state && point.projected < FreshSince(key)) return;
  // In the middle of a position it is true at none.
  if (fresh.front().answer.frozen || point.within > 0) {
    pending_[key] = point.projected;  // what was read before comes too late
    return;
  }
  entries_.splice(entries_.begin(), fresh);
  by_key_[key] = entries_.begin();
  bytes_ += bytes;
  CountersOf(key.kind).entries.Increment();
  while (bytes_ > most_bytes_) {
    CountersOf(entries_.back().key.kind).evictions.Increment();
    Drop(std::prev(entries_.end()), dropped);
  }
  metrics_.bytes.Set(static_cast<double>(bytes_));
}

bool AnswerCache::wanted(std::int64_t now) const {
  absl::ReaderMutexLock lock(&mutex_);
  return wanted_at_ != 0 && now - wanted_at_ <= absl::ToInt64Nanoseconds(kInterest);
}

LogPoint AnswerCache::point() const {
  absl::ReaderMutexLock lock(&mutex_);
  return point_;
}

void AnswerCache::Drop(Entries::iterator entry, Entries& dropped) {
  CountersOf(entry->key.kind).entries.Decrement();
  bytes_ -= entry->bytes;
  by_key_.erase(entry->key);
  dropped.splice(dropped.end(), entries_, entry);
}

void AnswerCache::DropIfOlder(const Touch& touch, Entries& dropped) {
  const auto found = by_key_.find(touch.key);
  if (found == by_key_.end()) return;
  if (found->second->answer.point.projected < touch.position) Drop(found->second, dropped);
}

void AnswerCache::DropAll(bool events, Entries& dropped) {
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    const auto next = std::next(entry);
    if (events || entry->key.kind != AnswerKind::kEvent) Drop(entry, dropped);
    entry = next;
  }
}

void AnswerCache::Advance(const LogPoint& point, const Touches& touches, std::int64_t seen_at) {
  Entries dropped;
  absl::MutexLock lock(&mutex_);
  for (const Touch& touch : touches.events) {
    std::int64_t& pending = pending_[touch.key];
    pending = std::max(pending, touch.position);
    DropIfOlder(touch, dropped);
  }
  for (const Touch& touch : touches.late) DropIfOlder(touch, dropped);
  session_floor_ = std::max(session_floor_, touches.any_session);
  // What is folded needs no memory: nothing older than point.projected is taken in.
  absl::erase_if(pending_,
                 [&point](const auto& pending) { return pending.second <= point.projected; });
  if (pending_.size() > kMostPending) {
    pending_.clear();
    workflow_floor_ = session_floor_ = point.head;
  }
  point_ = point;
  seen_at_ = seen_at;
  metrics_.bytes.Set(static_cast<double>(bytes_));
}

void AnswerCache::Skip(const LogPoint& point, std::int64_t seen_at) {
  Entries dropped;
  absl::MutexLock lock(&mutex_);
  // Another log, or one that was set back: even its events may be others.
  const bool same = point_.LeadsTo(point);
  if (!same || point_.generation != point.generation) DropAll(!same, dropped);
  pending_.clear();
  workflow_floor_ = session_floor_ = point.head;
  point_ = point;
  seen_at_ = seen_at;
  metrics_.bytes.Set(static_cast<double>(bytes_));
}

}  // namespace god33::api
