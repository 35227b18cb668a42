#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "testing/random.h"

namespace god33::bench {

// One event as its producer writes it.
struct Checkpoint {
  std::string id;
  std::string body;  // canonical JSON, 750 to 850 bytes
};

// Checkpoints of agents that work side by side, as seed 001 shows them: each names its workflow, session
// and agent, and the one before it as its cause. 100 sessions run at a time; each ends after 100 events,
// and a new one takes its place. Ids are random (version 4), times a millisecond apart. The same seed
// gives the same events.
class Checkpoints {
 public:
  static constexpr const char* kType = "agent.letta.checkpoint.saved";

  explicit Checkpoints(std::uint64_t seed);

  Checkpoint Next();

 private:
  struct Session {
    std::string id;
    std::string workflow;
    std::string last;  // the event before; empty: none
    std::size_t number = 0;
    std::size_t events = 0;
  };

  std::string NewId();
  void Begin(Session& session);

  testing::Random random_;
  std::vector<Session> sessions_;
  std::size_t begun_ = 0;
  std::size_t count_ = 0;
};

}  // namespace god33::bench
