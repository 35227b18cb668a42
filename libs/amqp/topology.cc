#include "amqp/topology.h"

#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "json/value.h"

namespace god33::amqp {
namespace {

amqp_field_value_t ToField(const Argument& argument) {
  amqp_field_value_t value;
  if (const auto* text = std::get_if<std::string>(&argument)) {
    value.kind = AMQP_FIELD_KIND_UTF8;
    value.value.bytes = Bytes(*text);
  } else if (const auto* number = std::get_if<std::int64_t>(&argument)) {
    value.kind = AMQP_FIELD_KIND_I64;
    value.value.i64 = *number;
  } else {
    value.kind = AMQP_FIELD_KIND_BOOLEAN;
    value.value.boolean = std::get<bool>(argument);
  }
  return value;
}

}  // namespace

absl::StatusOr<Arguments> ParseArguments(std::string_view json) {
  const auto object = json::Value::Parse(json);
  if (!object.ok() || !object->is_object()) {
    return InvalidArgument("expected a JSON object such as {\"x-queue-type\":\"quorum\"}");
  }
  Arguments arguments;
  for (const json::Member member : object->members()) {
    const json::Value& value = member.value;
    if (value.is_string()) {
      arguments[member.key()] = value.ToString();
    } else if (value.kind() == json::Kind::kBool) {
      arguments[member.key()] = value.ToBool();
    } else if (const auto number = value.ToInt64()) {
      arguments[member.key()] = *number;
    } else {
      return InvalidArgument(
          StrCat(member.key(), ": expected a string, a whole number or a boolean"));
    }
  }
  return arguments;
}

absl::StatusOr<Queue> MakeQueue(const std::string& name, const std::string& type, Arguments implied,
                                const std::string& more) {
  Queue queue{.name = name, .existing = type == "existing", .arguments = std::move(implied)};
  if (type == "quorum") queue.arguments["x-queue-type"] = "quorum";
  if (!more.empty()) {
    const auto parsed = ParseArguments(more);
    if (!parsed.ok()) {
      return InvalidArgument(StrCat("arguments of queue ", name, ": ", MessageOf(parsed.status())));
    }
    for (const auto& [key, value] : *parsed) queue.arguments[key] = value;
  }
  return queue;
}

absl::Status DeclareExchange(Connection& connection, const std::string& name) {
  amqp_exchange_declare(connection.state(), Connection::kChannel, Bytes(name),
                        amqp_cstring_bytes("topic"), /*passive=*/0, /*durable=*/1,
                        /*auto_delete=*/0,
                        /*internal=*/0, amqp_empty_table);
  return connection.LastReply(StrCat("declaring exchange ", name));
}

absl::Status DeclareQueue(Connection& connection, const Queue& queue) {
  std::vector<amqp_table_entry_t> entries;
  for (const auto& [key, argument] : queue.arguments) {
    entries.push_back({.key = Bytes(key), .value = ToField(argument)});
  }
  const amqp_table_t arguments = {.num_entries = static_cast<int>(entries.size()),
                                  .entries = entries.data()};
  amqp_queue_declare(connection.state(), Connection::kChannel, Bytes(queue.name), queue.existing,
                     /*durable=*/1, /*exclusive=*/0, /*auto_delete=*/0,
                     queue.existing ? amqp_empty_table : arguments);
  absl::Status status = connection.LastReply(StrCat("declaring queue ", queue.name));
  if (absl::IsFailedPrecondition(status)) {
    return MakeError(
        absl::StatusCode::kFailedPrecondition, "QUEUE_ARGUMENTS",
        StrCat(
            MessageOf(status), ". The queue exists with other arguments than the configured ones. ",
            "Either configure the ones it has (see `rabbitmqctl list_queues name arguments`), or ",
            "take it as it is (queue type \"existing\"), or delete it once it is empty and let it ",
            "be declared anew."));
  }
  if (!status.ok()) return status;
  for (const Queue::Binding& binding : queue.bindings) {
    amqp_queue_bind(connection.state(), Connection::kChannel, Bytes(queue.name),
                    Bytes(binding.exchange), Bytes(binding.routing_key), amqp_empty_table);
    status = connection.LastReply(
        StrCat("binding queue ", queue.name, " to ", binding.exchange, " ", binding.routing_key));
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace god33::amqp
