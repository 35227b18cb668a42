#include "services/letta-bridge/agent_api.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/ascii.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "json/value.h"
#include "json/write.h"
#include "reaction/decide.h"
#include "reaction/journal.h"
#include "services/letta-bridge/checkpoint_list.h"
#include "services/letta-bridge/fields.h"
#include "services/letta-bridge/orders.h"
#include "services/letta-bridge/prompts.h"
#include "services/letta-bridge/request.h"
#include "services/letta-bridge/task_store.h"
#include "telemetry/log.h"
#include "wire/timestamp.h"

namespace god33::letta {
namespace {

constexpr pg::Statement kOwnNamed = {"letta_api_agent_named", R"sql(
  SELECT agent_id, agent_type, own FROM letta_agents
  WHERE (agent_id = $1::text OR instance_id = $1::text) AND state <> 'gone' LIMIT 1)sql"};

constexpr pg::Statement kWorkflowOf = {"letta_api_workflow_of", R"sql(
  SELECT e.workflow_id FROM event_ids AS i JOIN events AS e ON e.position = i.position
  WHERE i.event_id = $1::uuid)sql"};

constexpr pg::Statement kTaken = {"letta_api_taken", R"sql(
  SELECT key.task_id, t.workflow_id, coalesce(i.position, 0)
  FROM letta_handoff_keys AS key JOIN letta_tasks AS t USING (task_id)
    LEFT JOIN event_ids AS i ON i.event_id = key.task_id
  WHERE key.from_agent = $1::text AND key.key = $2::text)sql"};

constexpr pg::Statement kEstimate = {"letta_api_estimate", R"sql(
  SELECT (percentile_disc(0.5) WITHIN GROUP (ORDER BY last.sequence))::integer
  FROM (SELECT * FROM letta_tasks ORDER BY arrival DESC LIMIT 1000) AS newest
    CROSS JOIN LATERAL (SELECT c.sequence FROM letta_checkpoints AS c WHERE c.task_id = newest.task_id
                        ORDER BY c.sequence DESC LIMIT 1) AS last
  WHERE newest.status = 'completed' AND newest.to_agent = $1::text)sql"};

constexpr std::string_view kPrefix = "letta-";
constexpr std::size_t kMostType = 60;
constexpr std::size_t kMostName = 255;
constexpr std::size_t kMostAgent = 100;
constexpr std::size_t kMostPrompt = 100'000;
constexpr std::size_t kMostText = 1 << 20;
constexpr int kMostServers = 100;
constexpr int kUsualCheckpoints = 3;
constexpr char kApi[] = "api";
constexpr absl::Duration kPoolTimeout = absl::Seconds(2);

constexpr std::array<std::string_view, 4> kPriorities = {"low", "normal", "high", "urgent"};

// letta-python-dev of python-dev or letta-python-dev.
absl::StatusOr<std::string> ReadType(const std::string& text) {
  const std::string type = text.starts_with(kPrefix) ? text.substr(kPrefix.size()) : text;
  const bool is_name = !type.empty() && type.size() <= kMostType &&
                       std::all_of(type.begin(), type.end(), [](char c) {
                         return absl::ascii_islower(static_cast<unsigned char>(c)) ||
                                absl::ascii_isdigit(static_cast<unsigned char>(c)) || c == '-';
                       });
  if (is_name) return StrCat(kPrefix, type);
  return InvalidField("agent_type",
                      StrCat("expected 1 to ", kMostType,
                             " lower-case letters, digits and hyphens, e.g. python-dev, got \"",
                             Clip(text, 80), "\""));
}

void Member(json::Writer& writer, std::string_view name, std::string_view text) {
  if (text.empty()) return;
  writer.Key(name);
  writer.String(text);
}

void RawMember(json::Writer& writer, std::string_view name, std::string_view json) {
  if (json.empty()) return;
  writer.Key(name);
  writer.Raw(json);
}

std::string SpecJson(const AgentSpec& spec, const std::string& initial_context) {
  std::string text;
  json::Writer writer(text);
  writer.BeginObject();
  Member(writer, "name", spec.name);
  Member(writer, "model", spec.model);
  Member(writer, "system_prompt", spec.system_prompt);
  writer.Key("mcp_servers");
  writer.BeginArray();
  for (const std::string& server : spec.mcp_servers) writer.String(server);
  writer.EndArray();
  RawMember(writer, "initial_context", initial_context);
  writer.Key("memory");
  writer.BeginObject();
  for (const MemoryFile& file : spec.memory) {
    writer.Key(file.path);
    writer.String(file.content);
  }
  writer.EndObject();
  writer.EndObject();
  return text;
}

// What CreateAgent is told of a first task.
struct InitialContext {
  std::string workflow_id;
  std::string task_type;
  std::string description;  // empty: there is none
  std::string rest;         // a JSON object
};

absl::StatusOr<InitialContext> ReadInitialContext(const std::string& object) {
  InitialContext initial;
  if (object.empty()) return initial;
  json::Writer rest(initial.rest);
  rest.BeginObject();
  for (const json::Member member : json::Value::Checked(object).members()) {
    std::string* text = member.Is("workflow_id")        ? &initial.workflow_id
                        : member.Is("task_type")        ? &initial.task_type
                        : member.Is("task_description") ? &initial.description
                                                        : nullptr;
    if (text == nullptr) {
      rest.RawKey(member.raw_key);
      rest.Raw(member.value.text());
    } else if (!member.value.is_string()) {
      return InvalidField(StrCat("initial_context.", member.key()),
                          StrCat("expected a text, got ", json::Describe(member.value.kind())));
    } else {
      *text = member.value.ToString();
    }
  }
  rest.EndObject();
  return initial;
}

std::string ContextFile(const std::string& object) {
  return StrCat("What I was made with:\n\n```json\n", object, "\n```\n");
}

// A rejection, as a caller is told of it before anything is in the log.
absl::Status Refused(const absl::Status& verdict) {
  return MakeError(absl::StatusCode::kFailedPrecondition, absl::AsciiStrToUpper(ReasonOf(verdict)),
                   MessageOf(verdict));
}

}  // namespace

absl::StatusOr<AgentApi::Assignment> AgentApi::ReadAssignment(
    const v1::AssignTaskRequest& request) {
  absl::Status status =
      FirstError({CheckText("agent_id", request.agent_id(), 1, kMostName),
                  CheckText("task_type", request.task_type(), 0, kMostName),
                  CheckText("description", request.description(), 1, kMostText),
                  CheckText("idempotency_key", request.idempotency_key(), 0, kMostName),
                  CheckText("from_agent", request.from_agent(), 0, kMostAgent)});
  if (!status.ok()) return status;
  const auto cause = ReadIdOrNone("correlation_id", request.correlation_id());
  if (!cause.ok()) return cause.status();
  const auto workflow = ReadIdOrNone("workflow_id", request.workflow_id());
  if (!workflow.ok()) return workflow.status();
  const auto context = ReadObject("context", request.context().text(), kMostText);
  if (!context.ok()) return context.status();
  const std::string& priority = request.priority();
  if (!priority.empty() &&
      std::find(kPriorities.begin(), kPriorities.end(), priority) == kPriorities.end()) {
    return InvalidField("priority", StrCat("expected low, normal, high or urgent, got \"",
                                           Clip(priority, 40), "\""));
  }

  Assignment assignment{
      .cause = *cause,
      .workflow = *workflow,
      .from_agent = request.from_agent().empty() ? std::string(kApi) : request.from_agent(),
      .idempotency_key = request.idempotency_key()};
  json::Writer writer(assignment.payload);
  Member(writer, "from_agent", assignment.from_agent);
  Member(writer, "task_type", request.task_type());
  Member(writer, "task_description", request.description());
  RawMember(writer, "context", *context);
  Member(writer, "priority", priority);
  if (request.has_deadline()) {
    const auto deadline = wire::ReadTime("deadline", request.deadline());
    if (!deadline.ok()) return deadline.status();
    Member(writer, "deadline", FormatTimestamp(*deadline));
  }
  Member(writer, "idempotency_key", request.idempotency_key());
  return assignment;
}

absl::Status AgentApi::Address(const std::string& agent_id, Assignment& assignment) {
  auto connection = parts_.pool.AcquireAlive(kPoolTimeout);
  if (!connection.ok()) return connection.status();
  pg::Params params;
  params.Text(agent_id);
  const auto found = (*connection)->Query(kOwnNamed, params);
  if (!found.ok()) return found.status();
  if (found->rows() == 0) {
    if (IsForBridge(agent_id)) {
      assignment.to_agent = agent_id;
      return absl::OkStatus();
    }
    return MakeError(absl::StatusCode::kNotFound, "AGENT_UNKNOWN",
                     StrCat("there is no agent \"", Clip(agent_id, 100),
                            "\"; a type of agents is named like letta-python-dev"),
                     "agent_id");
  }
  if (!found->Bool(0, 2)) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "AGENT_OF_POOL",
                     StrCat(Clip(agent_id, 100), " is one of the pool's agents; name its type, ",
                            found->Bytes(0, 1)),
                     "agent_id");
  }
  assignment.own_agent = std::string(found->Bytes(0, 0));
  assignment.to_agent = std::string(found->Bytes(0, 1));
  return absl::OkStatus();
}

absl::StatusOr<AgentApi::Assigned> AgentApi::Commit(const Assignment& assignment,
                                                    const Before& before) {
  Assigned assigned{.task_id = parts_.ids.New()};
  const Uuid own_workflow = parts_.ids.New();
  const reaction::Journal journal(kReactionService);
  const auto decision = [&](pg::Connection& connection) -> absl::StatusOr<sequence::Unit> {
    if (absl::Status status = before(connection); !status.ok()) return status;
    std::optional<Uuid> workflow = assignment.workflow;
    if (!workflow && assignment.cause) {
      pg::Params params;
      params.Id(*assignment.cause);
      const auto found = connection.Query(kWorkflowOf, params);
      if (!found.ok()) return found.status();
      if (found->rows() > 0) workflow = found->OptionalId(0, 0);
    }
    assigned.workflow_id = workflow.value_or(own_workflow);

    std::string payload;
    json::Writer writer(payload);
    writer.BeginObject();
    Member(writer, "workflow_id", assigned.workflow_id.ToString());
    Member(writer, "to_agent", assignment.to_agent);
    Member(writer, "agent_id", assignment.own_agent);
    StrAppend(&payload, ",", assignment.payload, "}");
    std::vector<Uuid> parents;
    if (assignment.cause) parents.push_back(*assignment.cause);
    auto event = parts_.factory.Make({.type = kAgentHandoff,
                                      .payload = std::move(payload),
                                      .parents = std::move(parents),
                                      .id = assigned.task_id});
    if (!event.ok()) return event.status();
    const auto handoff = Judge(connection, parts_.rules, parts_.clock.Now(), event->envelope, {});
    if (!handoff.ok()) return handoff.status();
    if (!handoff->verdict.ok()) return Refused(handoff->verdict);

    const auto inserted = InsertTask(connection, handoff->task);
    if (!inserted.ok()) return inserted.status();
    if (!*inserted) {
      pg::Params params;
      params.Text(assignment.from_agent).Text(assignment.idempotency_key);
      const auto taken = connection.Query(kTaken, params);
      if (!taken.ok()) return taken.status();
      if (taken->rows() == 0) return absl::InternalError("a key without its task");
      assigned = {.task_id = taken->Id(0, 0),
                  .workflow_id = taken->Id(0, 1),
                  .position = taken->Int8(0, 2),
                  .duplicate = true};
      return sequence::Unit();
    }
    // It comes back over the bus and has been taken by then.
    const auto marked = journal.Mark(connection, assigned.task_id);
    if (!marked.ok()) return marked.status();
    if (absl::Status status = NotifyBridges(connection); !status.ok()) return status;
    sequence::Unit unit;
    unit.events.push_back(*std::move(event));
    return unit;
  };
  const auto outcome = reaction::Decide(parts_.pool, decision);
  if (!outcome.ok()) return outcome.status();
  if (assigned.duplicate) {
    parts_.metrics.handoffs_repeated.Increment();
  } else {
    assigned.position = outcome->placed.at(0).position;
    parts_.metrics.handoffs_taken.Increment();
  }
  return assigned;
}

absl::Status AgentApi::Assign(const v1::AssignTaskRequest& request,
                              v1::AssignTaskResponse& response) {
  auto assignment = ReadAssignment(request);
  if (!assignment.ok()) return assignment.status();
  if (absl::Status status = Address(request.agent_id(), *assignment); !status.ok()) return status;
  const auto assigned = Commit(*assignment, [](pg::Connection&) { return absl::OkStatus(); });
  if (!assigned.ok()) return assigned.status();
  response.set_task_id(assigned->task_id.ToString());
  response.set_status("accepted");
  response.set_event_id(assigned->task_id.ToString());
  response.set_position(assigned->position);
  response.set_workflow_id(assigned->workflow_id.ToString());
  response.set_duplicate(assigned->duplicate);
  response.set_estimated_checkpoints(kUsualCheckpoints);

  // It is assigned: an estimate that can't be had must not say otherwise.
  auto connection = parts_.pool.AcquireAlive(kPoolTimeout);
  if (!connection.ok()) return absl::OkStatus();
  pg::Params params;
  params.Text(assignment->to_agent);
  const auto estimate = (*connection)->Query(kEstimate, params);
  if (estimate.ok() && !estimate->IsNull(0, 0)) {
    response.set_estimated_checkpoints(estimate->Int4(0, 0));
  }
  return absl::OkStatus();
}

absl::Status AgentApi::Create(const v1::CreateAgentRequest& request,
                              const std::function<bool()>& gone,
                              v1::CreateAgentResponse& response) {
  const auto type = ReadType(request.agent_type());
  if (!type.ok()) return type.status();
  absl::Status status =
      FirstError({CheckText("name", request.name(), 0, kMostAgent),
                  CheckText("system_prompt", request.system_prompt(), 0, kMostPrompt),
                  CheckText("project_name", request.project_name(), 0, kMostName),
                  CheckText("model", request.model(), 0, kMostName)});
  if (!status.ok()) return status;
  if (request.mcp_servers_size() > kMostServers) {
    return InvalidField("mcp_servers", StrCat("expected at most ", kMostServers));
  }
  const auto context = ReadObject("initial_context", request.initial_context().text(), kMostText);
  if (!context.ok()) return context.status();
  const auto initial = ReadInitialContext(*context);
  if (!initial.ok()) return initial.status();
  // What is wrong with the first task is told before there is an agent.
  const auto workflow = ReadIdOrNone("initial_context.workflow_id", initial->workflow_id);
  if (!workflow.ok()) return workflow.status();
  std::optional<Assignment> assignment;
  if (!initial->description.empty()) {
    v1::AssignTaskRequest task;
    task.set_agent_id(*type);
    task.set_task_type(initial->task_type);
    task.set_description(initial->description);
    task.set_workflow_id(initial->workflow_id);
    task.mutable_context()->set_text(initial->rest);
    auto read = ReadAssignment(task);
    if (!read.ok()) return Prefixed(read.status(), "initial_context: ");
    assignment = *std::move(read);
  }

  PooledAgent agent{.agent_type = *type, .project = request.project_name(), .own = true};
  {
    auto connection = parts_.pool.AcquireAlive(kPoolTimeout);
    if (!connection.ok()) return connection.status();
    auto instance = NextInstance(**connection, *type);
    if (!instance.ok()) return instance.status();
    agent.instance_id = *std::move(instance);
  }
  AgentSpec spec{.name = request.name().empty() ? agent.instance_id : request.name(),
                 .system_prompt = request.system_prompt().empty() ? SystemPrompt(*type)
                                                                  : request.system_prompt(),
                 .model = request.model().empty() ? parts_.model : request.model(),
                 .mcp_servers = {request.mcp_servers().begin(), request.mcp_servers().end()},
                 .tags = {"god33", StrCat("type:", *type), "own"},
                 .memory = BlankMemory(*type)};
  if (!assignment && !context->empty()) {
    spec.memory.push_back({.path = "system/context.md",
                           .description = "What I was made with",
                           .content = ContextFile(*context)});
  }
  auto made = parts_.backend.CreateAgent(spec);
  if (!made.ok()) return made.status();
  agent.agent_id = *made;
  const auto give_up = [&](const absl::Status& why) {
    const absl::Status deleted = parts_.backend.DeleteAgent(agent.agent_id);
    if (!deleted.ok()) {
      Log(LogLevel::kWarning, "an agent that nobody knows of could not be deleted",
          {{"letta_agent", agent.agent_id}, {"error", MessageOf(deleted)}});
    }
    return why;
  };
  if (gone()) return give_up(absl::CancelledError("the caller has gone"));

  const auto insert = [&](pg::Connection& connection) {
    return InsertOwnAgent(connection, agent, SpecJson(spec, *context));
  };
  if (assignment) {
    assignment->to_agent = *type;
    assignment->own_agent = agent.agent_id;
    const auto assigned = Commit(*assignment, insert);
    status = assigned.status();
    if (assigned.ok()) response.set_task_id(assigned->task_id.ToString());
  } else {
    const auto outcome = reaction::Decide(
        parts_.pool, [&](pg::Connection& connection) -> absl::StatusOr<sequence::Unit> {
          if (absl::Status inserted = insert(connection); !inserted.ok()) return inserted;
          return sequence::Unit();
        });
    status = outcome.status();
  }
  // After a lost connection it may be known all the same.
  if (!status.ok()) return absl::IsUnavailable(status) ? status : give_up(status);
  response.set_agent_id(agent.agent_id);
  response.set_instance_id(agent.instance_id);
  response.set_status("active");
  response.set_checkpoint_id(InitialCheckpointId(agent.instance_id));
  return absl::OkStatus();
}

}  // namespace god33::letta
