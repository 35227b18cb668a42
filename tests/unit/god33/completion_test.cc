#include "tools/god33/completion.h"

#include <CLI/CLI.hpp>
#include <catch2/catch.hpp>

namespace god33::cli {
namespace {

TEST_CASE("the script knows every command at its place, with its options") {
  CLI::App root("about", "god33");
  CLI::App* noun = root.add_subcommand("event");
  bool all = false;
  noun->add_subcommand("list")->add_flag("--all", all);
  const std::string script = CompletionScript(root);
  CHECK(script.find("'god33 event'|'god33 event list') place=") != std::string::npos);
  CHECK(script.find("'god33') choices=\"event --help -h\"") != std::string::npos);
  CHECK(script.find("'god33 event list') choices=\"--help -h --all $global\"") !=
        std::string::npos);
  CHECK(script.find("complete -o default -F _god33 god33\n") != std::string::npos);
}

TEST_CASE("values that an option or an argument may have are known, each at its place") {
  CLI::App root("about", "god33");
  std::string text;
  root.add_option("-o,--output", text)->check(CLI::IsMember({"table", "json"}));
  CLI::App* list = root.add_subcommand("list");
  list->add_option("--order", text)->check(CLI::IsMember({"asc", "desc"}));
  list->add_option("--since", text);
  root.add_subcommand("completion")
      ->add_option("SHELL", text)
      ->check(CLI::IsMember({"bash", "zsh"}));
  const std::string script = CompletionScript(root);
  const auto has = [&script](std::string_view part) {
    return script.find(part) != std::string::npos;
  };
  CHECK(has("    'god33 list'' --order') choices='asc desc' ;;\n"));
  CHECK(has("    *' --output') choices='table json' ;;\n"));
  CHECK(has("    *' -o') choices='table json' ;;\n"));
  CHECK(has("'god33 completion') choices=\"--help -h bash zsh $global\""));
  CHECK_FALSE(has("--since')"));
}

TEST_CASE("event types are offered where one is expected") {
  CLI::App root("about", "god33");
  std::string text;
  CLI::App* list = root.add_subcommand("list");
  list->add_option("--type", text)->type_name("PATTERN");
  root.add_subcommand("schema")->add_option("TYPE", text);
  const std::string script = CompletionScript(root);
  CHECK(script.find("'god33 list'' --type') choices='agent.feedback.requested ") !=
        std::string::npos);
  CHECK(script.find("'god33 schema') choices=\"--help -h agent.feedback.requested ") !=
        std::string::npos);
}

}  // namespace
}  // namespace god33::cli
