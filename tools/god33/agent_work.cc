#include "tools/god33/agent_work.h"

#include <unistd.h>

#include <memory>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/stop.h"
#include "json/value.h"
#include "json/write.h"
#include "tools/god33/arguments.h"
#include "tools/god33/input.h"
#include "tools/god33/letta_view.h"
#include "tools/god33/moment.h"
#include "tools/god33/printer.h"
#include "tools/god33/table.h"
#include "tools/god33/watch.h"

namespace god33::cli {
namespace {

namespace v1 = letta::v1;

constexpr std::size_t kMostText = 1 << 20;
constexpr absl::Duration kPoll = absl::Milliseconds(500);

// How long a bridge may be away while its task is waited for.
constexpr absl::Duration kPatience = absl::Minutes(1);

constexpr absl::Duration kMostMaking = absl::Seconds(30);

struct CreateOptions {
  std::string type;
  std::string name;
  std::string prompt;
  std::vector<std::string> servers;
  std::string project;
  std::string model;
  std::string context;
  std::string task;
  std::string workflow;
};

struct AssignOptions {
  std::string agent;
  std::string description;
  std::string type;
  std::string context;
  std::string cause;
  std::string workflow;
  std::string priority;
  std::string deadline;
  std::string key;
  std::string from;
  bool wait = false;
};

LettaClient ClientOf(const Session& session) {
  return LettaClient(LettaBridge(), session.options.timeout);
}

// Puts the text that an argument stands for into `text`; no argument, no text.
absl::Status ReadInto(const char* name, const std::string& value, std::string& text) {
  if (value.empty()) return absl::OkStatus();
  auto read = ReadTextArgument(name, value, kMostText);
  if (read.ok()) text = *std::move(read);
  return read.status();
}

// The members of --context, then what other options say.
absl::StatusOr<std::string> InitialContext(const CreateOptions& options) {
  std::string context;
  if (absl::Status status = ReadInto("--context", options.context, context); !status.ok()) {
    return status;
  }
  std::string task;
  if (absl::Status status = ReadInto("--task", options.task, task); !status.ok()) return status;
  if (context.empty() && task.empty() && options.workflow.empty()) return std::string();
  std::string text;
  json::Writer writer(text);
  writer.BeginObject();
  if (!context.empty()) {
    const auto value = json::Value::Parse(context);
    if (!value.ok()) return Prefixed(value.status(), "--context: ");
    if (!value->is_object()) return InvalidArgument("--context: expected a JSON object");
    for (const json::Member member : value->members()) {
      writer.RawKey(member.raw_key);
      writer.Raw(member.value.text());
    }
  }
  for (const auto& [key, value] :
       {std::pair<const char*, const std::string&>("task_description", task),
        {"workflow_id", options.workflow}}) {
    if (value.empty()) continue;
    writer.Key(key);
    writer.String(value);
  }
  writer.EndObject();
  return text;
}

std::string CreatedText(const v1::CreateAgentResponse& made) {
  Details details;
  details.Add("agent_id", made.agent_id());
  details.Add("instance_id", made.instance_id());
  details.Add("status", made.status());
  details.Add("checkpoint_id", made.checkpoint_id());
  details.Add("task_id", made.task_id());
  return details.Render();
}

absl::Status Create(const CreateOptions& options, Session& session) {
  v1::CreateAgentRequest request;
  request.set_agent_type(options.type);
  request.set_name(options.name);
  absl::Status status =
      ReadInto("--system-prompt", options.prompt, *request.mutable_system_prompt());
  if (!status.ok()) return status;
  for (const std::string& server : options.servers) request.add_mcp_servers(server);
  request.set_project_name(options.project);
  request.set_model(options.model);
  const auto context = InitialContext(options);
  if (!context.ok()) return context.status();
  if (!context->empty()) request.mutable_initial_context()->set_text(*context);
  LettaClient client(LettaBridge(), std::max(session.options.timeout, kMostMaking));
  const auto made = client.Call(&LettaClient::Stub::CreateAgent, request);
  if (!made.ok()) return made.status();
  return PrintMessage(session.paper, *made, [&] { return CreatedText(*made); });
}

std::string AssignedText(const v1::AssignTaskResponse& assigned) {
  Details details;
  details.Add("task_id", assigned.task_id());
  details.Add("status", assigned.duplicate() ? "accepted before" : assigned.status());
  details.Add("workflow_id", assigned.workflow_id());
  details.Add("position", StrCat(assigned.position()));
  details.Add("estimated_checkpoints", StrCat(assigned.estimated_checkpoints()));
  return details.Render();
}

absl::Status Assign(const AssignOptions& options, Session& session) {
  v1::AssignTaskRequest request;
  request.set_agent_id(options.agent);
  request.set_task_type(options.type);
  absl::Status status = ReadInto("--task", options.description, *request.mutable_description());
  std::string context;
  if (status.ok()) status = ReadInto("--context", options.context, context);
  if (!status.ok()) return status;
  if (!context.empty()) request.mutable_context()->set_text(context);
  request.set_correlation_id(options.cause);
  request.set_workflow_id(options.workflow);
  request.set_priority(options.priority);
  if (!options.deadline.empty()) {
    auto time = ReadMoment("--deadline", options.deadline, session.clock.Now());
    if (!time.ok()) return time.status();
    *request.mutable_deadline() = *std::move(time);
  }
  request.set_idempotency_key(options.key);
  request.set_from_agent(options.from);
  LettaClient client = ClientOf(session);
  const auto assigned = client.Call(&LettaClient::Stub::AssignTask, request);
  if (!assigned.ok()) return assigned.status();
  if (options.wait) return FollowTask(client, assigned->task_id(), session);
  return PrintMessage(session.paper, *assigned, [&] { return AssignedText(*assigned); });
}

absl::Status ShowPool(Session& session) {
  const auto pool =
      ClientOf(session).Call(&LettaClient::Stub::GetAgentPool, v1::GetAgentPoolRequest());
  if (!pool.ok()) return pool.status();
  return PrintMessage(session.paper, *pool,
                      [&] { return AgentPoolText(*pool, session.paper.screen); });
}

bool IsOver(const v1::Task& task) {
  const std::string& status = task.status();
  return status == "completed" || status == "blocked" || status == "rejected" ||
         status == "cancelled";
}

// Changes when there is something to tell.
std::string StateOf(const v1::Task& task) {
  std::string text = task.status();
  if (!task.reason().empty()) StrAppend(&text, " (", task.reason(), ")");
  if (!task.waits_for().empty()) StrAppend(&text, ", waits for: ", task.waits_for());
  if (task.has_checkpoint()) StrAppend(&text, ", checkpoints: ", task.checkpoint().sequence());
  if (task.has_question() && !task.question().settled()) {
    StrAppend(&text, "; asks: ", task.question().question(), " (god33 feedback answer ",
              task.question().request_id(), " ...)");
  }
  return text;
}

void AddCreate(CLI::App& noun, Command& chosen) {
  CLI::App& create = AddCommand(
      noun, "create", "Make an agent of your own, which gets the tasks that name it",
      "It is no part of the pool and keeps its memory from one task to the next.\n"
      "\n"
      "Examples:\n"
      "  god33 agent create python-dev --name 'Python Developer 001'\n"
      "  god33 agent create qa-engineer --system-prompt @prompt.md --task 'Review the login page'");
  const auto options = std::make_shared<CreateOptions>();
  create.add_option("KIND", options->type, "Type of agent, e.g. python-dev")
      ->required()
      ->check(IsText());
  create.add_option("--name", options->name, "What Letta calls it")->check(IsText());
  create.add_option("--system-prompt", options->prompt, "Text, @FILE, or - for standard input")
      ->check(IsText());
  AddRepeated(create, "--mcp", options->servers, "MCP server that it may use, by name");
  create.add_option("--project", options->project, "The project that it belongs to")
      ->check(IsText());
  create.add_option("--model", options->model, "Its model, in Letta's words")->check(IsText());
  create.add_option("--context", options->context, "JSON object to begin with: text, @FILE, or -")
      ->check(IsText())
      ->type_name("JSON");
  create.add_option("--task", options->task, "Its first task: text, @FILE, or -")->check(IsText());
  create.add_option("--workflow", options->workflow, "The workflow of that task")
      ->check(IsUuid())
      ->type_name("UUID");
  create.callback([options, &chosen] {
    chosen = [options](Session& session) { return Create(*options, session); };
  });
}

void AddAssign(CLI::App& noun, Command& chosen) {
  CLI::App& assign = AddCommand(
      noun, "assign", "Hand a task to an agent of your own, or to any of a type",
      "With --wait it follows the task to its end; interrupting it leaves the task "
      "alone. Exit code 1: the\n"
      "task has ended without being completed.\n"
      "\n"
      "Examples:\n"
      "  god33 agent assign letta-python-dev --task 'Implement the login page' --wait\n"
      "  god33 agent assign letta-qa-engineer-003 --task @task.md --context @context.json");
  const auto options = std::make_shared<AssignOptions>();
  assign
      .add_option("AGENT", options->agent,
                  "The agent_id or instance_id of your own, or a type: letta-python-dev")
      ->required()
      ->check(IsText());
  assign.add_option("--task", options->description, "What is to be done: text, @FILE, or -")
      ->required()
      ->check(IsText());
  assign.add_option("--type", options->type, "Kind of task, e.g. implement_feature")
      ->check(IsText());
  assign.add_option("--context", options->context, "JSON object: text, @FILE, or -")
      ->check(IsText())
      ->type_name("JSON");
  assign.add_option("--cause", options->cause, "The event that is the hand-off's parent")
      ->check(IsUuid())
      ->type_name("UUID");
  assign.add_option("--workflow", options->workflow, "Default: the cause's, else a new one")
      ->check(IsUuid())
      ->type_name("UUID");
  assign.add_option("--priority", options->priority, "How urgent it is")
      ->check(CLI::IsMember({"low", "normal", "high", "urgent"}));
  assign.add_option("--deadline", options->deadline, "When it must have begun: RFC 3339")
      ->check(IsText())
      ->type_name("TIME");
  assign.add_option("--key", options->key, "The same again under this key is the same task")
      ->check(IsText());
  assign.add_option("--from", options->from, "Who hands it over")
      ->check(IsText())
      ->default_str("api");
  assign.add_flag("--wait", options->wait, "Follow it to its end, and print the task");
  assign.callback([options, &chosen] {
    chosen = [options](Session& session) { return Assign(*options, session); };
  });
}

void AddPool(CLI::App& noun, Command& chosen) {
  CLI::App& pool = AddCommand(noun, "pool", "How many agents of each type are free or at work",
                              "Example:\n"
                              "  god33 agent pool --watch");
  const auto watch = AddWatch(pool);
  pool.callback([watch, &chosen] { chosen = Watched(*watch, ShowPool); });
}

}  // namespace

absl::Status FollowTask(LettaClient& client, const std::string& task_id, Session& session) {
  const bool tell = isatty(STDERR_FILENO) != 0;
  session.Note(StrCat("Waiting for task ", task_id, "; it goes on without this command."));
  v1::GetTaskRequest request;
  request.set_task_id(task_id);
  Stop never;
  std::string told;
  std::int64_t answered = MonotonicNanos();
  for (;;) {
    const auto answer = client.Call(&LettaClient::Stub::GetTask, request);
    if (answer.ok()) {
      answered = MonotonicNanos();
      const v1::Task& task = answer->task();
      if (const std::string state = StateOf(task); state != told) {
        if (tell || task.has_question()) session.Note(state);
        told = state;
      }
      if (IsOver(task)) {
        absl::Status status = PrintMessage(session.paper, task, [&] { return TaskDetails(task); });
        if (!status.ok() || task.status() == "completed") return status;
        return MakeError(absl::StatusCode::kFailedPrecondition, "TASK_NOT_COMPLETED",
                         StrCat("the task was ", task.status(), ": ", task.reason()));
      }
    } else if (!GoesOnAfter(answer.status()) ||
               MonotonicNanos() - answered > absl::ToInt64Nanoseconds(kPatience)) {
      return answer.status();
    }
    never.WaitFor(kPoll);
  }
}

void AddAgentWork(CLI::App& noun, Command& chosen) {
  AddCreate(noun, chosen);
  AddAssign(noun, chosen);
  AddPool(noun, chosen);
}

}  // namespace god33::cli
