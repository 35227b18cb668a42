#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "reaction/event_factory.h"
#include "reaction/handler.h"
#include "services/letta-bridge/metrics.h"
#include "services/letta-bridge/task.h"

namespace god33::letta {

// What the bridge does about events of others: hand-offs become tasks or are rejected, answers settle questions,
// questions of other agents are listed.
class Reactions : public reaction::Handler {
 public:
  struct Options {
    std::vector<std::string> agent_types;  // that there are agents for, without letta-
    int most_on_chain = 3;
  };

  // `wake` is called when there may be work to do.
  Reactions(Options options, const reaction::EventFactory& factory, Clock& clock, IdSource& ids,
            Metrics& metrics, std::function<void()> wake);

  // The types of events that it wants.
  static std::vector<std::string> EventTypes();

  bool Concerns(const event::Envelope& envelope) const override;
  absl::StatusOr<sequence::Unit> React(pg::Connection& connection,
                                       const reaction::Incoming& incoming) override;
  void Committed(const reaction::Incoming& incoming) override;

 private:
  absl::StatusOr<sequence::Unit> TakeHandoff(pg::Connection& connection,
                                             const reaction::Incoming& incoming);
  absl::StatusOr<sequence::Unit> TakeAnswer(pg::Connection& connection,
                                            const reaction::Incoming& incoming);

  const Options options_;
  const reaction::EventFactory& factory_;
  Clock& clock_;
  IdSource& ids_;
  Metrics& metrics_;
  const std::function<void()> wake_;
};

}  // namespace god33::letta
