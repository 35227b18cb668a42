#include "json/check.h"

#include <simdjson.h>

#include <algorithm>
#include <bitset>
#include <string>

#include "base/error.h"
#include "base/strings.h"
#include "json/text.h"
#include "json/value.h"

namespace god33::json {
namespace {

bool IsDigit(char c) {
  return c >= '0' && c <= '9';
}

bool IsHex(char c) {
  return IsDigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

// Walks over one text with a stack of one bit per open bracket.
class Checker {
 public:
  Checker(std::string_view text, std::size_t most_depth)
      : text_(text), most_depth_(std::min(most_depth, kUtmostDepth)) {}

  // True if the text is one value. Otherwise `expected()` at `position()` was not met.
  bool Run() {
    for (;;) {
      Blanks();
      if (!Opening()) return false;
      // A value has just ended. Close what it ends; go on where another value must follow.
      for (;;) {
        Blanks();
        if (depth_ == 0) return at_ == text_.size() || Expect("the end of the text");
        const bool object = is_object_[depth_ - 1];
        if (Take(',')) {
          if (object && !Key()) return false;
          break;
        }
        if (!Take(object ? '}' : ']')) return Expect(object ? "',' or '}'" : "',' or ']'");
        --depth_;
      }
    }
  }

  std::string_view expected() const { return expected_; }
  std::size_t position() const { return at_; }

 private:
  // Takes a scalar, an empty container, or opens containers down to their first scalar.
  bool Opening() {
    for (;;) {
      if (at_ == text_.size()) return Expect("a value");
      switch (text_[at_]) {
        case '{':
          if (!Push(true)) return false;
          Blanks();
          if (Take('}')) {
            --depth_;
            return true;
          }
          if (!Key()) return false;
          break;
        case '[':
          if (!Push(false)) return false;
          Blanks();
          if (Take(']')) {
            --depth_;
            return true;
          }
          break;
        case '"':
          return String();
        case 't':
          return Literal("true");
        case 'f':
          return Literal("false");
        case 'n':
          return Literal("null");
        default:
          return Number();
      }
      Blanks();
    }
  }

  bool Push(bool object) {
    if (depth_ == most_depth_) return Expect(StrCat("at most ", most_depth_, " levels of nesting"));
    is_object_[depth_++] = object;
    ++at_;
    return true;
  }

  // A member's key and colon, up to its value.
  bool Key() {
    Blanks();
    if (at_ == text_.size() || text_[at_] != '"') return Expect("a member's key in quotes");
    if (!String()) return false;
    Blanks();
    if (!Take(':')) return Expect("':'");
    Blanks();
    return true;
  }

  bool String() {
    for (++at_; at_ < text_.size(); ++at_) {
      const auto c = static_cast<unsigned char>(text_[at_]);
      if (c == '"') {
        ++at_;
        return true;
      }
      if (c < 0x20) return Expect("control characters escaped");
      if (c == '\\' && !Escape()) return false;
    }
    return Expect("a closing quote");
  }

  // From the backslash to the escape's last character.
  bool Escape() {
    if (++at_ == text_.size()) return Expect("a closing quote");
    if (text_[at_] == 'u') {
      for (int i = 0; i < 4; ++i) {
        if (++at_ == text_.size() || !IsHex(text_[at_])) return Expect("four hexadecimal digits");
      }
      return true;
    }
    if (std::string_view("\"\\/bfnrt").find(text_[at_]) != std::string_view::npos) return true;
    return Expect("one of \"\\/bfnrtu after a backslash");
  }

  bool Number() {
    Take('-');
    if (!Take('0') && !Digits()) return Expect("a value");
    if (Take('.') && !Digits()) return Expect("a digit");
    if (Take('e') || Take('E')) {
      if (!Take('+')) Take('-');
      if (!Digits()) return Expect("a digit");
    }
    return true;
  }

  bool Digits() {
    const std::size_t start = at_;
    while (at_ < text_.size() && IsDigit(text_[at_])) ++at_;
    return at_ != start;
  }

  bool Literal(std::string_view word) {
    if (text_.substr(at_, word.size()) != word) return Expect("a value");
    at_ += word.size();
    return true;
  }

  bool Take(char c) {
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }

  void Blanks() {
    while (at_ < text_.size() &&
           (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t' || text_[at_] == '\r')) {
      ++at_;
    }
  }

  bool Expect(std::string_view what) {
    expected_ = what;
    return false;
  }

  std::string_view text_;
  const std::size_t most_depth_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::bitset<kUtmostDepth> is_object_;
  std::string expected_;
};

}  // namespace

absl::Status Check(std::string_view text, std::size_t most_depth) {
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return InvalidArgument(StrCat("not valid UTF-8: at byte ", ValidPrefix(text)));
  }
  Checker checker(text, most_depth);
  if (checker.Run()) return absl::OkStatus();
  return InvalidArgument(
      StrCat("not JSON: at byte ", checker.position(), ": expected ", checker.expected()));
}

}  // namespace god33::json
