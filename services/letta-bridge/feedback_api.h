#pragma once

#include <string>

#include "absl/status/status.h"
#include "base/ids.h"
#include "god33/letta/v1/letta_bridge.pb.h"
#include "pg/pool.h"
#include "reaction/event_factory.h"

namespace god33::letta {

// Answers and withdraws questions: appends the event and settles the question with it, in one transaction.
// Thread-safe; calls block. Errors are those of LettaBridgeService.
class FeedbackApi {
 public:
  FeedbackApi(pg::Pool& pool, const reaction::EventFactory& factory, IdSource& ids)
      : pool_(pool), factory_(factory), ids_(ids) {}

  absl::Status Answer(const v1::AnswerFeedbackRequest& request, const std::string& caller,
                      v1::AnswerFeedbackResponse& response);
  absl::Status Withdraw(const v1::WithdrawFeedbackRequest& request, const std::string& caller,
                        v1::WithdrawFeedbackResponse& response);

 private:
  struct Member {
    const char* name;
    const std::string& text;  // empty: left out
  };
  struct Appended {
    Uuid event_id;
    std::int64_t position = 0;
    v1::Feedback feedback;
  };
  absl::StatusOr<Appended> Settle(const Uuid& request_id, const char* type,
                                  std::initializer_list<Member> members);

  pg::Pool& pool_;
  const reaction::EventFactory& factory_;
  IdSource& ids_;
};

}  // namespace god33::letta
