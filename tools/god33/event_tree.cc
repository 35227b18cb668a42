#include "tools/god33/event_tree.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "tools/god33/event_view.h"
#include "tools/god33/visible.h"

namespace god33::cli {
namespace {

struct Branches {
  std::string_view bar;   // a branch of an earlier level goes on
  std::string_view none;  // it does not
  std::string_view middle;
  std::string_view last;
};

constexpr Branches kUnicode = {"│   ", "    ", "├── ", "└── "};
constexpr Branches kAscii = {"|   ", "    ", "|-- ", "`-- "};

std::string TextOf(const event::v1::EventEnvelope& event) {
  std::string text = StrCat(event.position(), "  ", event.event_type(), "  ", event.event_id());
  if (const std::string agent = AgentOf(event); !agent.empty()) StrAppend(&text, "  ", agent);
  return Visible(text);
}

}  // namespace

absl::Status TreePrinter::Add(const event::v1::EventEnvelope& root, const Related& events) {
  if (lines_.empty()) {
    lines_.push_back({.text = TextOf(root)});
    line_of_[root.event_id()] = 0;
  }
  for (const store::v1::RelatedEvent& related : events) {
    const std::size_t at = lines_.size();
    Line line{.text = TextOf(related.event()), .depth = related.depth()};
    const auto before = line_of_.find(related.parent_id());
    line.detached = before == line_of_.end();
    if (!line.detached) line.before = before->second;
    Line& parent = lines_[line.before];
    if (parent.first_branch == 0) {
      parent.first_branch = at;
    } else {
      lines_[parent.last_branch].next = at;
    }
    parent.last_branch = at;
    line_of_[related.event().event_id()] = at;
    lines_.push_back(std::move(line));
  }
  return absl::OkStatus();
}

std::string TreePrinter::Draw() const {
  if (lines_.empty()) return "";
  std::string out;
  // Of the path to the current line. Goes down and up by links, since a chain may be long.
  std::vector<bool> open;
  std::size_t at = 0;
  for (;;) {
    DrawLine(out, lines_[at], open);
    if (lines_[at].first_branch != 0) {
      at = lines_[at].first_branch;
      open.push_back(lines_[at].next != 0);
      continue;
    }
    while (at != 0 && lines_[at].next == 0) {
      at = lines_[at].before;
      open.pop_back();
    }
    if (at == 0) return out;
    at = lines_[at].next;
    open.back() = lines_[at].next != 0;
  }
}

void TreePrinter::DrawLine(std::string& out, const Line& line,
                           const std::vector<bool>& open) const {
  const Branches& branches = paper_.screen.ascii ? kAscii : kUnicode;
  const std::size_t levels = std::min<std::size_t>(open.size(), kMostIndented);
  std::string text;
  for (std::size_t i = 0; i < levels; ++i) {
    if (i + 1 < levels) {
      text += open[i] ? branches.bar : branches.none;
    } else {
      text += open[i] ? branches.middle : branches.last;
    }
  }
  if (line.detached || open.size() > levels) StrAppend(&text, "(depth ", line.depth, ") ");
  text += line.text;
  StrAppend(&out, paper_.screen.width == 0 ? text : CutToWidth(text, paper_.screen.width), "\n");
}

}  // namespace god33::cli
