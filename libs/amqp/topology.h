#pragma once

#include <map>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "amqp/connection.h"

namespace god33::amqp {

// Arguments of a queue (x-queue-type and its like).
using Argument = std::variant<std::string, std::int64_t, bool>;
using Arguments = std::map<std::string, Argument>;

// Reads {"x-queue-type":"quorum","x-message-ttl":60000}. InvalidArgument for anything but strings,
// whole numbers and booleans.
absl::StatusOr<Arguments> ParseArguments(std::string_view json);

struct Queue {
  std::string name;

  // Take the queue as it is instead of declaring it.
  bool existing = false;
  Arguments arguments;

  struct Binding {
    std::string exchange;
    std::string routing_key;
  };
  std::vector<Binding> bindings;
};

// A queue without bindings, of a type that operators choose: "quorum", "classic", or "existing": taken with whatever
// arguments it has. Otherwise it gets the `implied` arguments and, over them, the operator's own: `more`, for
// ParseArguments; empty: none. InvalidArgument when these can't be read.
absl::StatusOr<Queue> MakeQueue(const std::string& name, const std::string& type, Arguments implied,
                                const std::string& more);

// Declares a durable topic exchange, as Bloodbank's is.
absl::Status DeclareExchange(Connection& connection, const std::string& name);

// Declares a durable queue and its bindings. FAILED_PRECONDITION (QUEUE_ARGUMENTS) when it exists
// with other arguments; the message says what to do.
absl::Status DeclareQueue(Connection& connection, const Queue& queue);

}  // namespace god33::amqp
