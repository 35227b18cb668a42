#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/uuid.h"
#include "json/value.h"
#include "pg/connection.h"
#include "reaction/handler.h"

// Questions to people and their answers, in PostgreSQL. Everything runs in the connection's transaction.

namespace god33::letta {

// A question of an agent that is not the bridge's, in either vocabulary (`question`, or `message`).
absl::Status InsertForeignQuestion(pg::Connection& connection, const reaction::Incoming& asked);

// What the payload of agent.feedback.requested asks, in either vocabulary, and the answers to choose from.
std::string QuestionIn(const json::Value& payload);
std::vector<std::string> OptionsIn(const json::Value& payload);

struct OpenQuestion {
  Uuid request_id;
  std::optional<Uuid> task_id;
};

// The question that an answer or a withdrawal is about: one of its parents, or its payload's request_id, or,
// for an answer that names only an agent, that agent's newest pending one. nullopt: none that is known.
absl::StatusOr<std::optional<Uuid>> QuestionOf(pg::Connection& connection,
                                               const event::Envelope& envelope);

// Locks the question until the transaction ends. nullopt: it is settled, by `settled_by`.
absl::StatusOr<std::optional<OpenQuestion>> LockPending(pg::Connection& connection,
                                                        const Uuid& request_id,
                                                        std::optional<Uuid>& settled_by);

// An answer that is stored.
struct Answer {
  Uuid event_id;
  std::string payload;
};

// The stored answer to the question with the lowest position; nullopt: none is stored. The log must be locked.
absl::StatusOr<std::optional<Answer>> FirstAnswer(pg::Connection& connection,
                                                  const Uuid& request_id);

// Settles a pending question. `status`: answered or withdrawn; `answer`: what was decided.
absl::Status Settle(pg::Connection& connection, const Uuid& request_id, std::string_view status,
                    const Uuid& settled_by, absl::Time at, std::string_view answer);

// An answer that came after the first.
absl::Status InsertLateAnswer(pg::Connection& connection, const Uuid& request_id,
                              const Uuid& event_id);

// What is taken when nobody answers in time; empty: nothing was stated.
absl::StatusOr<std::string> DefaultOf(pg::Connection& connection, const Uuid& request_id);

// Pending questions of the bridge's agents whose time is over, at most 20.
absl::StatusOr<std::vector<OpenQuestion>> DueQuestions(pg::Connection& connection);

}  // namespace god33::letta
