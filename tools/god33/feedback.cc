#include "tools/god33/feedback.h"

#include <memory>
#include <string>

#include "base/error.h"
#include "tools/god33/api_client.h"
#include "tools/god33/arguments.h"
#include "tools/god33/confirm.h"
#include "tools/god33/input.h"
#include "tools/god33/letta_view.h"
#include "tools/god33/pages.h"
#include "tools/god33/watch.h"

namespace god33::cli {
namespace {

namespace v1 = letta::v1;

constexpr std::size_t kMostText = 100'000;

struct ListOptions {
  std::string status = "pending";
  std::string workflow;
  std::string agent;
  Paging paging;
};

struct AnswerOptions {
  std::string id;
  std::string decision;
  int choice = 0;  // 0: none
  std::string rationale;
  std::string responder;
};

struct WithdrawOptions {
  std::string id;
  std::string reason;
};

LettaClient ClientOf(const Session& session) {
  return LettaClient(LettaBridge(), session.options.timeout);
}

absl::Status List(const ListOptions& options, Session& session) {
  v1::ListFeedbackRequest request;
  request.set_status(options.status);
  if (!options.workflow.empty()) request.set_workflow_id(options.workflow);
  if (!options.agent.empty()) request.set_agent(options.agent);
  SetPaging(options.paging, request);
  LettaClient client = ClientOf(session);
  ListPrinter printer(session.paper, *v1::ListFeedbackResponse::descriptor(), FeedbackView());
  const auto last = PrintPages(request, options.paging.all, printer,
                               [&client](const v1::ListFeedbackRequest& page) {
                                 return client.Call(&LettaClient::Stub::ListFeedback, page);
                               });
  if (!last.ok()) return last.status();
  if (!last->next_page_token().empty()) session.Note(HowToGoOn(last->next_page_token()));
  return absl::OkStatus();
}

absl::StatusOr<v1::Feedback> Ask(LettaClient& client, const std::string& id) {
  v1::GetFeedbackRequest request;
  request.set_request_id(id);
  auto answer = client.Call(&LettaClient::Stub::GetFeedback, request);
  if (!answer.ok()) return answer.status();
  return std::move(*answer->mutable_feedback());
}

absl::Status Get(const std::string& id, Session& session) {
  LettaClient client = ClientOf(session);
  const auto feedback = Ask(client, id);
  if (!feedback.ok()) return feedback.status();
  return PrintMessage(session.paper, *feedback, [&] { return FeedbackDetails(*feedback); });
}

absl::Status Answer(const AnswerOptions& options, Session& session) {
  if (options.decision.empty() == (options.choice == 0)) {
    return Usage("expected either DECISION or --choose");
  }
  LettaClient client = ClientOf(session);
  v1::AnswerFeedbackRequest request;
  request.set_request_id(options.id);
  if (options.choice > 0) {
    const auto feedback = Ask(client, options.id);
    if (!feedback.ok()) return feedback.status();
    if (options.choice > feedback->options_size()) {
      return MakeError(absl::StatusCode::kInvalidArgument, "USAGE",
                       StrCat("--choose: the question has ", feedback->options_size(), " options"));
    }
    request.set_decision(feedback->options(options.choice - 1));
  } else {
    auto decision = ReadTextArgument("DECISION", options.decision, kMostText);
    if (!decision.ok()) return decision.status();
    request.set_decision(*std::move(decision));
  }
  request.set_rationale(options.rationale);
  request.set_responder(options.responder);
  const auto answer = client.Call(&LettaClient::Stub::AnswerFeedback, request);
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, *answer, [&] { return FeedbackDetails(answer->feedback()); });
}

absl::Status Withdraw(const WithdrawOptions& options, Session& session) {
  v1::WithdrawFeedbackRequest request;
  request.set_request_id(options.id);
  request.set_reason(options.reason);
  const auto answer = ClientOf(session).Call(&LettaClient::Stub::WithdrawFeedback, request);
  if (!answer.ok()) return answer.status();
  return PrintMessage(session.paper, *answer, [&] { return FeedbackDetails(answer->feedback()); });
}

void AddId(CLI::App& command, std::string& id) {
  command.add_option("REQUEST", id, "The question's id: that of its agent.feedback.requested")
      ->required()
      ->check(IsUuid())
      ->type_name("UUID");
}

void AddList(CLI::App& noun, Command& chosen) {
  CLI::App& list = AddCommand(noun, "list", "Questions, the newest first",
                              "Examples:\n"
                              "  god33 feedback list --watch\n"
                              "  god33 feedback list --status all -o jsonl | jq .answer");
  const auto options = std::make_shared<ListOptions>();
  list.add_option("--status", options->status, "In this state")
      ->check(CLI::IsMember({"pending", "answered", "timed_out", "withdrawn", "all"}))
      ->capture_default_str();
  list.add_option("--workflow", options->workflow, "Of this workflow")
      ->check(IsUuid())
      ->type_name("UUID");
  list.add_option("--agent", options->agent, "Of this agent, e.g. letta-python-dev")
      ->check(IsText());
  AddPagingWithoutPosition(list, options->paging);
  const auto watch = AddWatch(list);
  list.callback([options, watch, &chosen] {
    chosen = Watched(*watch, [options](Session& session) { return List(*options, session); });
  });
}

void AddGet(CLI::App& noun, Command& chosen) {
  CLI::App& get = AddCommand(noun, "get", "One question with all that was answered",
                             "Example:\n"
                             "  god33 feedback get 0192d3a4-0000-7000-8000-000000000000");
  const auto id = std::make_shared<std::string>();
  AddId(get, *id);
  const auto watch = AddWatch(get);
  get.callback([id, watch, &chosen] {
    chosen = Watched(*watch, [id](Session& session) { return Get(*id, session); });
  });
}

void AddAnswer(CLI::App& noun, Command& chosen) {
  CLI::App& answer =
      AddCommand(noun, "answer", "Answer a question; its agent goes on by itself",
                 "The first answer counts. Exit code 4: there was one before.\n"
                 "\n"
                 "Examples:\n"
                 "  god33 feedback answer 0192d3a4-0000-7000-8000-000000000000 'eight characters'\n"
                 "  god33 feedback answer 0192d3a4-0000-7000-8000-000000000000 --choose 2 "
                 "--rationale 'safer'");
  const auto options = std::make_shared<AnswerOptions>();
  AddId(answer, options->id);
  CLI::Option* decision =
      answer.add_option("DECISION", options->decision, "The answer: text, @FILE, or -")
          ->check(IsText());
  answer.add_option("--choose", options->choice, "The how manyth of its options, from 1")
      ->check(CLI::Validator(CLI::PositiveNumber).description(""))
      ->type_name("N")
      ->excludes(decision);
  answer.add_option("--rationale", options->rationale, "Why")->check(IsText());
  answer.add_option("--responder", options->responder, "Who answers")->check(IsText());
  answer.callback([options, &chosen] {
    chosen = [options](Session& session) { return Answer(*options, session); };
  });
}

void AddWithdraw(CLI::App& noun, Command& chosen) {
  CLI::App& withdraw =
      AddCommand(noun, "withdraw", "Call a question off; its agent decides by itself",
                 "Example:\n"
                 "  god33 feedback withdraw 0192d3a4-0000-7000-8000-000000000000 --reason 'decided "
                 "elsewhere'");
  const auto options = std::make_shared<WithdrawOptions>();
  AddId(withdraw, options->id);
  withdraw.add_option("--reason", options->reason, "For people")->check(IsText());
  withdraw.callback([options, &chosen] {
    chosen = [options](Session& session) { return Withdraw(*options, session); };
  });
}

}  // namespace

void AddFeedbackCommands(CLI::App& root, Command& chosen) {
  CLI::App& noun = AddNoun(root, "feedback", "What agents ask of humans");
  AddList(noun, chosen);
  AddGet(noun, chosen);
  AddAnswer(noun, chosen);
  AddWithdraw(noun, chosen);
}

}  // namespace god33::cli
