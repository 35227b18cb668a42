#include "tools/god33/printer.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <catch2/catch.hpp>

#include "json/value.h"
#include "tools/god33/event_view.h"
#include "tools/god33/json_layout.h"
#include "tools/god33/workflow_view.h"
#include "unit/god33/answers.h"

namespace god33::cli {
namespace {

using store::v1::ListEventsResponse;
using store::v1::ListEventTypesResponse;

std::string PrintPagesOf(Format format, const Screen& screen,
                         const std::vector<ListEventsResponse>& pages) {
  Kept kept;
  ListPrinter printer({.format = format, .screen = screen, .out = kept.out},
                      *ListEventsResponse::descriptor(), EventView());
  for (const ListEventsResponse& page : pages) REQUIRE(printer.AddPage(page).ok());
  REQUIRE(printer.Finish(pages.back()).ok());
  return kept.text;
}

TEST_CASE("formats are known by name") {
  CHECK(FormatNamed("table") == Format::kTable);
  CHECK(FormatNamed("json") == Format::kJson);
  CHECK(FormatNamed("jsonl") == Format::kJsonl);
  CHECK(FormatNamed("yaml") == Format::kYaml);
}

TEST_CASE("a message as piped JSON is REST's, byte for byte") {
  Kept kept;
  const auto event = MakeEvent(1);
  REQUIRE(PrintMessage({.format = Format::kJson, .out = kept.out}, event, nullptr).ok());
  CHECK(kept.text == RestJson(event) + "\n");
}

TEST_CASE("a message as JSON on a terminal is indented and safe") {
  Kept kept;
  const auto event = MakeEvent(1);
  REQUIRE(PrintMessage({.format = Format::kJson, .screen = {.terminal = true}, .out = kept.out},
                       event, nullptr)
              .ok());
  CHECK(kept.text == IndentJson(RestJson(event), Unsafe::kEscape) + "\n");
  CHECK(kept.text.find("\u202E") == std::string::npos);
}

TEST_CASE("a message as a JSON line has no line breaks, whatever its payload has") {
  Kept kept;
  REQUIRE(PrintMessage({.format = Format::kJsonl, .out = kept.out}, MakeEvent(1), nullptr).ok());
  CHECK(std::count(kept.text.begin(), kept.text.end(), '\n') == 1);
  CHECK(kept.text.find(":123456789012345678901234567890,") != std::string::npos);
}

TEST_CASE("pages printed as JSON are one answer of REST") {
  auto whole = MakePage({1, 2, 3});
  CHECK(PrintPagesOf(Format::kJson, {}, {MakePage({1, 2}, "t"), MakePage({3})}) ==
        RestJson(whole) + "\n");
  CHECK(PrintPagesOf(Format::kJson, {}, {MakePage({})}) == RestJson(MakePage({})) + "\n");
}

TEST_CASE("pages printed as JSON on a terminal are the indented answer") {
  const Screen screen{.terminal = true};
  for (const auto& whole : {MakePage({1, 2, 3}), MakePage({})}) {
    CHECK(PrintPagesOf(Format::kJson, screen, {whole}) ==
          IndentJson(RestJson(whole), Unsafe::kEscape) + "\n");
  }
}

TEST_CASE("an answer that is nothing but its list is complete too") {
  ListEventTypesResponse answer;
  for (const bool empty : {true, false}) {
    if (!empty) answer.add_event_types()->set_name("a.b");
    for (const bool terminal : {true, false}) {
      Kept kept;
      ListPrinter printer(
          {.format = Format::kJson, .screen = {.terminal = terminal}, .out = kept.out},
          *ListEventTypesResponse::descriptor(), EventTypeView());
      REQUIRE(printer.AddPage(answer).ok());
      REQUIRE(printer.Finish(answer).ok());
      const std::string json = RestJson(answer);
      CHECK(kept.text == (terminal ? IndentJson(json, Unsafe::kEscape) : json) + "\n");
    }
  }
}

TEST_CASE("members that stand before the list stay there") {
  using store::v1::GetWorkflowTimelineResponse;
  for (const bool empty : {true, false}) {
    GetWorkflowTimelineResponse answer;
    answer.set_workflow_id("\"timeline\":[");
    answer.set_position(7);
    if (!empty) answer.add_timeline()->set_summary("said");
    const auto print = [&answer](Format format, bool terminal) {
      Kept kept;
      ListPrinter printer({.format = format, .screen = {.terminal = terminal}, .out = kept.out},
                          *GetWorkflowTimelineResponse::descriptor(), TimelineView());
      REQUIRE(printer.AddPage(answer).ok());
      REQUIRE(printer.Finish(answer).ok());
      return kept.text;
    };
    const std::string json = RestJson(answer);
    CHECK(print(Format::kJson, false) == json + "\n");
    CHECK(print(Format::kJson, true) == IndentJson(json, Unsafe::kEscape) + "\n");
    const YAML::Node yaml = YAML::Load(print(Format::kYaml, false));
    CHECK(yaml["workflow_id"].Scalar() == answer.workflow_id());
    CHECK(yaml["timeline"].size() == (empty ? 0 : 1));
    CHECK(yaml["position"].as<int>() == 7);
  }
}

TEST_CASE("a list as JSON lines is one item a line and nothing else") {
  const std::string lines =
      PrintPagesOf(Format::kJsonl, {}, {MakePage({1, 2}, "t"), MakePage({3})});
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 3);
  CHECK(lines == CompactJson(RestJson(MakeEvent(1)), Unsafe::kKeep) + "\n" +
                     CompactJson(RestJson(MakeEvent(2)), Unsafe::kKeep) + "\n" +
                     CompactJson(RestJson(MakeEvent(3)), Unsafe::kKeep) + "\n");
  CHECK(PrintPagesOf(Format::kJsonl, {}, {MakePage({})}).empty());
}

TEST_CASE("a list as YAML is one document with the members of the answer") {
  const YAML::Node node =
      YAML::Load(PrintPagesOf(Format::kYaml, {}, {MakePage({1, 2}, "t"), MakePage({3})}));
  CHECK(node["events"].size() == 3);
  CHECK(node["events"][2]["position"].as<int>() == 3);
  CHECK(node["events"][0]["payload"]["n"].Scalar() == "123456789012345678901234567890");
  CHECK(node["total"].as<int>() == 3);
  CHECK(node["next_page_token"].Scalar().empty());
  const YAML::Node none = YAML::Load(PrintPagesOf(Format::kYaml, {}, {MakePage({})}));
  CHECK(none["events"].IsSequence());
  CHECK(none["position"].as<int>() == 99);
}

TEST_CASE("a list as a table has a row for each item") {
  CHECK(PrintPagesOf(Format::kTable, {}, {MakePage({1}, "t"), MakePage({2})}) ==
        "POSITION  TIMESTAMP             TYPE        EVENT ID                              AGENT\n"
        "       1  2026-01-27T10:00:00Z  agent.task  0199a000-0000-7000-8000-000000000001\n"
        "       2  2026-01-27T10:00:00Z  agent.task  0199a000-0000-7000-8000-000000000002\n");
}

}  // namespace
}  // namespace god33::cli
