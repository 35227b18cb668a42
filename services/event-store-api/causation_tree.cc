#include "services/event-store-api/causation_tree.h"

#include <utility>

#include "base/strings.h"

namespace god33::api {
namespace {

class TreeWriter {
 public:
  TreeWriter(const std::vector<TreeEvent>& events, bool truncated)
      : events_(events), truncated_(truncated), first_child_(events.size()), next_(events.size()) {
    // From the last to the first, so that each one's children come out in the list's order.
    for (std::size_t i = events.size(); i-- > 1;) {
      next_[i] = first_child_[events[i].before];
      first_child_[events[i].before] = i;
    }
  }

  std::string Write() && {
    Open(0);
    std::size_t at = 0;
    for (;;) {
      if (const std::size_t child = first_child_[at]; child != 0) {
        Open(child);
        at = child;
        continue;
      }
      out_.append("]}");
      while (at != 0 && next_[at] == 0) {
        at = events_[at].before;
        out_.append("]}");
      }
      if (at == 0) return std::move(out_);
      out_.push_back(',');
      at = next_[at];
      Open(at);
    }
  }

 private:
  void Open(std::size_t at) {
    StrAppend(&out_, "{\"event\":", events_[at].json, ",\"depth\":", events_[at].depth);
    if (at == 0) StrAppend(&out_, ",\"truncated\":", truncated_ ? "true" : "false");
    out_.append(",\"children\":[");
  }

  const std::vector<TreeEvent>& events_;
  const bool truncated_;
  // 0, which is the root and nobody's child: none.
  std::vector<std::size_t> first_child_;
  std::vector<std::size_t> next_;
  std::string out_;
};

}  // namespace

std::string WriteTree(const std::vector<TreeEvent>& events, bool truncated) {
  return TreeWriter(events, truncated).Write();
}

}  // namespace god33::api
