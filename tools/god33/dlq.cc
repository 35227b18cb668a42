#include "tools/god33/dlq.h"

#include <memory>

#include "tools/god33/arguments.h"
#include "tools/god33/dlq_actions.h"
#include "tools/god33/watch.h"

namespace god33::cli {
namespace {

constexpr char kListHelp[] =
    "Examples:\n"
    "  god33 dlq list --reason id_conflict --since 2h\n"
    "  god33 dlq list --type 'agent.*' --state all --all -o jsonl";

constexpr char kShowHelp[] =
    "Examples:\n"
    "  god33 dlq show 17\n"
    "  god33 dlq show 17 --raw > message.json";

constexpr char kSendBackHelp[] =
    "A message is published again to where it came from and marked when the broker has it. Then "
    "it\n"
    "is stored, or becomes a new dead letter. Exit code 4: it was sent back before (--again sends "
    "it\n"
    "once more) or dropped.\n"
    "\n"
    "Examples:\n"
    "  god33 dlq send-back 17 --dry-run\n"
    "  god33 dlq show 17 --raw | sed 's/\"42\"/42/' | god33 dlq send-back 17 --edit -\n"
    "  god33 dlq send-back --all-matching --reason store_failed --rate 50 --yes";

constexpr char kDropHelp[] =
    "A dropped one stays in the table, and can't be sent back any more.\n"
    "\n"
    "Examples:\n"
    "  god33 dlq drop 17\n"
    "  god33 dlq drop --all-matching --reason unreadable --until 7d --limit 100000 --yes";

// An id, as the argument of a command.
CLI::Option* AddId(CLI::App& command, std::int64_t& id) {
  return command.add_option("ID", id, "The dead letter's id")
      ->check(CLI::Validator(CLI::PositiveNumber).description(""))
      ->type_name("N");
}

void AddFilters(CLI::App& command, DeadLetterFilters& filters) {
  command.add_option("--reason", filters.reason, "Set aside for this, e.g. id_conflict")
      ->check(IsText());
  command
      .add_option("--type", filters.type,
                  "Of this event type, if it could be read; a * is one word, a last * one or more")
      ->check(IsTypePattern())
      ->type_name("PATTERN");
  command.add_option("--routing-key", filters.routing_key, "Came by this routing key")
      ->check(IsText());
  command
      .add_option("--since", filters.since,
                  "Set aside at or after: RFC 3339, or how long ago: 15m, 2h, 7d")
      ->check(IsText())
      ->type_name("TIME");
  command.add_option("--until", filters.until, "Set aside before; as --since")
      ->check(IsText())
      ->type_name("TIME");
}

// What send-back and drop have in common.
void AddAction(CLI::App& command, const std::shared_ptr<DeadLetterActionOptions>& options) {
  command
      .add_option_function<std::int64_t>(
          "ID", [options](const std::int64_t& id) { options->id = id; }, "The dead letter's id")
      ->check(CLI::Validator(CLI::PositiveNumber).description(""))
      ->type_name("N");
  command.add_flag("--all-matching", options->all_matching,
                   "All open ones that match the filters, oldest first; without filters, all");
  AddFilters(command, options->filters);
  command.add_option("--limit", options->limit, "With --all-matching: at most so many")
      ->check(CLI::Range(1, 100'000).description(""))
      ->type_name("1-100000")
      ->default_str("1000");
  command.add_flag("--dry-run", options->dry_run, "Only tell what would be done");
  command.add_flag("-y,--yes", options->yes, "With --all-matching: don't ask");
}

void AddList(CLI::App& noun, Command& chosen) {
  CLI::App& list =
      AddCommand(noun, "list", "Dead letters that match all filters, the newest first", kListHelp);
  const auto options = std::make_shared<DeadLetterListOptions>();
  AddFilters(list, options->filters);
  list.add_option("--state", options->state, "open (default), sent_back, dropped or all")
      ->check(CLI::IsMember({"open", "sent_back", "dropped", "all"}));
  AddPagingWithoutPosition(list, options->paging);
  const auto watch = AddWatch(list);
  list.callback([options, watch, &chosen] {
    chosen =
        Watched(*watch, [options](Session& session) { return ListDeadLetters(*options, session); });
  });
}

void AddShow(CLI::App& noun, Command& chosen) {
  struct Options {
    std::int64_t id = 0;
    bool raw = false;
  };
  CLI::App& show = AddCommand(noun, "show", "One, with its body", kShowHelp);
  const auto options = std::make_shared<Options>();
  AddId(show, options->id)->required();
  show.add_flag("--raw", options->raw, "The untouched bytes of its body and nothing else");
  show.callback([options, &chosen] {
    chosen = [options](Session& session) {
      return ShowDeadLetter(options->id, options->raw, session);
    };
  });
}

void AddSendBack(CLI::App& noun, Command& chosen) {
  CLI::App& send =
      AddCommand(noun, "send-back", "Publish one, or all that match, again", kSendBackHelp);
  const auto options = std::make_shared<DeadLetterActionOptions>();
  AddAction(send, options);
  send.add_option("--edit", options->edit,
                  "A body that goes instead: @file, - for standard input, or the text itself")
      ->check(IsText())
      ->type_name("@FILE|-|TEXT");
  send.add_flag("--again", options->again, "Also if it was sent back before");
  send.add_option("--rate", options->rate, "With --all-matching: so many a second")
      ->check(CLI::Range(1, 10'000).description(""))
      ->type_name("1-10000")
      ->default_str("100");
  send.callback([options, &chosen] {
    chosen = [options](Session& session) { return SendBackDeadLetters(*options, session); };
  });
}

void AddDrop(CLI::App& noun, Command& chosen) {
  CLI::App& drop = AddCommand(noun, "drop", "Mark one, or all that match, as done with", kDropHelp);
  const auto options = std::make_shared<DeadLetterActionOptions>();
  AddAction(drop, options);
  drop.callback([options, &chosen] {
    chosen = [options](Session& session) { return DropDeadLetters(*options, session); };
  });
}

}  // namespace

void AddDeadLetterCommands(CLI::App& root, Command& chosen) {
  CLI::App& noun =
      AddNoun(root, "dlq", "Messages that were set aside: look, mend, send back, drop");
  AddList(noun, chosen);
  AddShow(noun, chosen);
  AddSendBack(noun, chosen);
  AddDrop(noun, chosen);
}

}  // namespace god33::cli
