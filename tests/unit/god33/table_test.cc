#include "tools/god33/table.h"

#include <catch2/catch.hpp>

namespace god33::cli {
namespace {

const std::vector<Column> kColumns{{"N", true}, {"NAME"}, {"NOTE"}};

TEST_CASE("columns are aligned, numbers to the right, without blanks at line ends") {
  Table table(kColumns, {});
  CHECK(table.Render({{"1", "a", "x"}, {"1000", "longer", ""}}) ==
        "   N  NAME    NOTE\n"
        "   1  a       x\n"
        "1000  longer\n");
}

TEST_CASE("alignment goes by what a terminal shows, not by bytes") {
  Table table({{"NAME"}, {"NOTE"}}, {});
  CHECK(table.Render({{"日本", "x"}, {"café", "y"}}) == "NAME  NOTE\n日本  x\ncafé  y\n");
}

TEST_CASE("the header comes once, and widths only grow") {
  Table table(kColumns, {});
  table.Render({{"1", "longer", "x"}});
  CHECK(table.Render({{"2", "a", "y"}}) == "2  a       y\n");
}

TEST_CASE("an empty table is its header") {
  CHECK(Table(kColumns, {}).Render({}) == "N  NAME  NOTE\n");
}

TEST_CASE("lines are cut to the width of a terminal and never without one") {
  const std::vector<Row> rows{{"1", "a long name", "a long note"}};
  CHECK(Table(kColumns, {.terminal = true, .width = 10}).Render(rows) ==
        "N  NAME  …\n1  a long…\n");
  CHECK(Table(kColumns, {}).Render(rows).find("a long note") != std::string::npos);
}

TEST_CASE("color wraps the header alone") {
  CHECK(Table({{"A"}}, {.terminal = true, .color = true}).Render({{"1"}}) ==
        "\x1b[1mA\x1b[0m\n1\n");
}

TEST_CASE("a cell can neither break its line nor reach the terminal") {
  Table table({{"A"}, {"B"}}, {});
  CHECK(table.Render({{"x\ny\x1b[2J", "b"}}) == "A              B\nx\\ny\\u001b[2J  b\n");
}

TEST_CASE("details stand in two columns, lists below each other, empty values nowhere") {
  Details details;
  details.Add("id", "1");
  details.Add("nothing", "");
  details.AddLines("parents", {"a", "b\nc"});
  details.AddLines("none", {});
  CHECK(details.Render() == "id       1\nparents  a\n         b\\nc\n");
}

}  // namespace
}  // namespace god33::cli
