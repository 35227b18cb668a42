#include "tools/god33/arguments.h"

#include "base/error.h"
#include "base/strings.h"
#include "base/uuid.h"
#include "event/event_type.h"
#include "json/text.h"

namespace god33::cli {
namespace {

constexpr char kForAll[] =
    "\n\n"
    "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 conflict, 5 unavailable.\n"
    "Options of all commands (-o, --api, --timeout, --no-color): god33 --help";

std::string NotUtf8(const std::string& text) {
  return json::ValidPrefix(text) == text.size() ? "" : "expected text in UTF-8";
}

}  // namespace

CLI::App& AddCommand(CLI::App& parent, const std::string& name, const std::string& description,
                     const std::string& more) {
  CLI::App& command = *parent.add_subcommand(name, description);
  command.fallthrough();
  command.footer(more + kForAll);
  return command;
}

CLI::App& AddNoun(CLI::App& root, const std::string& name, const std::string& description) {
  CLI::App& noun = *root.add_subcommand(name, description);
  noun.fallthrough();
  noun.require_subcommand(1);
  noun.footer(StrCat("Examples: god33 ", name, " SUBCOMMAND --help", kForAll));
  return noun;
}

CLI::Option* AddRepeated(CLI::App& command, const std::string& name,
                         std::vector<std::string>& values, const std::string& help) {
  return command.add_option(name, values, StrCat(help, "; may be repeated"))
      ->allow_extra_args(false);
}

void AddPaging(CLI::App& command, Paging& paging, int most) {
  AddPagingWithoutPosition(command, paging, most);
  AddMinPosition(command, paging.min_position);
}

void AddPagingWithoutPosition(CLI::App& command, Paging& paging, int most) {
  command
      .add_option("--limit", paging.limit,
                  "How many at most; with --all, how many are asked for at once")
      ->check(CLI::Range(1, most).description(""))
      ->type_name(StrCat("1-", most))
      ->default_str("100");
  command
      .add_option("--page-token", paging.page_token,
                  "Go on where a page ended, with the same filters")
      ->check(IsTextOrNothing())
      ->type_name("TOKEN");
  command.add_flag("--all", paging.all, "All pages, one after another");
}

void AddMinPosition(CLI::App& command, std::int64_t& position) {
  command
      .add_option(
          "--min-position", position,
          "Wait until the answer includes this position of the log: to read what was just written")
      ->check(CLI::Validator(CLI::NonNegativeNumber).description(""))
      ->type_name("N");
}

void AddOrder(CLI::App& command, std::string& order) {
  command.add_option("--order", order, "asc: the oldest position first; desc: the newest")
      ->check(CLI::IsMember({"asc", "desc"}))
      ->capture_default_str();
}

CLI::Validator IsText() {
  return CLI::Validator(
      [](const std::string& text) {
        return text.empty() ? std::string("expected text, got none") : NotUtf8(text);
      },
      "");
}

CLI::Validator IsTextOrNothing() {
  return CLI::Validator(NotUtf8, "");
}

CLI::Validator IsUuid() {
  return CLI::Validator(
      [](const std::string& text) {
        return Uuid::Parse(text) ? std::string()
                                 : StrCat("expected a UUID, got \"", Clip(text, 80), "\"");
      },
      "");
}

CLI::Validator IsTypePattern() {
  return CLI::Validator(
      [](const std::string& text) {
        const auto pattern = event::TypePattern::Parse(text);
        return pattern.ok() ? std::string() : std::string(MessageOf(pattern.status()));
      },
      "");
}

}  // namespace god33::cli
