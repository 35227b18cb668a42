#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace god33::event {

// OK if `type` is an event type: 1 to 255 characters, words of printable ASCII without blanks, '*'
// and
// '#', joined by dots. InvalidArgument says what is wrong.
absl::Status CheckEventType(std::string_view type);

// A filter on event types: words between dots. '*' is exactly one word, and as the last word one or
// more: agent.letta.* matches agent.letta.checkpoint.saved.
class TypePattern {
 public:
  static absl::StatusOr<TypePattern> Parse(std::string_view pattern);

  bool Matches(std::string_view type) const;

  // The pattern has no '*' and matches its own text only.
  bool exact() const { return exact_; }
  const std::string& text() const { return text_; }

 private:
  explicit TypePattern(std::string_view text);

  std::string text_;
  std::vector<std::string> words_;
  bool exact_ = true;
};

}  // namespace god33::event
