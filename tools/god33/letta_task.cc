#include "tools/god33/letta_task.h"

#include <memory>
#include <string>

#include "tools/god33/agent_work.h"
#include "tools/god33/api_client.h"
#include "tools/god33/arguments.h"
#include "tools/god33/letta_view.h"
#include "tools/god33/pages.h"
#include "tools/god33/watch.h"

namespace god33::cli {
namespace {

namespace v1 = letta::v1;

struct ListOptions {
  std::string status;
  std::string type;
  std::string workflow;
  Paging paging;
};

struct GetOptions {
  std::string id;
  bool wait = false;
};

absl::Status List(const ListOptions& options, Session& session) {
  v1::ListTasksRequest request;
  request.set_status(options.status);
  if (!options.type.empty()) request.set_agent_type(options.type);
  if (!options.workflow.empty()) request.set_workflow_id(options.workflow);
  SetPaging(options.paging, request);
  LettaClient client(LettaBridge(), session.options.timeout);
  ListPrinter printer(session.paper, *v1::ListTasksResponse::descriptor(), TaskView());
  const auto last =
      PrintPages(request, options.paging.all, printer, [&client](const v1::ListTasksRequest& page) {
        return client.Call(&LettaClient::Stub::ListTasks, page);
      });
  if (!last.ok()) return last.status();
  if (!last->next_page_token().empty()) session.Note(HowToGoOn(last->next_page_token()));
  return absl::OkStatus();
}

absl::Status Get(const GetOptions& options, Session& session) {
  LettaClient client(LettaBridge(), session.options.timeout);
  if (options.wait) return FollowTask(client, options.id, session);
  v1::GetTaskRequest request;
  request.set_task_id(options.id);
  const auto answer = client.Call(&LettaClient::Stub::GetTask, request);
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, answer->task(), [&] { return TaskDetails(answer->task()); });
}

void AddList(CLI::App& noun, Command& chosen) {
  CLI::App& list = AddCommand(noun, "list", "Tasks, the newest first",
                              "Examples:\n"
                              "  god33 task list --status open --watch\n"
                              "  god33 task list --status waiting -o jsonl | jq .queue_position");
  const auto options = std::make_shared<ListOptions>();
  list.add_option("--status", options->status, "In this state; open: not over")
      ->check(CLI::IsMember({"open", "waiting", "active", "paused", "recovering", "completed",
                             "blocked", "rejected", "cancelled"}));
  list.add_option("--type", options->type, "For agents of this type: letta-python-dev")
      ->check(IsText());
  list.add_option("--workflow", options->workflow, "Of this workflow")
      ->check(IsUuid())
      ->type_name("UUID");
  AddPagingWithoutPosition(list, options->paging);
  const auto watch = AddWatch(list);
  list.callback([options, watch, &chosen] {
    chosen = Watched(*watch, [options](Session& session) { return List(*options, session); });
  });
}

void AddGet(CLI::App& noun, Command& chosen) {
  CLI::App& get = AddCommand(noun, "get", "One task: where it stands, and what it waits for",
                             "Examples:\n"
                             "  god33 task get 0192d3a4-0000-7000-8000-000000000000\n"
                             "  god33 task get 0192d3a4-0000-7000-8000-000000000000 --wait");
  const auto options = std::make_shared<GetOptions>();
  get.add_option("TASK", options->id, "The task's id, which is its hand-off's event id")
      ->required()
      ->check(IsUuid())
      ->type_name("UUID");
  get.add_flag("--wait", options->wait, "Follow it to its end; exit code 1: it isn't completed");
  const auto watch = AddWatch(get);
  get.callback([options, watch, &chosen] {
    chosen = Watched(*watch, [options](Session& session) { return Get(*options, session); });
  });
}

}  // namespace

void AddTaskCommands(CLI::App& root, Command& chosen) {
  CLI::App& noun = AddNoun(root, "task", "Tasks of Letta agents");
  AddList(noun, chosen);
  AddGet(noun, chosen);
}

}  // namespace god33::cli
