#include "json/canonical.h"

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <utility>
#include <vector>

#include "base/strings.h"
#include "json/text.h"

namespace god33::json {
namespace {

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
  std::int64_t exponent = 0;
  if (!exponent_text.empty()) {
    const char* end = exponent_text.data() + exponent_text.size();
    const auto [rest, error] = std::from_chars(exponent_text.data(), end, exponent);
    constexpr std::int64_t kLimit = std::int64_t{1} << 60;
    if (error != std::errc() || exponent > kLimit || exponent < -kLimit) {
      // Beyond all arithmetic: such numbers are the same only if they are written the same.
      AppendFramed(out, 'N', StrCat(negative ? "-" : "", text, "e", exponent_text));
      return;
    }
  }
  std::string digits(text);
  if (const std::size_t point = digits.find('.'); point != std::string::npos) {
    exponent -= static_cast<std::int64_t>(digits.size() - point - 1);
    digits.erase(point, 1);
  }
  digits.erase(0, std::min(digits.find_first_not_of('0'), digits.size()));
  if (digits.empty()) {
    AppendFramed(out, 'n', "0");  // all zeros are one, whatever their sign and exponent
    return;
  }
  const std::size_t last = digits.find_last_not_of('0');
  exponent += static_cast<std::int64_t>(digits.size() - last - 1);
  digits.erase(last + 1);
  AppendFramed(out, 'n', StrCat(negative ? "-" : "", digits, "e", exponent));
}

void AppendObject(std::string& out, const Value& object, Nulls nulls) {
  std::vector<std::pair<std::string, Value>> members;
  for (const Member member : object.members()) {
    if (nulls == Nulls::kDrop && member.value.is_null()) continue;
    members.emplace_back(Unescape(member.raw_key, LoneSurrogate::kKeep), member.value);
  }
  std::stable_sort(members.begin(), members.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  StrAppend(&out, "{", members.size(), ":");
  for (const auto& [key, value] : members) {
    AppendFramed(out, 's', key);
    AppendCanonical(out, value, nulls);
  }
}

void AppendArray(std::string& out, const Value& array, Nulls nulls) {
  out.push_back('[');
  for (const Value element : array.elements()) AppendCanonical(out, element, nulls);
  out.push_back(']');
}

}  // namespace

void AppendCanonical(std::string& out, const Value& value, Nulls nulls) {
  switch (value.kind()) {
    case Kind::kObject:
      return AppendObject(out, value, nulls);
    case Kind::kArray:
      return AppendArray(out, value, nulls);
    case Kind::kString:
      return AppendCharacters(out, value.text());
    case Kind::kNumber:
      return AppendNumber(out, value.text());
    case Kind::kBool:
      out.push_back(value.ToBool() ? 't' : 'f');
      return;
    case Kind::kNull:
      out.push_back('z');
  }
}

}  // namespace god33::json
