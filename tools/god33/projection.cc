#include "tools/god33/projection.h"

#include <memory>

#include "tools/god33/arguments.h"
#include "tools/god33/projection_actions.h"
#include "tools/god33/watch.h"

namespace god33::cli {
namespace {

constexpr char kWaiting[] =
    "It waits for the end, and tells how far the job is if standard error is a terminal. "
    "Interrupting\n"
    "it leaves the job running. Exit code 4: another job is running.\n"
    "\n";

// An id of a job, as the argument of a command.
void AddJobId(CLI::App& command, std::string& id) {
  command.add_option("JOB", id, "The job's id")->required()->check(IsUuid())->type_name("UUID");
}

void AddDetach(CLI::App& command, bool& detach) {
  command.add_flag("--detach", detach, "Don't wait: print the job");
}

void AddStatus(CLI::App& noun, Command& chosen) {
  CLI::App& status =
      AddCommand(noun, "status", "How far the projections are, what stands still, what runs",
                 "Example:\n"
                 "  god33 projection status -o json | jq .lag");
  const auto watch = AddWatch(status);
  status.callback([watch, &chosen] { chosen = Watched(*watch, ShowProjections); });
}

void AddRebuild(CLI::App& noun, Command& chosen) {
  CLI::App& rebuild = AddCommand(
      noun, "rebuild", "Fold everything anew, and put it in the place of what is there",
      std::string(
          "Readers go on meanwhile, and storing, too. At the end it tells what it has mended.\n") +
          kWaiting +
          "Examples:\n"
          "  god33 projection rebuild\n"
          "  god33 projection rebuild --detach -o json | jq -r .job_id");
  const auto options = std::make_shared<RebuildOptions>();
  AddDetach(rebuild, options->detach);
  rebuild.callback([options, &chosen] {
    chosen = [options](Session& session) { return RebuildProjections(*options, session); };
  });
}

void AddVerify(CLI::App& noun, Command& chosen) {
  CLI::App& verify =
      AddCommand(noun, "verify", "Fold everything anew, and compare it with what is there",
                 std::string("Changes nothing. Exit code 1: something differs.\n") + kWaiting +
                     "Examples:\n"
                     "  god33 projection verify\n"
                     "  god33 projection verify --workflow 0192d3a4-0000-7000-8000-000000000000\n"
                     "  god33 projection verify -o json | jq .differences");
  const auto options = std::make_shared<VerifyOptions>();
  auto* workflow = verify.add_option("--workflow", options->workflow, "Only this workflow")
                       ->check(IsUuid())
                       ->type_name("UUID");
  verify.add_option("--session", options->session, "Only this session")
      ->check(IsUuid())
      ->type_name("UUID")
      ->excludes(workflow);
  AddDetach(verify, options->detach);
  verify.callback([options, &chosen] {
    chosen = [options](Session& session) { return VerifyProjections(*options, session); };
  });
}

void AddJobs(CLI::App& noun, Command& chosen) {
  CLI::App& jobs = AddCommand(noun, "jobs", "Rebuilds and verifications, the newest first",
                              "Example:\n"
                              "  god33 projection jobs --state failed -o jsonl");
  const auto options = std::make_shared<JobsOptions>();
  jobs.add_option("--state", options->state, "Only those")
      ->check(CLI::IsMember({"running", "completed", "cancelled", "failed"}));
  jobs.add_option("--limit", options->limit, "How many at most")
      ->check(CLI::Range(1, 1000).description(""))
      ->type_name("1-1000")
      ->default_str("100");
  const auto watch = AddWatch(jobs);
  jobs.callback([options, watch, &chosen] {
    chosen = Watched(*watch,
                     [options](Session& session) { return ListProjectionJobs(*options, session); });
  });
}

void AddGet(CLI::App& noun, Command& chosen) {
  CLI::App& get = AddCommand(noun, "get", "One job, with the differences it found",
                             "Example:\n"
                             "  god33 projection get 0192d3a4-0000-7000-8000-000000000000");
  const auto id = std::make_shared<std::string>();
  AddJobId(get, *id);
  const auto watch = AddWatch(get);
  get.callback([id, watch, &chosen] {
    chosen = Watched(*watch, [id](Session& session) { return ShowProjectionJob(*id, session); });
  });
}

void AddCancel(CLI::App& noun, Command& chosen) {
  CLI::App& cancel = AddCommand(noun, "cancel", "End a job; the projections stay as they are",
                                "Example:\n"
                                "  god33 projection cancel 0192d3a4-0000-7000-8000-000000000000");
  const auto id = std::make_shared<std::string>();
  AddJobId(cancel, *id);
  cancel.callback([id, &chosen] {
    chosen = [id](Session& session) { return CancelProjectionJob(*id, session); };
  });
}

}  // namespace

void AddProjectionCommands(CLI::App& root, Command& chosen) {
  CLI::App& noun =
      AddNoun(root, "projection", "What is folded from the log: how far, rebuild it, verify it");
  AddStatus(noun, chosen);
  AddRebuild(noun, chosen);
  AddVerify(noun, chosen);
  AddJobs(noun, chosen);
  AddGet(noun, chosen);
  AddCancel(noun, chosen);
}

}  // namespace god33::cli
