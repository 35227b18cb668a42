#include "tools/god33/replay.h"

#include <memory>
#include <string>

#include "base/strings.h"
#include "tools/god33/arguments.h"
#include "tools/god33/confirm.h"
#include "tools/god33/replay_actions.h"
#include "tools/god33/watch.h"

namespace god33::cli {
namespace {

constexpr char kReplayHelp[] =
    "Publishes stored events again, for consumers that missed them or are new: in the order of "
    "the\n"
    "log, with their ids, types and payloads. event-store-manager carries it out, also when it is\n"
    "restarted meanwhile. The command shows how far it is and waits for the end; Ctrl-C cancels "
    "the\n"
    "replay, and what was published stays published. If this process is lost the replay goes on.\n"
    "Exit code 1: it failed or was cancelled; 5: the manager is away.\n"
    "\n"
    "Examples:\n"
    "  god33 event replay --workflow 6f9619ff-8b86-4011-b42d-00c04fc964ff --dry-run\n"
    "  god33 event replay --type 'agent.letta.*' --since 2h --exchange my.service.catchup\n"
    "  id=$(god33 event replay --from-position 1 --rate 1000 --detach)\n"
    "  god33 event replay get $id --watch";

// The verbs' options end up at `replay` when they aren't theirs, so it tells them apart.
constexpr char kOnlyToStart[] = "belongs to the start of a replay";

CLI::Option* AddId(CLI::App& command, std::string& id) {
  return command.add_option("ID", id, "The replay's id")->required()->check(IsUuid());
}

void AddFilters(CLI::App& replay, ReplayOptions& options) {
  replay.add_option("--workflow", options.workflow, "Of this workflow")
      ->check(IsUuid())
      ->type_name("UUID");
  replay.add_option("--correlation", options.correlation, "Caused directly by this event")
      ->check(IsUuid())
      ->type_name("UUID");
  AddRepeated(replay, "--type", options.types,
              "Of this type; a * is one word, a last * one or more")
      ->check(IsTypePattern())
      ->type_name("PATTERN");
  replay
      .add_option("--since", options.since,
                  "At or after, by the producer's clock: RFC 3339, or how long ago: 15m, 2h, 7d")
      ->check(IsText())
      ->type_name("TIME");
  replay.add_option("--until", options.until, "Before; as --since")
      ->check(IsText())
      ->type_name("TIME");
  const auto add_position = [&replay](const char* flag, std::optional<std::int64_t>& position,
                                      const char* help) {
    replay
        .add_option_function<std::int64_t>(
            flag, [&position](const std::int64_t& value) { position = value; }, help)
        ->check(CLI::Validator(CLI::PositiveNumber).description(""))
        ->type_name("N");
  };
  add_position("--from-position", options.from_position, "From this position of the log on");
  add_position("--to-position", options.to_position, "Up to this one. Default: what is stored now");
}

void AddTarget(CLI::App& replay, ReplayOptions& options) {
  CLI::Option* exchange = replay
                              .add_option("--exchange", options.exchange,
                                          "The topic exchange to publish on; it is declared")
                              ->check(IsText())
                              ->default_str("bloodbank.replay.v1");
  replay
      .add_flag("--live", options.live,
                "On Bloodbank's own exchange (GOD33_EXCHANGE), where every consumer sees the "
                "events again; asks first")
      ->excludes(exchange);
  replay.add_option("--rate", options.rate, "So many events a second")
      ->check(CLI::Range(1, 10'000).description(""))
      ->type_name("1-10000")
      ->default_str("100");
  CLI::Option* dry_run =
      replay.add_flag("--dry-run", options.dry_run, "Only tell how many events it would be");
  replay.add_flag("--detach", options.detach, "Don't wait: print the replay's id")
      ->excludes(dry_run);
  replay.add_flag("-y,--yes", options.yes, "With --live: don't ask");
}

void AddList(CLI::App& replay, Command& chosen) {
  struct Options {
    std::string state;
    std::optional<int> limit;
  };
  CLI::App& list = AddCommand(replay, "list", "Replays, the newest first",
                              "Example:\n"
                              "  god33 event replay list --state running");
  const auto options = std::make_shared<Options>();
  list.add_option("--state", options->state, "In this state")
      ->check(CLI::IsMember({"running", "completed", "cancelled", "failed"}));
  list.add_option("--limit", options->limit, "How many at most")
      ->check(CLI::Range(1, 1000).description(""))
      ->type_name("1-1000")
      ->default_str("100");
  const auto watch = AddWatch(list);
  list.callback([options, watch, &chosen] {
    chosen = Watched(*watch, [options](Session& session) {
      return ListReplays(options->state, options->limit, session);
    });
  });
}

// A verb for one replay.
void AddVerb(CLI::App& replay, const std::string& name, const std::string& description,
             const std::string& more, absl::Status (*act)(const std::string&, Session&),
             Command& chosen) {
  CLI::App& verb = AddCommand(replay, name, description,
                              StrCat(more, "Example:\n  god33 event replay ", name,
                                     " 01997d52-7f30-7a4b-9c55-6a0b6b1f8a11"));
  const auto id = std::make_shared<std::string>();
  AddId(verb, *id);
  verb.callback(
      [id, act, &chosen] { chosen = [id, act](Session& session) { return act(*id, session); }; });
}

void AddGet(CLI::App& replay, Command& chosen) {
  CLI::App& get =
      AddCommand(replay, "get", "One replay",
                 "Example:\n"
                 "  god33 event replay get 01997d52-7f30-7a4b-9c55-6a0b6b1f8a11 --watch");
  const auto id = std::make_shared<std::string>();
  AddId(get, *id);
  const auto watch = AddWatch(get);
  get.callback([id, watch, &chosen] {
    chosen = Watched(*watch, [id](Session& session) { return GetReplay(*id, session); });
  });
}

// The first option of `replay` itself that was given; nullptr: none.
const CLI::Option* GivenTo(const CLI::App& replay) {
  for (const CLI::Option* option : replay.get_options()) {
    if (option->count() > 0) return option;
  }
  return nullptr;
}

}  // namespace

void AddReplayCommands(CLI::App& noun, Command& chosen) {
  CLI::App& replay = AddCommand(noun, "replay", "Publish stored events again", kReplayHelp);
  replay.require_subcommand(0, 1);
  const auto options = std::make_shared<ReplayOptions>();
  AddFilters(replay, *options);
  AddTarget(replay, *options);
  AddList(replay, chosen);
  AddGet(replay, chosen);
  AddVerb(replay, "wait", "Wait for the end of one, as the command that starts it does",
          "Ctrl-C ends the waiting, not the replay. Exit code 1: it failed or was cancelled.\n\n",
          WaitForReplay, chosen);
  AddVerb(replay, "cancel", "End one after the messages under way",
          "One that has ended stays as it is.\n\n", CancelReplay, chosen);
  // Runs after the verbs' callbacks.
  replay.callback([options, &replay, &chosen] {
    if (replay.get_subcommands().empty()) {
      chosen = [options](Session& session) { return StartReplay(*options, session); };
    } else if (const CLI::Option* option = GivenTo(replay)) {
      throw CLI::ValidationError(option->get_name(), kOnlyToStart);
    }
  });
}

}  // namespace god33::cli
