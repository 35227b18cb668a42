#include "tools/god33/workflow.h"

#include <cstdint>
#include <memory>
#include <string>

#include "tools/god33/api_client.h"
#include "tools/god33/arguments.h"
#include "tools/god33/moment.h"
#include "tools/god33/pages.h"
#include "tools/god33/watch.h"
#include "tools/god33/workflow_steering.h"
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
  std::int64_t at_position = 0;  // 0: not given
  std::string at_time;
  std::int64_t min_position = 0;
};

struct TimelineOptions {
  std::string id;
  std::string order = "asc";
  Paging paging;
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
    session.Note(HowToGoOn(next));
  }
  return absl::OkStatus();
}

absl::Status Get(const GetOptions& options, Session& session) {
  v1::GetWorkflowStateRequest request;
  request.set_workflow_id(options.id);
  if (options.at_position > 0) request.set_at_position(options.at_position);
  if (!options.at_time.empty()) {
    auto time = ReadMoment("--at-time", options.at_time, session.clock.Now());
    if (!time.ok()) return time.status();
    *request.mutable_at_time() = *std::move(time);
  }
  request.set_min_position(options.min_position);
  ApiClient client(session.options.api_address, session.options.timeout);
  const auto answer = client.Call(&ApiClient::Stub::GetWorkflowState, request);
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, answer->workflow(),
                      [&] { return WorkflowDetails(answer->workflow()); });
}

absl::Status Timeline(const TimelineOptions& options, Session& session) {
  v1::GetWorkflowTimelineRequest request;
  request.set_workflow_id(options.id);
  request.set_order(options.order);
  SetPaging(options.paging, request);
  ApiClient client(session.options.api_address, session.options.timeout);
  ListPrinter printer(session.paper, *v1::GetWorkflowTimelineResponse::descriptor(),
                      TimelineView());
  const auto last = PrintPages(request, options.paging.all, printer,
                               [&client](const v1::GetWorkflowTimelineRequest& page) {
                                 return client.Call(&ApiClient::Stub::GetWorkflowTimeline, page);
                               });
  if (!last.ok()) return last.status();
  if (!last->next_page_token().empty()) session.Note(HowToGoOn(last->next_page_token()));
  return absl::OkStatus();
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
  const auto watch = AddWatch(list);
  list.callback([options, watch, &chosen] {
    chosen = Watched(*watch, [options](Session& session) { return List(*options, session); });
  });
}

void AddGet(CLI::App& noun, Command& chosen) {
  CLI::App& get =
      AddCommand(noun, "get", "One workflow's state, now or as it was",
                 "Examples:\n"
                 "  god33 workflow get 6f9619ff-8b86-4011-b42d-00c04fc964ff -o json\n"
                 "  god33 workflow get 6f9619ff-8b86-4011-b42d-00c04fc964ff --at-time 2h");
  const auto options = std::make_shared<GetOptions>();
  get.add_option("ID", options->id, "The workflow's id")->required()->check(IsUuid());
  CLI::Option* position = get.add_option("--at-position", options->at_position,
                                         "The state after the event at this position of the log")
                              ->check(CLI::Validator(CLI::PositiveNumber).description(""))
                              ->type_name("N");
  get.add_option("--at-time", options->at_time,
                 "The state at this moment, by the store's clock: RFC 3339, or how long ago: 15m, "
                 "2h, 7d")
      ->check(IsText())
      ->type_name("TIME")
      ->excludes(position);
  AddMinPosition(get, options->min_position);
  const auto watch = AddWatch(get);
  get.callback([options, watch, &chosen] {
    chosen = Watched(*watch, [options](Session& session) { return Get(*options, session); });
  });
}

void AddTimeline(CLI::App& noun, Command& chosen) {
  CLI::App& timeline =
      AddCommand(noun, "timeline", "What happened in a workflow, a line for each event",
                 "Examples:\n"
                 "  god33 workflow timeline 6f9619ff-8b86-4011-b42d-00c04fc964ff --all\n"
                 "  god33 workflow timeline 6f9619ff-8b86-4011-b42d-00c04fc964ff --order desc");
  const auto options = std::make_shared<TimelineOptions>();
  timeline.add_option("ID", options->id, "The workflow's id")->required()->check(IsUuid());
  AddOrder(timeline, options->order);
  AddPaging(timeline, options->paging);
  const auto watch = AddWatch(timeline);
  timeline.callback([options, watch, &chosen] {
    chosen = Watched(*watch, [options](Session& session) { return Timeline(*options, session); });
  });
}

}  // namespace

void AddWorkflowCommands(CLI::App& root, Command& chosen) {
  CLI::App& noun = AddNoun(root, "workflow", "BMAD workflows: steer them, and see where they are");
  AddSteeringCommands(noun, chosen);
  AddList(noun, chosen);
  AddGet(noun, chosen);
  AddTimeline(noun, chosen);
}

}  // namespace god33::cli
