#include "tools/god33/letta_session.h"

#include <memory>
#include <string>

#include "base/error.h"
#include "tools/god33/api_client.h"
#include "tools/god33/arguments.h"
#include "tools/god33/letta_view.h"
#include "tools/god33/pages.h"
#include "tools/god33/watch.h"

namespace god33::cli {
namespace {

namespace v1 = letta::v1;

constexpr int kWaitSeconds = 25;
constexpr char kIdHelp[] = "The id of a session, or of a task";

struct ListOptions {
  std::string status;
  std::string type;
  std::string workflow;
  std::string task;
  Paging paging;
};

struct OrderOptions {
  std::string id;
  std::string reason;
  bool wait = false;
};

absl::Status List(const ListOptions& options, Session& session) {
  v1::ListLettaSessionsRequest request;
  request.set_status(options.status);
  if (!options.type.empty()) request.set_agent_type(options.type);
  if (!options.workflow.empty()) request.set_workflow_id(options.workflow);
  if (!options.task.empty()) request.set_task_id(options.task);
  SetPaging(options.paging, request);
  LettaClient client(LettaBridge(), session.options.timeout);
  ListPrinter printer(session.paper, *v1::ListLettaSessionsResponse::descriptor(),
                      LettaSessionView());
  const auto last = PrintPages(request, options.paging.all, printer,
                               [&client](const v1::ListLettaSessionsRequest& page) {
                                 return client.Call(&LettaClient::Stub::ListLettaSessions, page);
                               });
  if (!last.ok()) return last.status();
  if (!last->next_page_token().empty()) session.Note(HowToGoOn(last->next_page_token()));
  return absl::OkStatus();
}

absl::Status Get(const std::string& id, Session& session) {
  v1::GetLettaSessionRequest request;
  request.set_session_id(id);
  LettaClient client(LettaBridge(), session.options.timeout);
  const auto answer = client.Call(&LettaClient::Stub::GetLettaSession, request);
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, answer->session(),
                      [&] { return LettaSessionDetails(answer->session()); });
}

// Gives an order by its method.
template <typename Request, typename Response>
absl::Status Give(const OrderOptions& options, LettaClient::Method<Request, Response> method,
                  Session& session) {
  Request request;
  request.set_session_id(options.id);
  request.set_reason(options.reason);
  request.set_wait_seconds(options.wait ? kWaitSeconds : 0);
  LettaClient client(LettaBridge(),
                     session.options.timeout + absl::Seconds(request.wait_seconds()));
  const auto answer = client.Call(method, request);
  if (!answer.ok()) return answer.status();
  absl::Status status =
      PrintMessage(session.paper, answer->task(), [&] { return TaskDetails(answer->task()); });
  if (!status.ok() || !options.wait || answer->obeyed()) return status;
  return MakeError(absl::StatusCode::kDeadlineExceeded, "NOT_OBEYED_YET",
                   StrCat("it was noted, and not obeyed within ", kWaitSeconds,
                          " s: the agent's turn goes on, or no bridge can reach Letta"));
}

template <typename Request, typename Response>
void AddOrder(CLI::App& noun, Command& chosen, const char* verb, const char* what,
              const std::string& more, LettaClient::Method<Request, Response> method) {
  CLI::App& command = AddCommand(noun, verb, what,
                                 StrCat(more, "Example:\n  god33 session ", verb,
                                        " 0192d3a4-0000-7000-8000-000000000000 --wait"));
  const auto options = std::make_shared<OrderOptions>();
  command.add_option("ID", options->id, kIdHelp)->required()->check(IsUuid())->type_name("UUID");
  command.add_option("--reason", options->reason, "For people")->check(IsText());
  command.add_flag("--wait", options->wait,
                   "Until it is done, for 25 s; exit code 5: it isn't yet");
  command.callback([options, method, &chosen] {
    chosen = [options, method](Session& session) { return Give(*options, method, session); };
  });
}

void AddList(CLI::App& noun, Command& chosen) {
  CLI::App& list = AddCommand(noun, "list", "Sessions of tasks, the newest first",
                              "Examples:\n"
                              "  god33 session list --status active\n"
                              "  god33 session list --task 0192d3a4-0000-7000-8000-000000000000");
  const auto options = std::make_shared<ListOptions>();
  list.add_option("--status", options->status, "In this state; failed: given up for a later one")
      ->check(CLI::IsMember(
          {"active", "paused", "recovering", "completed", "blocked", "cancelled", "failed"}));
  list.add_option("--type", options->type, "Of agents of this type: letta-python-dev")
      ->check(IsText());
  list.add_option("--workflow", options->workflow, "Of this workflow")
      ->check(IsUuid())
      ->type_name("UUID");
  list.add_option("--task", options->task, "Of this task")->check(IsUuid())->type_name("UUID");
  AddPagingWithoutPosition(list, options->paging);
  const auto watch = AddWatch(list);
  list.callback([options, watch, &chosen] {
    chosen = Watched(*watch, [options](Session& session) { return List(*options, session); });
  });
}

void AddGet(CLI::App& noun, Command& chosen) {
  CLI::App& get = AddCommand(noun, "get", "One session with its task: holder, question, orders",
                             "Example:\n"
                             "  god33 session get 0192d3a4-0000-7000-8000-000000000000");
  const auto id = std::make_shared<std::string>();
  get.add_option("ID", *id, kIdHelp)->required()->check(IsUuid())->type_name("UUID");
  const auto watch = AddWatch(get);
  get.callback([id, watch, &chosen] {
    chosen = Watched(*watch, [id](Session& session) { return Get(*id, session); });
  });
}

}  // namespace

void AddSessionCommands(CLI::App& root, Command& chosen) {
  using Stub = LettaClient::Stub;
  CLI::App& noun =
      AddNoun(root, "session", "Sessions of Letta agents: look, pause, resume, cancel, checkpoint");
  AddList(noun, chosen);
  AddGet(noun, chosen);
  AddOrder(noun, chosen, "pause", "Let an agent rest after a checkpoint, until it is resumed",
           "It ends the agent's turn.\n\n", &Stub::PauseSession);
  AddOrder(noun, chosen, "resume", "Go on with a task that was paused",
           "One that waits for an answer goes on with that: god33 feedback answer.\n\n",
           &Stub::ResumeSession);
  AddOrder(noun, chosen, "cancel", "End a task for good", "Also one that still waits.\n\n",
           &Stub::CancelSession);
  AddOrder(noun, chosen, "checkpoint", "Save a checkpoint now",
           "At the next border of a turn, or behind the next result of a tool.\n\n",
           &Stub::CheckpointSession);
}

}  // namespace god33::cli
