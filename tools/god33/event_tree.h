#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "god33/store/v1/causation.pb.h"
#include "tools/god33/printer.h"

namespace god33::cli {

// Draws an event with what it led to, or with what led to it, as a tree for people; a line an event. To be
// given all pages first: an event of the first page may have a branch on the last.
class TreePrinter {
 public:
  // Beyond this depth branches are not indented any more; the line tells the depth.
  static constexpr int kMostIndented = 40;

  explicit TreePrinter(const Paper& paper) : paper_(paper) {}

  absl::Status AddPage(const store::v1::Descendants& page) {
    return Add(page.root_event(), page.descendants());
  }
  absl::Status AddPage(const store::v1::Ancestors& page) {
    return Add(page.root_event(), page.ancestors());
  }

  // Draws. `Answer` is either of them; to be called once.
  template <typename Answer>
  absl::Status Finish(const Answer&) {
    paper_.out.Write(Draw());
    return paper_.out.Flush();
  }

 private:
  using Related = google::protobuf::RepeatedPtrField<store::v1::RelatedEvent>;

  struct Line {
    std::string text;
    int depth = 0;
    bool detached = false;         // the event before it is on an earlier page
    std::size_t first_branch = 0;  // 0: none
    std::size_t last_branch = 0;
    std::size_t next = 0;  // the next branch of the same event
    std::size_t before = 0;
  };

  absl::Status Add(const event::v1::EventEnvelope& root, const Related& events);
  std::string Draw() const;

  // The line with what stands before it. `open` tells of each indented level whether its bar goes on.
  void DrawLine(std::string& out, const Line& line, const std::vector<bool>& open) const;

  Paper paper_;
  std::vector<Line> lines_;  // the root first
  absl::flat_hash_map<std::string, std::size_t> line_of_;
};

}  // namespace god33::cli
