#include "tests/bench/store.h"

#include <utility>

#include "eventlog/append.h"
#include "tests/bench/checkpoints.h"
#include "tests/bench/command.h"

namespace god33::bench {

pg::Config StoreDatabase() {
  return {.url = Environment("DATABASE_URL"),
          .application_name = "bench",
          .settings = eventlog::WriterSettings()};
}

Store::Store()
    : sorter_(clock_, registry_, /*max_event_bytes=*/16 << 20),
      writer_({.database = StoreDatabase()}, clock_, metrics_, health_) {}

manager::Submission Store::Read(std::string body) {
  manager::Submission submission;
  submission.received_nanos = MonotonicNanos();
  submission.bytes = body.size();
  submission.unit.events.push_back(Must(sorter_.Read({.body = body}, Checkpoints::kType)));
  submission.origin = eventlog::Origin{.exchange = "bench",
                                       .routing_key = Checkpoints::kType,
                                       .properties = "{}",
                                       .body = std::move(body)};
  submission.done = [this](const absl::StatusOr<sequence::Outcome>& outcome) {
    Check(outcome.status());
    Check(outcome->status);
    absl::MutexLock lock(&mutex_);
    --untold_;
  };
  return submission;
}

void Store::Write(std::vector<manager::Submission> submissions) {
  {
    absl::MutexLock lock(&mutex_);
    untold_ += submissions.size();
  }
  for (manager::Submission& submission : submissions) {
    writer_.SubmitMessage(std::move(submission));
  }
  const auto all_told = [this] {
    mutex_.AssertHeld();
    return untold_ == 0;
  };
  absl::MutexLock lock(&mutex_);
  if (!mutex_.AwaitWithTimeout(absl::Condition(&all_told), absl::Minutes(10))) {
    Fail(absl::DeadlineExceededError("not everything was stored within 10 minutes"));
  }
}

}  // namespace god33::bench
