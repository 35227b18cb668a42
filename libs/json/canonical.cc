#include "json/canonical.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <forward_list>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "json/skip.h"
#include "json/text.h"

namespace god33::json {
namespace {

using internal::SkipBlanks;
using internal::SkipScalar;
using internal::SkipString;

// Characters framed by their length, so that no content can imitate structure.
void AppendFramed(std::string& out, char tag, std::string_view content) {
  StrAppend(&out, std::string_view(&tag, 1), content.size(), ":", content);
}

void AppendCharacters(std::string& out, std::string_view quoted) {
  const std::string_view inner = quoted.substr(1, quoted.size() - 2);
  if (inner.find('\\') == std::string_view::npos) {
    AppendFramed(out, 's', inner);
  } else {
    AppendFramed(out, 's', Unescape(quoted, LoneSurrogate::kKeep));
  }
}

// A decimal as sign, digits without zeros at either end, and a power of ten.
void AppendNumber(std::string& out, std::string_view text) {
  const bool negative = text[0] == '-';
  if (negative) text.remove_prefix(1);
  std::string_view exponent_text;
  if (const std::size_t e = text.find_first_of("eE"); e != std::string_view::npos) {
    exponent_text = text.substr(e + 1);
    text = text.substr(0, e);
    if (exponent_text[0] == '+') exponent_text.remove_prefix(1);
  }
  if (text.find_first_not_of("0.") == std::string_view::npos) {
    AppendFramed(out, 'n', "0");  // all zeros are one, whatever their sign and exponent
    return;
  }
  // Exponents beyond all arithmetic: such numbers are the same only if they are written the same. What
  // counts is the exponent of the form, so that it does not matter how a number is written; no text is
  // long enough to lead from beyond the first limit to below the second.
  constexpr std::int64_t kMostWritten = std::int64_t{1} << 62;
  constexpr std::int64_t kMost = std::int64_t{1} << 60;
  const auto beyond = [](std::int64_t exponent, std::int64_t most) {
    return exponent > most || exponent < -most;
  };
  const char* sign = negative ? "-" : "";
  const auto append_as_written = [&] {
    AppendFramed(out, 'N', StrCat(sign, text, "e", exponent_text));
  };
  std::int64_t exponent = 0;
  if (!exponent_text.empty()) {
    const char* end = exponent_text.data() + exponent_text.size();
    const auto [rest, error] = std::from_chars(exponent_text.data(), end, exponent);
    if (error != std::errc() || beyond(exponent, kMostWritten)) return append_as_written();
  }
  std::string digits(text);
  if (const std::size_t point = digits.find('.'); point != std::string::npos) {
    exponent -= static_cast<std::int64_t>(digits.size() - point - 1);
    digits.erase(point, 1);
  }
  digits.erase(0, digits.find_first_not_of('0'));
  const std::size_t last = digits.find_last_not_of('0');
  exponent += static_cast<std::int64_t>(digits.size() - last - 1);
  digits.erase(last + 1);
  if (beyond(exponent, kMost)) return append_as_written();
  AppendFramed(out, 'n', StrCat(sign, digits, "e", exponent));
}

// Where the containers of one text end, in the order in which they begin. Found in one go, since
// looking for each end anew would read a deeply nested text once for each level.
class Containers {
 public:
  struct Entry {
    const char* end;        // behind the closing bracket
    std::size_t following;  // the first container that begins behind it
  };

  explicit Containers(std::string_view text) {
    std::vector<std::size_t> open;
    open.reserve(16);
    entries_.reserve(16);
    const char* end = text.data() + text.size();
    for (const char* at = text.data(); at != end;) {
      if (*at == '"') {
        at = SkipString(at);
        continue;
      }
      if (*at == '{' || *at == '[') {
        open.push_back(entries_.size());
        entries_.emplace_back();
      } else if (*at == '}' || *at == ']') {
        entries_[open.back()] = {at + 1, entries_.size()};
        open.pop_back();
      }
      ++at;
    }
  }

  const Entry& operator[](std::size_t i) const { return entries_[i]; }

 private:
  std::vector<Entry> entries_;
};

// Walks over one text and appends its canonical form.
class Canonizer {
 public:
  Canonizer(std::string& out, std::string_view text, Nulls nulls)
      : out_(out), end_(text.data() + text.size()), nulls_(nulls), containers_(text) {}

  // `container` is the value's own number if it is one.
  void Append(std::string_view value, std::size_t container) {
    switch (value[0]) {
      case '{':
        return AppendObject(value.data(), container);
      case '[':
        return AppendArray(value.data(), container);
      case '"':
        return AppendCharacters(out_, value);
      case 't':
      case 'f':
        out_.push_back(value[0]);
        return;
      case 'n':
        out_.push_back('z');
        return;
      default:
        return AppendNumber(out_, value);
    }
  }

 private:
  struct Member {
    std::string_view key;
    std::string_view value;
    std::size_t container;
  };

  // Without quotes and escapes.
  std::string_view KeyOf(std::string_view quoted) {
    if (quoted.find('\\') == std::string_view::npos) return quoted.substr(1, quoted.size() - 2);
    return unescaped_.emplace_front(Unescape(quoted, LoneSurrogate::kKeep));
  }

  // The value at `at`, which moves behind it, as does `container`.
  std::string_view Take(const char*& at, std::size_t& container) const {
    const char* begin = at;
    if (*at == '{' || *at == '[') {
      at = containers_[container].end;
      container = containers_[container].following;
    } else {
      at = *at == '"' ? SkipString(at) : SkipScalar(at, end_);
    }
    return {begin, static_cast<std::size_t>(at - begin)};
  }

  // Behind the comma, if there is one.
  static const char* SkipComma(const char* at) {
    at = SkipBlanks(at);
    return *at == ',' ? SkipBlanks(at + 1) : at;
  }

  void AppendObject(const char* at, std::size_t container) {
    std::vector<Member> members;
    members.reserve(8);
    ++container;
    for (at = SkipBlanks(at + 1); *at != '}'; at = SkipComma(at)) {
      const char* key_end = SkipString(at);
      const std::string_view key(at, static_cast<std::size_t>(key_end - at));
      at = SkipBlanks(SkipBlanks(key_end) + 1);
      const std::size_t own = container;
      const std::string_view value = Take(at, container);
      if (nulls_ == Nulls::kDrop && value[0] == 'n') continue;
      members.push_back({KeyOf(key), value, own});
    }
    // Duplicates in the order in which they are written.
    std::sort(members.begin(), members.end(), [](const Member& a, const Member& b) {
      return std::pair(a.key, a.value.data()) < std::pair(b.key, b.value.data());
    });
    StrAppend(&out_, "{", members.size(), ":");
    for (const Member& member : members) {
      AppendFramed(out_, 's', member.key);
      Append(member.value, member.container);
    }
  }

  void AppendArray(const char* at, std::size_t container) {
    out_.push_back('[');
    ++container;
    for (at = SkipBlanks(at + 1); *at != ']'; at = SkipComma(at)) {
      const std::size_t own = container;
      const std::string_view element = Take(at, container);
      Append(element, own);
    }
    out_.push_back(']');
  }

  std::string& out_;
  const char* const end_;
  const Nulls nulls_;
  const Containers containers_;
  std::forward_list<std::string> unescaped_;  // addresses stay valid
};

}  // namespace

void AppendCanonical(std::string& out, const Value& value, Nulls nulls) {
  Canonizer(out, value.text(), nulls).Append(value.text(), 0);
}

}  // namespace god33::json
