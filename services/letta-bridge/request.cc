#include "services/letta-bridge/request.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "json/text_of.h"
#include "json/value.h"

namespace god33::letta {
namespace {

constexpr std::string_view kPrefix = "letta-";
constexpr std::size_t kMostName = 255;

absl::Status Rejected(std::string_view reason, std::string_view detail) {
  return MakeError(absl::StatusCode::kInvalidArgument, reason, detail);
}

// Another word of the publisher's is no reason to refuse the work: it is normal.
int ReadPriority(const std::optional<json::Value>& value) {
  if (!value) return 0;
  if (value->is_string()) {
    const std::string word = value->ToString();
    if (word == "low") return -1;
    if (word == "high") return 1;
    return word == "urgent" || word == "critical" ? 2 : 0;
  }
  const auto number = value->kind() == json::Kind::kNumber ? value->ToInt64() : std::nullopt;
  return number ? static_cast<int>(std::clamp<std::int64_t>(*number, -1, 2)) : 0;
}

}  // namespace

bool IsForBridge(std::string_view to_agent) {
  return to_agent.starts_with(kPrefix);
}

std::string AgentAskedFor(std::string_view payload) {
  return TextOf(json::Value::Checked(payload), "to_agent");
}

absl::StatusOr<Request> ReadRequest(std::string_view payload,
                                    const std::vector<std::string>& payload_errors) {
  if (!payload_errors.empty()) return Rejected("invalid_payload", payload_errors.front());
  const json::Value fields = json::Value::Checked(payload);
  const auto workflow = Uuid::Parse(TextOf(fields, "workflow_id"));
  if (!workflow) return Rejected("invalid_payload", "workflow_id: expected a UUID");

  Request request{.workflow_id = *workflow,
                  .from_agent = TextOf(fields, "from_agent"),
                  .to_agent = TextOf(fields, "to_agent"),
                  .task_type = TextOf(fields, "task_type"),
                  .description = TextOf(fields, "task_description"),
                  .idempotency_key = TextOf(fields, "idempotency_key"),
                  .agent_id = TextOf(fields, "agent_id")};
  if (request.description.empty()) request.description = TextOf(fields, "task");
  for (const auto& [field, name] :
       {std::pair("from_agent", &request.from_agent), std::pair("to_agent", &request.to_agent),
        std::pair("idempotency_key", &request.idempotency_key)}) {
    if (name->size() > kMostName || name->find('\0') != std::string::npos) {
      return Rejected("invalid_payload",
                      StrCat(field, ": expected at most ", kMostName, " bytes without NUL"));
    }
  }
  if (request.from_agent.empty()) {
    return Rejected("invalid_payload", "from_agent: expected a name, got none");
  }
  if (request.description.empty()) {
    return Rejected("invalid_payload",
                    "task_description: expected what is to be done, got nothing");
  }
  if (const auto context = fields.Find("context"); context && context->is_object()) {
    request.context = std::string(context->text());
  }
  if (const std::string deadline = TextOf(fields, "deadline"); !deadline.empty()) {
    const auto time = ParseTimestamp(deadline);
    if (!time.ok()) return Rejected("invalid_payload", "deadline: expected an RFC 3339 time");
    request.deadline = *time;
  }
  request.priority = ReadPriority(fields.Find("priority"));
  return request;
}

absl::Status CheckAcceptable(const Request& request, const Circumstances& circumstances) {
  const std::string_view type = std::string_view(request.to_agent).substr(kPrefix.size());
  const auto& known = circumstances.agent_types;
  if (request.agent_id.empty() && std::find(known.begin(), known.end(), type) == known.end()) {
    return Rejected("unknown_agent",
                    StrCat("there are no agents of the type ", Clip(type, 100),
                           "; GOD33_LETTA_AGENT_TYPES lists those that there are"));
  }
  if (request.deadline && *request.deadline <= circumstances.now) {
    return Rejected("deadline_passed",
                    StrCat("the task had to be done by ", FormatTimestamp(*request.deadline)));
  }
  if (circumstances.earlier_on_chain >= circumstances.most_on_chain) {
    return Rejected(
        "delegation_loop",
        StrCat(circumstances.earlier_on_chain, " hand-offs to ", request.to_agent,
               " are among this one's causes; at most ", circumstances.most_on_chain, " may be"));
  }
  return absl::OkStatus();
}

}  // namespace god33::letta
