#include "event/event_type.h"

#include "base/error.h"
#include "base/strings.h"
#include "event/envelope.h"

namespace god33::event {
namespace {

// The first word of `rest`, which loses it and the dot behind it.
std::string_view TakeWord(std::string_view& rest) {
  const std::size_t dot = rest.find('.');
  const std::string_view word = rest.substr(0, dot);
  rest.remove_prefix(dot == std::string_view::npos ? rest.size() : dot + 1);
  return word;
}

absl::Status CheckWords(std::string_view type, std::string_view forbidden) {
  if (type.empty()) return InvalidArgument("expected words between dots, got nothing");
  if (type.size() > kMaxTypeLength) {
    return InvalidArgument(
        StrCat("expected at most ", kMaxTypeLength, " characters, got ", type.size()));
  }
  bool word_empty = true;
  for (const char c : type) {
    if (c == '.') {
      if (word_empty) break;
      word_empty = true;
      continue;
    }
    if (c <= ' ' || c > '~' || forbidden.find(c) != std::string_view::npos) {
      return InvalidArgument(
          StrCat("expected words of printable ASCII without any of \" ", forbidden, "\""));
    }
    word_empty = false;
  }
  if (word_empty) return InvalidArgument("expected words between dots, got an empty word");
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckEventType(std::string_view type) {
  return CheckWords(type, "*#");
}

absl::StatusOr<TypePattern> TypePattern::Parse(std::string_view pattern) {
  if (absl::Status status = CheckWords(pattern, "#"); !status.ok()) return status;
  TypePattern parsed(pattern);
  for (const std::string& word : parsed.words_) {
    if (word != "*" && word.find('*') != std::string::npos) {
      return InvalidArgument("expected '*' to stand for a whole word, as in agent.*.task.*");
    }
  }
  return parsed;
}

TypePattern::TypePattern(std::string_view text) : text_(text) {
  std::string_view rest = text;
  while (!rest.empty()) {
    words_.emplace_back(TakeWord(rest));
    exact_ = exact_ && words_.back() != "*";
  }
}

bool TypePattern::Matches(std::string_view type) const {
  if (exact_) return type == text_;
  std::string_view rest = type;
  for (std::size_t i = 0; i < words_.size(); ++i) {
    if (rest.empty()) return false;
    const std::string_view word = TakeWord(rest);
    const bool last = i + 1 == words_.size();
    if (words_[i] == "*") {
      if (last) return true;
    } else if (word != words_[i]) {
      return false;
    }
  }
  return rest.empty();
}

}  // namespace god33::event
