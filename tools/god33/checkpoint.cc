#include "tools/god33/checkpoint.h"

#include <memory>
#include <optional>
#include <string>

#include "tools/god33/api_client.h"
#include "tools/god33/arguments.h"
#include "tools/god33/letta_view.h"
#include "tools/god33/pages.h"
#include "tools/god33/watch.h"

namespace god33::cli {
namespace {

namespace v1 = letta::v1;

struct ListOptions {
  std::string task;
  std::string session;
  Paging paging;
};

struct GetOptions {
  std::string agent;
  std::string id;
};

LettaClient ClientOf(const Session& session) {
  return LettaClient(LettaBridge(), session.options.timeout);
}

absl::Status List(const ListOptions& options, Session& session) {
  v1::ListLettaCheckpointsRequest request;
  request.set_task_id(options.task);
  request.set_session_id(options.session);
  SetPaging(options.paging, request);
  LettaClient client = ClientOf(session);
  ListPrinter printer(session.paper, *v1::ListLettaCheckpointsResponse::descriptor(),
                      LettaCheckpointView());
  const auto last = PrintPages(request, options.paging.all, printer,
                               [&client](const v1::ListLettaCheckpointsRequest& page) {
                                 return client.Call(&LettaClient::Stub::ListLettaCheckpoints, page);
                               });
  if (!last.ok()) return last.status();
  if (!last->next_page_token().empty()) session.Note(HowToGoOn(last->next_page_token()));
  return absl::OkStatus();
}

absl::Status Get(const GetOptions& options, Session& session) {
  v1::GetLettaCheckpointRequest request;
  request.set_agent_id(options.agent);
  request.set_checkpoint_id(options.id);
  const auto answer = ClientOf(session).Call(&LettaClient::Stub::GetLettaCheckpoint, request);
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, answer->checkpoint(),
                      [&] { return LettaCheckpointDetails(answer->checkpoint()); });
}

absl::Status Retention(std::optional<int> kept, Session& session) {
  v1::GetCheckpointRetentionRequest request;
  if (kept) request.set_kept(*kept);
  const auto plan = ClientOf(session).Call(&LettaClient::Stub::GetCheckpointRetention, request);
  if (!plan.ok()) return plan.status();
  return PrintMessage(session.paper, *plan, [&] { return RetentionDetails(*plan); });
}

void AddList(CLI::App& noun, Command& chosen) {
  CLI::App& list =
      AddCommand(noun, "list", "The checkpoints of a task or a session, the newest first",
                 "Example:\n"
                 "  god33 checkpoint list --task 0192d3a4-0000-7000-8000-000000000000");
  const auto options = std::make_shared<ListOptions>();
  CLI::Option_group& of = *list.add_option_group("of", "Whose checkpoints");
  of.add_option("--task", options->task, "Of this task")->check(IsUuid())->type_name("UUID");
  of.add_option("--session", options->session, "Of this session")
      ->check(IsUuid())
      ->type_name("UUID");
  of.require_option(1);
  AddPagingWithoutPosition(list, options->paging);
  const auto watch = AddWatch(list);
  list.callback([options, watch, &chosen] {
    chosen = Watched(*watch, [options](Session& session) { return List(*options, session); });
  });
}

void AddGet(CLI::App& noun, Command& chosen) {
  CLI::App& get = AddCommand(
      noun, "get", "One checkpoint with its agent's memory",
      "Example:\n"
      "  god33 checkpoint get letta-python-dev letta-checkpoint-1 -o json | jq .memory_snapshot");
  const auto options = std::make_shared<GetOptions>();
  get.add_option("AGENT", options->agent, "Whose: a session, task, agent or type of agents")
      ->required()
      ->check(IsText());
  get.add_option("CHECKPOINT", options->id, "The checkpoint's id")->required()->check(IsText());
  get.callback([options, &chosen] {
    chosen = [options](Session& session) { return Get(*options, session); };
  });
}

void AddRetention(CLI::App& noun, Command& chosen) {
  CLI::App& retention = AddCommand(noun, "retention", "Which checkpoints would go",
                                   "Changes nothing: letta-bridge drops them by itself, as "
                                   "GOD33_CHECKPOINTS_KEPT says.\n"
                                   "\n"
                                   "Example:\n"
                                   "  god33 checkpoint retention --kept 5");
  const auto kept = std::make_shared<std::optional<int>>();
  retention
      .add_option("--kept", *kept,
                  "As if so many of a task under way were kept; default: what is configured")
      ->check(CLI::Range(1, 1'000'000).description(""))
      ->type_name("1-1000000");
  retention.callback(
      [kept, &chosen] { chosen = [kept](Session& session) { return Retention(*kept, session); }; });
}

}  // namespace

void AddCheckpointCommands(CLI::App& root, Command& chosen) {
  CLI::App& noun = AddNoun(root, "checkpoint", "What tasks of Letta agents go on from");
  AddList(noun, chosen);
  AddGet(noun, chosen);
  AddRetention(noun, chosen);
}

}  // namespace god33::cli
