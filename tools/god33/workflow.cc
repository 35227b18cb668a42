#include "tools/god33/workflow.h"

#include <cstdint>
#include <memory>
#include <string>

#include "base/strings.h"
#include "tools/god33/api_client.h"
#include "tools/god33/arguments.h"
#include "tools/god33/pages.h"
#include "tools/god33/workflow_view.h"

namespace god33::cli {
namespace {

namespace v1 = store::v1;

struct ListOptions {
  std::string project;
  std::string phase;
  std::string agent;
  bool completed = false;
  bool running = false;
  Paging paging;
};

struct GetOptions {
  std::string id;
  std::int64_t min_position = 0;
};

v1::ListWorkflowsRequest MakeRequest(const ListOptions& options) {
  v1::ListWorkflowsRequest request;
  if (!options.project.empty()) request.set_project_name(options.project);
  if (!options.phase.empty()) request.set_current_phase(options.phase);
  if (!options.agent.empty()) request.set_current_agent(options.agent);
  if (options.completed || options.running) request.set_completed(options.completed);
  SetPaging(options.paging, request);
  return request;
}

absl::Status List(const ListOptions& options, Session& session) {
  ApiClient client(session.options.api_address, session.options.timeout);
  ListPrinter printer(session.paper, *v1::ListWorkflowsResponse::descriptor(), WorkflowView());
  const auto last = PrintPages(MakeRequest(options), options.paging.all, printer,
                               [&client](const v1::ListWorkflowsRequest& page) {
                                 return client.Call(&ApiClient::Stub::ListWorkflows, page);
                               });
  if (!last.ok()) return last.status();
  if (const std::string& next = last->next_page_token(); !next.empty()) {
    session.Note(StrCat("There are more. Go on with: --page-token ", next,
                        " and the same filters; or take --all."));
  }
  return absl::OkStatus();
}

absl::Status Get(const GetOptions& options, Session& session) {
  ApiClient client(session.options.api_address, session.options.timeout);
  v1::GetWorkflowRequest request;
  request.set_workflow_id(options.id);
  request.set_min_position(options.min_position);
  const auto answer = client.Call(&ApiClient::Stub::GetWorkflow, request);
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, answer->workflow(),
                      [&] { return WorkflowDetails(answer->workflow()); });
}

void AddList(CLI::App& noun, Command& chosen) {
  CLI::App& list = AddCommand(noun, "list", "Workflows, the most recently updated first",
                              "Examples:\n"
                              "  god33 workflow list --running --project hammerspace\n"
                              "  god33 workflow list --all -o jsonl | jq -r .workflow_id");
  const auto options = std::make_shared<ListOptions>();
  list.add_option("--project", options->project, "Of this project")->check(IsText());
  list.add_option("--phase", options->phase, "In this phase")->check(IsText());
  list.add_option("--agent", options->agent, "Whose current agent this is")->check(IsText());
  CLI::Option* completed = list.add_flag("--completed", options->completed, "Only completed ones");
  list.add_flag("--running", options->running, "Only those that are not completed")
      ->excludes(completed);
  AddPaging(list, options->paging);
  list.callback([options, &chosen] {
    chosen = [options](Session& session) { return List(*options, session); };
  });
}

void AddGet(CLI::App& noun, Command& chosen) {
  CLI::App& get = AddCommand(noun, "get", "One workflow's state",
                             "Example:\n"
                             "  god33 workflow get 6f9619ff-8b86-4011-b42d-00c04fc964ff -o json");
  const auto options = std::make_shared<GetOptions>();
  get.add_option("ID", options->id, "The workflow's id")->required()->check(IsUuid());
  AddMinPosition(get, options->min_position);
  get.callback([options, &chosen] {
    chosen = [options](Session& session) { return Get(*options, session); };
  });
}

}  // namespace

void AddWorkflowCommands(CLI::App& root, Command& chosen) {
  CLI::App& noun = AddNoun(root, "workflow", "The state of BMAD workflows");
  AddList(noun, chosen);
  AddGet(noun, chosen);
}

}  // namespace god33::cli
