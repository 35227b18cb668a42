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
  CHECK(script.find("'god33 event'|'god33 event list') path=") != std::string::npos);
  CHECK(script.find("'god33') words=\"event --help -h\"") != std::string::npos);
  CHECK(script.find("'god33 event list') words=\"--help -h --all $global\"") != std::string::npos);
  CHECK(script.find("complete -o default -F _god33 god33\n") != std::string::npos);
}

}  // namespace
}  // namespace god33::cli
