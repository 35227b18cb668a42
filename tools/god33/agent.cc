#include "tools/god33/agent.h"

#include <cstdint>
#include <memory>
#include <string>

#include "tools/god33/agent_view.h"
#include "tools/god33/agent_work.h"
#include "tools/god33/api_client.h"
#include "tools/god33/arguments.h"
#include "tools/god33/event_view.h"
#include "tools/god33/pages.h"
#include "tools/god33/watch.h"

namespace god33::cli {
namespace {

namespace v1 = store::v1;

constexpr char kIdHelp[] = "A session's id, or an agent's, which means its newest session";

struct ListOptions {
  std::string type;
  std::string agent;
  std::string status;
  std::string workflow;
  Paging paging;
};

struct GetOptions {
  std::string id;
  std::int64_t min_position = 0;
};

struct PartOptions {
  std::string id;
  std::string order = "asc";  // of events
  Paging paging;
};

v1::ListSessionsRequest MakeRequest(const ListOptions& options) {
  v1::ListSessionsRequest request;
  if (!options.type.empty()) request.set_agent_type(options.type);
  if (!options.agent.empty()) request.set_agent_id(options.agent);
  if (!options.status.empty()) request.set_status(options.status);
  if (!options.workflow.empty()) request.set_workflow_id(options.workflow);
  SetPaging(options.paging, request);
  return request;
}

// Prints the pages of a List method, and how to go on if there are more.
template <typename Request, typename Response>
absl::Status PrintList(Session& session, const Request& request, bool all, ListView view,
                       ApiClient::Method<Request, Response> method) {
  ApiClient client(session.options.api_address, session.options.timeout);
  ListPrinter printer(session.paper, *Response::descriptor(), std::move(view));
  const auto last = PrintPages(request, all, printer, [&client, method](const Request& page) {
    return client.Call(method, page);
  });
  if (!last.ok()) return last.status();
  if (!last->next_page_token().empty()) session.Note(HowToGoOn(last->next_page_token()));
  return absl::OkStatus();
}

absl::Status List(const ListOptions& options, Session& session) {
  return PrintList(session, MakeRequest(options), options.paging.all, SessionView(),
                   &ApiClient::Stub::ListSessions);
}

absl::Status Get(const GetOptions& options, Session& session) {
  ApiClient client(session.options.api_address, session.options.timeout);
  v1::GetSessionRequest request;
  request.set_session_id(options.id);
  request.set_min_position(options.min_position);
  const auto answer = client.Call(&ApiClient::Stub::GetSession, request);
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, answer->session(),
                      [&] { return SessionDetails(answer->session()); });
}

absl::Status ListCheckpoints(const PartOptions& options, Session& session) {
  v1::ListCheckpointsRequest request;
  request.set_session_id(options.id);
  SetPaging(options.paging, request);
  return PrintList(session, request, options.paging.all, CheckpointView(),
                   &ApiClient::Stub::ListCheckpoints);
}

absl::Status ListEvents(const PartOptions& options, Session& session) {
  v1::ListSessionEventsRequest request;
  request.set_session_id(options.id);
  request.set_order(options.order);
  SetPaging(options.paging, request);
  return PrintList(session, request, options.paging.all, EventView(),
                   &ApiClient::Stub::ListSessionEvents);
}

void AddList(CLI::App& noun, Command& chosen) {
  CLI::App& list = AddCommand(noun, "list", "Sessions, the most recently active first",
                              "Examples:\n"
                              "  god33 agent list --status active\n"
                              "  god33 agent list --agent letta-python-dev-1 --all -o jsonl");
  const auto options = std::make_shared<ListOptions>();
  list.add_option("--type", options->type, "Of agents of this type")->check(IsText());
  list.add_option("--agent", options->agent, "Of this agent (agent_instance_id)")->check(IsText());
  list.add_option("--status", options->status, "In this state")
      ->check(CLI::IsMember({"active", "paused", "completed", "failed"}));
  list.add_option("--workflow", options->workflow, "Of this workflow")
      ->check(IsUuid())
      ->type_name("UUID");
  AddPaging(list, options->paging);
  const auto watch = AddWatch(list);
  list.callback([options, watch, &chosen] {
    chosen = Watched(*watch, [options](Session& session) { return List(*options, session); });
  });
}

void AddGet(CLI::App& noun, Command& chosen) {
  CLI::App& get = AddCommand(noun, "get", "One session with its newest checkpoints",
                             "Example:\n"
                             "  god33 agent get letta-python-dev-1 -o json | jq .checkpoint_id");
  const auto options = std::make_shared<GetOptions>();
  get.add_option("ID", options->id, kIdHelp)->required()->check(IsText());
  AddMinPosition(get, options->min_position);
  const auto watch = AddWatch(get);
  get.callback([options, watch, &chosen] {
    chosen = Watched(*watch, [options](Session& session) { return Get(*options, session); });
  });
}

void AddCheckpoints(CLI::App& noun, Command& chosen) {
  CLI::App& list = AddCommand(noun, "checkpoints", "A session's checkpoints, the newest first",
                              "Example:\n"
                              "  god33 agent checkpoints letta-python-dev-1 --limit 5");
  const auto options = std::make_shared<PartOptions>();
  list.add_option("ID", options->id, kIdHelp)->required()->check(IsText());
  AddPaging(list, options->paging);
  const auto watch = AddWatch(list);
  list.callback([options, watch, &chosen] {
    chosen =
        Watched(*watch, [options](Session& session) { return ListCheckpoints(*options, session); });
  });
}

void AddEvents(CLI::App& noun, Command& chosen) {
  CLI::App& list = AddCommand(noun, "events", "The events that name a session, by position",
                              "Example:\n"
                              "  god33 agent events letta-python-dev-1 --order desc --limit 20");
  const auto options = std::make_shared<PartOptions>();
  list.add_option("ID", options->id, kIdHelp)->required()->check(IsText());
  AddOrder(list, options->order);
  AddPaging(list, options->paging);
  const auto watch = AddWatch(list);
  list.callback([options, watch, &chosen] {
    chosen = Watched(*watch, [options](Session& session) { return ListEvents(*options, session); });
  });
}

}  // namespace

void AddAgentCommands(CLI::App& root, Command& chosen) {
  CLI::App& noun =
      AddNoun(root, "agent", "Agents: their sessions and checkpoints; make one, give it work");
  AddList(noun, chosen);
  AddGet(noun, chosen);
  AddCheckpoints(noun, chosen);
  AddEvents(noun, chosen);
  AddAgentWork(noun, chosen);
}

}  // namespace god33::cli
