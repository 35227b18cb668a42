// Failpoints of the executables that can go wrong: GOD33_FAILPOINTS turns them on, as in
//   ack_before_commit=on,before_commit=kill@20
// Actions: `on` goes wrong each time, `slow` the same after 20 ms, `kill` waits 200 ms, in which the other threads go
// on, and then kills the process. With @N only the N-th time. A failpoint that is not named does nothing.

#include <unistd.h>

#include <charconv>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <mutex>
#include <string>
#include <thread>

#include "absl/strings/str_split.h"
#include "base/failpoint.h"

namespace god33::failpoint {
namespace {

struct Failpoint {
  std::string action;
  int only = 0;  // 0: each time
  int times = 0;
};

[[noreturn]] void Refuse(const std::string& setting) {
  std::fprintf(
      stderr,
      "GOD33_FAILPOINTS: '%s' is none of name=on, name=slow, name=kill, with or without @N\n",
      setting.c_str());
  _exit(2);
}

Failpoint Parse(const std::string& setting, std::string action) {
  Failpoint failpoint;
  if (const auto at = action.find('@'); at != std::string::npos) {
    const char* const end = action.data() + action.size();
    const auto read = std::from_chars(action.data() + at + 1, end, failpoint.only);
    if (read.ptr != end || failpoint.only < 1) Refuse(setting);
    action.resize(at);
  }
  if (action != "on" && action != "slow" && action != "kill") Refuse(setting);
  failpoint.action = std::move(action);
  return failpoint;
}

class Failpoints {
 public:
  static Failpoints& Get() {
    static Failpoints failpoints;
    return failpoints;
  }

  // The action that is due; empty: none.
  std::string Next(std::string_view name) {
    const std::lock_guard lock(mutex_);
    const auto found = failpoints_.find(name);
    if (found == failpoints_.end()) return "";
    Failpoint& failpoint = found->second;
    ++failpoint.times;
    return failpoint.only == 0 || failpoint.only == failpoint.times ? failpoint.action : "";
  }

 private:
  Failpoints() {
    const char* const settings = std::getenv("GOD33_FAILPOINTS");
    if (settings == nullptr || *settings == '\0') return;
    for (const std::string& setting : std::vector<std::string>(absl::StrSplit(settings, ','))) {
      const auto equals = setting.find('=');
      if (equals == std::string::npos) Refuse(setting);
      failpoints_.emplace(setting.substr(0, equals), Parse(setting, setting.substr(equals + 1)));
    }
  }

  std::mutex mutex_;
  std::map<std::string, Failpoint, std::less<>> failpoints_;
};

}  // namespace

bool Reached(std::string_view name) {
  const std::string action = Failpoints::Get().Next(name);
  if (action.empty()) return false;
  if (action == "slow") std::this_thread::sleep_for(std::chrono::milliseconds(20));
  if (action == "kill") {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    std::raise(SIGKILL);
  }
  return true;
}

}  // namespace god33::failpoint
