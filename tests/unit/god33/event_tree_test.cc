#include "tools/god33/event_tree.h"

#include <catch2/catch.hpp>

#include "base/strings.h"
#include "json/value.h"
#include "tools/god33/json_layout.h"
#include "unit/god33/answers.h"

namespace god33::cli {
namespace {

using store::v1::Descendants;

std::string IdOf(int event) {
  return StrCat("id-", event);
}

// An event below another one.
void Add(Descendants& page, int event, int parent, int depth) {
  store::v1::RelatedEvent& related = *page.add_descendants();
  related.mutable_event()->set_event_id(IdOf(event));
  related.mutable_event()->set_event_type("a.b");
  related.mutable_event()->set_position(event);
  related.set_depth(depth);
  related.set_parent_id(IdOf(parent));
}

Descendants PageOf(int root) {
  Descendants page;
  page.mutable_root_event()->set_event_id(IdOf(root));
  page.mutable_root_event()->set_event_type("a.root");
  page.mutable_root_event()->set_position(root);
  return page;
}

std::string Draw(const std::vector<Descendants>& pages, const Screen& screen = {}) {
  Kept kept;
  TreePrinter printer({.screen = screen, .out = kept.out});
  for (const Descendants& page : pages) REQUIRE(printer.AddPage(page).ok());
  REQUIRE(printer.Finish(pages.back()).ok());
  return kept.text;
}

TEST_CASE("an event alone is a line") {
  CHECK(Draw({PageOf(1)}) == "1  a.root  id-1\n");
}

TEST_CASE("branches are drawn, also over several pages") {
  Descendants first = PageOf(1);
  Add(first, 2, 1, 1);
  Add(first, 3, 1, 1);
  Descendants second = PageOf(1);
  Add(second, 4, 2, 2);
  Add(second, 5, 2, 2);
  Add(second, 6, 3, 2);
  Add(second, 7, 4, 3);
  CHECK(Draw({first, second}) ==
        "1  a.root  id-1\n"
        "├── 2  a.b  id-2\n"
        "│   ├── 4  a.b  id-4\n"
        "│   │   └── 7  a.b  id-7\n"
        "│   └── 5  a.b  id-5\n"
        "└── 3  a.b  id-3\n"
        "    └── 6  a.b  id-6\n");
  CHECK(Draw({first}, {.ascii = true}) ==
        "1  a.root  id-1\n"
        "|-- 2  a.b  id-2\n"
        "`-- 3  a.b  id-3\n");
}

TEST_CASE("an event whose parent is on an earlier page tells its depth") {
  Descendants page = PageOf(1);
  Add(page, 9, 8, 4);
  CHECK(Draw({page}) ==
        "1  a.root  id-1\n"
        "└── (depth 4) 9  a.b  id-9\n");
}

TEST_CASE("a long chain takes lines of bounded length") {
  Descendants page = PageOf(1);
  for (int i = 1; i <= 10'000; ++i) Add(page, i + 1, i, i);
  const std::string text = Draw({page});
  CHECK(text.size() < 10'001 * (4 * 3 * TreePrinter::kMostIndented + 60));
  CHECK(text.ends_with("└── (depth 10000) 10001  a.b  id-10001\n"));
}

TEST_CASE("what agents write can't reach the terminal, and lines are cut to its width") {
  Descendants page = PageOf(1);
  Add(page, 2, 1, 1);
  page.mutable_descendants(0)->mutable_event()->set_event_type("a.\x1b[31m");
  CHECK(Draw({page}).find('\x1b') == std::string::npos);
  CHECK(Draw({page}, {.terminal = true, .width = 10}).find("1  a.root…\n") == 0);
}

TEST_CASE("lists behind another member are printed as one answer of REST") {
  Descendants first = PageOf(1);
  Add(first, 2, 1, 1);
  Descendants second = PageOf(1);
  Add(second, 3, 1, 1);
  Descendants whole = PageOf(1);
  Add(whole, 2, 1, 1);
  Add(whole, 3, 1, 1);
  const auto print = [](const std::vector<Descendants>& pages, const Screen& screen) {
    Kept kept;
    ListPrinter printer({.format = Format::kJson, .screen = screen, .out = kept.out},
                        *Descendants::descriptor(), {});
    for (const Descendants& page : pages) REQUIRE(printer.AddPage(page).ok());
    REQUIRE(printer.Finish(pages.back()).ok());
    return kept.text;
  };
  CHECK(print({first, second}, {}) == RestJson(whole) + "\n");
  CHECK(print({PageOf(1)}, {}) == RestJson(PageOf(1)) + "\n");
  for (const Descendants& page : {whole, PageOf(1)}) {
    CHECK(print({page}, {.terminal = true}) == IndentJson(RestJson(page), Unsafe::kEscape) + "\n");
  }
}

}  // namespace
}  // namespace god33::cli
