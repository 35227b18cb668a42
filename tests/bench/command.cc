#include "tests/bench/command.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iostream>

#include "absl/strings/numbers.h"
#include "base/error.h"
#include "base/strings.h"

namespace god33::bench {

void Fail(const absl::Status& status) {
  std::cerr << "bench: " << MessageOf(status) << '\n';
  std::exit(1);
}

std::string Environment(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr) Fail(absl::InvalidArgumentError(StrCat(name, " is not set")));
  return value;
}

Arguments::Arguments(int argc, char** argv, std::string usage)
    : arguments_(argv + 1, argv + argc), usage_(std::move(usage)) {}

std::string Arguments::Text() {
  if (!more()) Usage();
  return arguments_[next_++];
}

std::size_t Arguments::Count() {
  std::size_t count = 0;
  if (!absl::SimpleAtoi(Text(), &count) || count == 0) Usage();
  return count;
}

void Arguments::End() const {
  if (more()) Usage();
}

void Arguments::Usage() const {
  std::cerr << usage_;
  std::exit(2);
}

void Latencies::Print(double seconds) const {
  std::vector<double> sorted = milliseconds_;
  std::sort(sorted.begin(), sorted.end());
  const auto percentile = [&sorted](double part) {
    if (sorted.empty()) return 0.0;
    const auto rank = static_cast<std::size_t>(part * static_cast<double>(sorted.size()));
    return sorted[std::min(rank, sorted.size() - 1)];
  };
  std::printf("{\"count\":%zu,\"seconds\":%.3f,\"p50_ms\":%.3f,\"p95_ms\":%.3f,\"p99_ms\":%.3f}\n",
              sorted.size(), seconds, percentile(0.5), percentile(0.95), percentile(0.99));
}

std::vector<std::string> InputLines() {
  std::vector<std::string> lines;
  for (std::string line; std::getline(std::cin, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

}  // namespace god33::bench
