#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/ids.h"
#include "reaction/event_factory.h"
#include "reaction/handler.h"
#include "services/letta-bridge/handoff.h"
#include "services/letta-bridge/metrics.h"

namespace god33::letta {

// What the bridge does about events of others: hand-offs become tasks or are rejected, answers settle questions,
// questions of other agents are listed.
class Reactions : public reaction::Handler {
 public:
  // `wake` is called when there may be work to do.
  Reactions(HandoffRules rules, const reaction::EventFactory& factory, Clock& clock, IdSource& ids,
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

  const HandoffRules rules_;
  const reaction::EventFactory& factory_;
  Clock& clock_;
  IdSource& ids_;
  Metrics& metrics_;
  const std::function<void()> wake_;
};

}  // namespace god33::letta
