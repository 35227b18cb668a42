#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/clock.h"

// What the drivers of the benchmarks have in common: each is a small command that says on standard
// output how long its work took. Whatever goes wrong ends it with a message.

namespace god33::bench {

[[noreturn]] void Fail(const absl::Status& status);

inline void Check(const absl::Status& status) {
  if (!status.ok()) Fail(status);
}

template <typename T>
T Must(absl::StatusOr<T> value) {
  if (!value.ok()) Fail(value.status());
  return *std::move(value);
}

// The value of an environment variable that has to be set.
std::string Environment(const char* name);

// A command's arguments, taken one by one.
class Arguments {
 public:
  // `usage` is shown when they don't fit.
  Arguments(int argc, char** argv, std::string usage);

  std::string Text();
  std::size_t Count();  // at least 1
  bool more() const { return next_ < arguments_.size(); }
  void End() const;  // no more are expected
  [[noreturn]] void Usage() const;

 private:
  const std::vector<std::string> arguments_;
  const std::string usage_;
  std::size_t next_ = 0;
};

// Runs from its making.
class Stopwatch {
 public:
  double Seconds() const { return static_cast<double>(MonotonicNanos() - began_) / 1e9; }
  void Restart() { began_ = MonotonicNanos(); }

 private:
  std::int64_t began_ = MonotonicNanos();
};

// How long single calls took. One thread at a time.
class Latencies {
 public:
  void Add(double milliseconds) { milliseconds_.push_back(milliseconds); }
  std::size_t count() const { return milliseconds_.size(); }

  // {"count":N,"seconds":S,"p50_ms":...,"p95_ms":...,"p99_ms":...}
  void Print(double seconds) const;

 private:
  std::vector<double> milliseconds_;
};

// Lines of standard input, without the empty ones.
std::vector<std::string> InputLines();

}  // namespace god33::bench
