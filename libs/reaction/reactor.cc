#include "reaction/reactor.h"

#include <map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "base/error.h"
#include "base/strings.h"
#include "eventlog/append.h"
#include "reaction/journal.h"
#include "reaction/queue_reader.h"
#include "reaction/reaction.h"
#include "reaction/sweeper.h"

namespace god33::reaction {
namespace {

// One component of health for all queues: serves when each of them is consumed. Thread-safe.
class BusHealth {
 public:
  explicit BusHealth(const TellHealth& tell_health) : tell_health_(tell_health) {}

  void Expect(const std::string& queue) {
    absl::MutexLock lock(&mutex_);
    faults_[queue] = "starting";
  }

  void Set(const std::string& queue, const absl::Status& status) {
    absl::MutexLock lock(&mutex_);
    faults_.erase(queue);
    if (!status.ok()) faults_[queue] = MessageOf(status);
    std::string detail;
    for (const auto& [name, fault] : faults_) {
      StrAppend(&detail, detail.empty() ? "" : "; ", name, ": ", fault);
    }
    tell_health_("rabbitmq", faults_.empty(), detail);
  }

 private:
  const TellHealth& tell_health_;
  absl::Mutex mutex_;
  std::map<std::string, std::string> faults_ ABSL_GUARDED_BY(mutex_);  // by queue
};

}  // namespace

// In the order of construction; the threads stop first.
struct Reactor::Parts {
  Parts(Options given, Handler& handler, Metrics& metrics, TellHealth tell)
      : options(std::move(given)),
        tell_health(std::move(tell)),
        journal(options.service),
        reaction(options, journal, handler, metrics, tell_health) {}

  const Options options;
  const TellHealth tell_health;
  const Journal journal;
  BusHealth bus{tell_health};
  Reaction reaction;
  std::vector<std::unique_ptr<QueueReader>> readers;
  std::unique_ptr<Sweeper> sweeper;
};

Reactor::Reactor(Options options, Handler& handler, const wire::PayloadRegistry& registry,
                 Clock& clock, Metrics& metrics, TellHealth tell_health)
    : parts_(
          std::make_unique<Parts>(std::move(options), handler, metrics, std::move(tell_health))) {
  Parts& parts = *parts_;
  for (const amqp::Queue& queue : parts.options.queues) parts.bus.Expect(queue.name);
  for (const amqp::Queue& queue : parts.options.queues) {
    parts.readers.push_back(std::make_unique<QueueReader>(
        parts.options, queue, parts.reaction, handler, registry, clock, metrics,
        [&parts, &queue](const absl::Status& status) { parts.bus.Set(queue.name, status); }));
  }
  parts.sweeper =
      std::make_unique<Sweeper>(parts.options, parts.journal, parts.reaction, handler, metrics);
}

Reactor::~Reactor() = default;

void Reactor::RetryFailures() {
  parts_->sweeper->RetryFailures();
}

std::vector<std::pair<std::string, std::string>> DatabaseSettings() {
  auto settings = eventlog::WriterSettings();
  for (auto& setting : eventlog::KeyedPlanSettings()) settings.push_back(std::move(setting));
  return settings;
}

}  // namespace god33::reaction
