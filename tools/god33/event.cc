#include "tools/god33/event.h"

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "tools/god33/arguments.h"
#include "tools/god33/event_causation.h"
#include "tools/god33/event_publish.h"
#include "tools/god33/event_query.h"
#include "tools/god33/event_schema.h"
#include "tools/god33/event_stream.h"
#include "tools/god33/replay.h"
#include "tools/god33/watch.h"

namespace god33::cli {
namespace {

constexpr char kPublishHelp[] =
    "The event gets a new time-ordered id, the time in UTC, and as its source this host's agent\n"
    "god33. The command ends when the broker of RABBITMQ_URL has it in every queue that wants it,\n"
    "and prints the event's id. A payload that breaks the schema of its type is published with a\n"
    "warning, since the store keeps it; --validate strict refuses it (exit code 2).\n"
    "\n"
    "Examples:\n"
    "  god33 event publish bmad.workflow.started --json @started.json\n"
    "  started=$(god33 event publish bmad.workflow.started --json '{\"workflow_id\":\"...\"}')\n"
    "  jq .handoff task.json |\n"
    "    god33 event publish bmad.workflow.handoff.requested --json - --correlation-id $started";

constexpr char kListHelp[] =
    "Examples:\n"
    "  god33 event list --workflow 6f9619ff-8b86-4011-b42d-00c04fc964ff\n"
    "  god33 event list --type 'agent.letta.*' --since 2h --order desc --limit 20\n"
    "  god33 event list --all -o jsonl | jq -c .payload";

constexpr char kGetHelp[] =
    "Example:\n"
    "  god33 event get 01997d52-7f30-7a4b-9c55-6a0b6b1f8a11 -o json | jq .payload";

constexpr char kDescendantsHelp[] =
    "As a table the events are drawn as a tree, each once, below the parent on a shortest path.\n"
    "\n"
    "Examples:\n"
    "  god33 event descendants 01997d52-7f30-7a4b-9c55-6a0b6b1f8a11 --max-depth 3\n"
    "  god33 event descendants $id --format graph -o json | jq '.edges | length'\n"
    "  god33 event descendants $id --all -o jsonl | jq -r .event.event_type | sort | uniq -c";

constexpr char kAncestorsHelp[] =
    "As a table the events are drawn as a tree, each once: below an event stand its causes.\n"
    "\n"
    "Example:\n"
    "  god33 event ancestors 01997d52-7f30-7a4b-9c55-6a0b6b1f8a11";

constexpr char kStreamHelp[] =
    "Prints events as they are stored, as a table or, with -o jsonl, one a line. When the "
    "connection\n"
    "breaks it goes on by itself where it was, without gap or duplicate. Ctrl-C ends it (exit code "
    "0),\n"
    "and a note says how to go on later. It fails when no stream begins at all.\n"
    "\n"
    "Examples:\n"
    "  god33 event stream --type 'agent.letta.*'\n"
    "  god33 event stream --workflow 6f9619ff-8b86-4011-b42d-00c04fc964ff --after 0 -o jsonl\n"
    "  god33 event stream --type bmad.workflow.completed --max 1 && notify-send done";

constexpr char kSchemaHelp[] =
    "Fields, types and meanings of a registered type's payload, with an example. -o json gives a "
    "JSON\n"
    "Schema (draft 2020-12). It needs no service: without a TYPE the registered types are listed, "
    "and\n"
    "those that were seen if event-store-api answers. Exit code 3: no such type is registered.\n"
    "\n"
    "Examples:\n"
    "  god33 event schema\n"
    "  god33 event schema bmad.workflow.handoff.requested\n"
    "  god33 event schema bmad.workflow.started -o json > started.schema.json\n"
    "  god33 event schema bmad.workflow.started --example |\n"
    "    god33 event publish bmad.workflow.started --json - --dry-run";

void AddSource(CLI::App& publish, EventDraft& draft) {
  const auto add = [&publish](const char* flag, std::string& value, const char* help) {
    publish.add_option(flag, value, help)->check(IsText())->group("Source and agent");
  };
  add("--source-host", draft.source_host, "Default: this host's name");
  add("--source-type", draft.source_type, "manual, agent, scheduled, ... Default: agent");
  add("--source-app", draft.source_app, "Default: god33");
  add("--source-meta", draft.source_meta, "A JSON object with anything else");
  add("--agent-type", draft.agent_type, "Kind of the agent that acts");
  add("--agent-name", draft.agent_name, "Its name");
  add("--agent-instance", draft.agent_instance, "Its instance id");
  add("--checkpoint-id", draft.checkpoint_id, "The checkpoint it works from");
}

void AddPublish(CLI::App& noun, Command& chosen) {
  CLI::App& publish = AddCommand(noun, "publish", "Publish an event on Bloodbank", kPublishHelp);
  const auto options = std::make_shared<PublishOptions>();
  publish.add_option("TYPE", options->draft.type, "Event type, e.g. bmad.workflow.started")
      ->required();
  publish
      .add_option("--json", options->json,
                  "The payload, a JSON object: @file, - for standard input, or the text itself")
      ->required()
      ->type_name("@FILE|-|JSON");
  AddRepeated(publish, "--correlation-id", options->draft.parents,
              "Id of an event that caused this one")
      ->check(IsUuid())
      ->type_name("UUID");
  publish
      .add_option("--event-id", options->draft.id,
                  "Default: a new one. With the same id and content, an event counts once")
      ->check(IsUuid())
      ->type_name("UUID");
  publish.add_option("--timestamp", options->draft.time, "RFC 3339. Default: now")
      ->check(IsText())
      ->type_name("TIME");
  publish
      .add_option("--validate", options->validate, "What a payload that breaks its schema leads to")
      ->check(CLI::IsMember({"strict", "warn", "off"}))
      ->capture_default_str();
  publish.add_option("--exchange", options->exchange, "Bloodbank's topic exchange")
      ->check(IsText())
      ->envname("GOD33_EXCHANGE")
      ->capture_default_str();
  publish.add_flag("--dry-run", options->dry_run, "Check and print the event; publish nothing");
  AddSource(publish, options->draft);
  publish.callback([options, &chosen] {
    chosen = [options](Session& session) { return PublishEvent(*options, session); };
  });
}

void AddGet(CLI::App& noun, Command& chosen) {
  struct Options {
    std::string id;
    std::int64_t min_position = 0;
  };
  CLI::App& get = AddCommand(noun, "get", "One event", kGetHelp);
  const auto options = std::make_shared<Options>();
  get.add_option("ID", options->id, "The event's id")->required()->check(IsUuid());
  AddMinPosition(get, options->min_position);
  get.callback([options, &chosen] {
    chosen = [options](Session& session) {
      return GetEvent(options->id, options->min_position, session);
    };
  });
}

void AddList(CLI::App& noun, Command& chosen) {
  CLI::App& list =
      AddCommand(noun, "list", "Events that match all filters, by position", kListHelp);
  const auto options = std::make_shared<EventListOptions>();
  const auto add_id = [&list](const char* flag, std::string& value, const char* help) {
    list.add_option(flag, value, help)->check(IsUuid())->type_name("UUID");
  };
  add_id("--workflow", options->workflow, "Of this workflow");
  AddRepeated(list, "--type", options->types, "Of this type; a * is one word, a last * one or more")
      ->check(IsTypePattern())
      ->type_name("PATTERN");
  add_id("--correlation", options->correlation, "Caused directly by this event");
  add_id("--collaboration", options->collaboration, "Of this collaboration");
  list.add_option("--agent", options->agent, "Of this agent: instance, id or type")
      ->check(IsText());
  add_id("--session", options->session, "Whose payload names this session");
  list.add_option("--since", options->since,
                  "At or after, by the producer's clock: RFC 3339, or how long ago: 15m, 2h, 7d")
      ->check(IsText())
      ->type_name("TIME");
  list.add_option("--until", options->until, "Before; as --since")
      ->check(IsText())
      ->type_name("TIME");
  AddOrder(list, options->order);
  AddPaging(list, options->paging);
  const auto watch = AddWatch(list);
  list.callback([options, watch, &chosen] {
    chosen = Watched(*watch, [options](Session& session) { return ListEvents(*options, session); });
  });
}

// A verb for one direction; `formats` are those it has.
void AddCausation(CLI::App& verb, const std::vector<std::string>& formats,
                  absl::Status (*show)(const CausationOptions&, Session&), Command& chosen) {
  const auto options = std::make_shared<CausationOptions>();
  verb.add_option("ID", options->id, "The event's id")->required()->check(IsUuid());
  verb.add_option("--max-depth", options->max_depth, "How many levels away at most")
      ->check(CLI::Range(1, 10'000).description(""))
      ->type_name("1-10000")
      ->default_str("100");
  verb.add_option("--format", options->format,
                  "The shape of JSON and YAML; only flat has pages. A table is always a tree")
      ->check(CLI::IsMember(formats))
      ->capture_default_str();
  AddPaging(verb, options->paging, 10'000);
  verb.callback([options, show, &chosen] {
    chosen = [options, show](Session& session) { return show(*options, session); };
  });
}

void AddStream(CLI::App& noun, Command& chosen) {
  CLI::App& stream =
      AddCommand(noun, "stream", "Events that match all filters, as they come", kStreamHelp);
  const auto options = std::make_shared<EventStreamOptions>();
  AddRepeated(stream, "--type", options->types,
              "Of this type; a * is one word, a last * one or more")
      ->check(IsTypePattern())
      ->type_name("PATTERN");
  stream.add_option("--workflow", options->workflow, "Of this workflow")
      ->check(IsUuid())
      ->type_name("UUID");
  stream.add_option("--correlation", options->correlation, "Caused directly by this event")
      ->check(IsUuid())
      ->type_name("UUID");
  stream.add_option("--agent", options->agent, "Of this agent: instance, id or type")
      ->check(IsText());
  stream.add_option("--project", options->project, "Of this project")->check(IsText());
  stream
      .add_option_function<std::int64_t>(
          "--after", [options](const std::int64_t& position) { options->after = position; },
          "Behind this position; 0: the whole log. Default: from now on")
      ->check(CLI::NonNegativeNumber)
      ->type_name("POSITION");
  stream.add_option("--within", options->within, "With --after, as a note has said")
      ->check(CLI::NonNegativeNumber)
      ->type_name("POSITION");
  stream.add_option("--max", options->most, "End after this many events")
      ->check(CLI::PositiveNumber)
      ->type_name("N");
  stream.callback([options, &chosen] {
    chosen = [options](Session& session) { return StreamEvents(*options, session); };
  });
}

void AddTypes(CLI::App& noun, Command& chosen) {
  CLI::App& types = AddCommand(noun, "types", "Event types that have a schema or were seen",
                               "Example:\n"
                               "  god33 event types -o json | jq -r '.event_types[].name'");
  types.callback([&chosen] { chosen = ListEventTypes; });
}

void AddSchema(CLI::App& noun, Command& chosen) {
  CLI::App& schema =
      AddCommand(noun, "schema", "What the payload of an event type holds", kSchemaHelp);
  const auto options = std::make_shared<SchemaOptions>();
  schema
      .add_option("TYPE", options->type,
                  "Event type, e.g. bmad.workflow.started. Default: list the types")
      ->check(IsText());
  schema.add_flag("--example", options->example, "Only an example of the payload");
  schema.callback([options, &chosen] {
    chosen = [options](Session& session) { return ShowSchema(*options, session); };
  });
}

}  // namespace

void AddEventCommands(CLI::App& root, Command& chosen) {
  CLI::App& noun = AddNoun(root, "event", "Publish events and ask the log for them");
  AddPublish(noun, chosen);
  AddGet(noun, chosen);
  AddList(noun, chosen);
  AddCausation(AddCommand(noun, "descendants", "What an event led to", kDescendantsHelp),
               {"flat", "tree", "graph"}, ShowDescendants, chosen);
  AddCausation(AddCommand(noun, "ancestors", "What led to an event", kAncestorsHelp),
               {"flat", "graph"}, ShowAncestors, chosen);
  AddStream(noun, chosen);
  AddReplayCommands(noun, chosen);
  AddTypes(noun, chosen);
  AddSchema(noun, chosen);
}

}  // namespace god33::cli
