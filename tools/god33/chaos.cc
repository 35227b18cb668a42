#include "tools/god33/chaos.h"

#include <CLI/CLI.hpp>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>

#include "tools/god33/arguments.h"
#include "tools/god33/chaos_harness.h"

namespace god33::cli {
namespace {

constexpr std::int64_t kMostSeed = (std::int64_t{1} << 53) - 1;  // what JSON's numbers hold
constexpr double kMostMinutes = 7 * 24 * 60;

std::string CheckMinutes(const std::string& text) {
  double minutes = 0;
  const bool number = CLI::detail::lexical_cast(text, minutes);
  return number && minutes > 0 && minutes <= kMostMinutes
             ? ""
             : "expected a number of minutes above 0, at most 10080 (a week)";
}

void AddRun(CLI::App& noun, Command& chosen) {
  CLI::App& run = AddCommand(
      noun, "run", "Load a set of its own, break it again and again, and check what is left",
      "Starts a PostgreSQL, a RabbitMQ, two event-store-managers, two event-store-apis and\n"
      "a gateway of its own, publishes, appends and follows without end, makes faults in the\n"
      "order that the seed decides, lets everything come to rest, and checks that nothing was\n"
      "lost, doubled or reordered. Needs the source tree, with what `./dev build` builds and\n"
      "installs. Progress goes to standard error, the verdict to standard output.\n"
      "Interrupting it stops everything and tells what is known.\n"
      "\n"
      "Exit code 0: everything held. 1: something was violated; history, logs and database\n"
      "are kept. 5: it could not run, or was interrupted.\n"
      "\n"
      "Examples:\n"
      "  god33 chaos run\n"
      "  god33 chaos run --seed 33 --minutes 60 --keep\n"
      "  god33 chaos run --minutes 0.5 --faults kill,kill_postgres --json | jq .verdict");
  const auto options = std::make_shared<ChaosOptions>();
  run.add_option("--seed", options->seed,
                 "Decides which faults are made, in which order; default: one by chance, which is "
                 "printed")
      ->check(CLI::Range(std::int64_t{0}, kMostSeed).description(""))
      ->type_name("N");
  run.add_option("--minutes", options->minutes, "How long faults are made, at least")
      ->check(CLI::Validator(CheckMinutes, ""))
      ->type_name("M")
      ->default_str("3");
  run.add_option("--faults", options->faults,
                 "Only these kinds, with commas between; `god33 chaos faults` lists them")
      ->check(IsText())
      ->type_name("KINDS");
  run.add_flag("--keep", options->keep,
               "Keep history, logs and a dump of the database also when everything held");
  run.add_flag("--json", options->json, "The verdict as JSON, like -o json");
  run.callback([options, &chosen] {
    chosen = [options](Session& session) { return RunChaos(*options, session); };
  });
}

void AddFaults(CLI::App& noun, Command& chosen) {
  CLI::App& faults = AddCommand(noun, "faults", "The kinds of faults, and what each does",
                                "Example:\n"
                                "  god33 chaos faults");
  faults.callback([&chosen] { chosen = ListFaults; });
}

}  // namespace

void AddChaosCommands(CLI::App& root, Command& chosen) {
  CLI::App& noun =
      AddNoun(root, "chaos", "Prove that no fault loses, doubles or reorders an event");
  AddRun(noun, chosen);
  AddFaults(noun, chosen);
}

}  // namespace god33::cli
