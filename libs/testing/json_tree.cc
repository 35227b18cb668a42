#include "testing/json_tree.h"

#include <algorithm>
#include <iterator>

#include "base/strings.h"

namespace god33::testing {
namespace {

using Kind = JsonTree::Kind;
using Units = JsonTree::Units;

bool IsHigh(char16_t unit) {
  return unit >= 0xD800 && unit < 0xDC00;
}
bool IsLow(char16_t unit) {
  return unit >= 0xDC00 && unit < 0xE000;
}

void AppendUtf8(std::string& out, std::uint32_t code) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (code < 0x80) {
    put(code);
    return;
  }
  if (code < 0x800) {
    put(0xC0 | code >> 6);
  } else {
    if (code < 0x10000) {
      put(0xE0 | code >> 12);
    } else {
      put(0xF0 | code >> 18);
      put(0x80 | (code >> 12 & 0x3F));
    }
    put(0x80 | (code >> 6 & 0x3F));
  }
  put(0x80 | (code & 0x3F));
}

void MakeNumber(Random& random, JsonTree& tree) {
  tree.kind = Kind::kNumber;
  tree.digits.clear();
  tree.exponent = 0;
  tree.negative = random.OneIn(3);
  if (random.OneIn(8)) return;
  const std::size_t size = random.OneIn(3) ? 1 + random.Below(40) : 1 + random.Below(4);
  for (std::size_t i = 0; i < size; ++i) {
    const bool edge = i == 0 || i + 1 == size;
    tree.digits.push_back(static_cast<char>('0' + (edge ? 1 + random.Below(9) : random.Below(10))));
  }
  static constexpr std::int64_t kReach[] = {0, 0, 3, 30, 400, 100'000, 100'000'000'000'000'000};
  const std::int64_t reach = random.Pick(kReach);
  tree.exponent = random.Between(-reach, reach);
}

JsonTree Make(Random& random, const JsonLimits& limits, Kind kind) {
  JsonTree tree;
  tree.kind = kind;
  const JsonLimits inner{.depth = limits.depth - 1, .duplicate_keys = limits.duplicate_keys};
  switch (kind) {
    case Kind::kNull:
      break;
    case Kind::kBool:
      tree.truth = random.OneIn(2);
      break;
    case Kind::kNumber:
      MakeNumber(random, tree);
      break;
    case Kind::kString:
      tree.units = RandomUnits(random);
      break;
    case Kind::kArray:
      for (std::size_t i = random.Below(5); i > 0; --i) {
        tree.elements.push_back(RandomJson(random, inner));
      }
      break;
    case Kind::kObject:
      for (std::size_t i = random.Below(6); i > 0; --i) {
        Units key = RandomUnits(random);
        if (limits.duplicate_keys && !tree.members.empty() && random.OneIn(5)) {
          key = random.Pick(tree.members).key;
        }
        const bool taken = std::any_of(tree.members.begin(), tree.members.end(),
                                       [&key](const auto& member) { return member.key == key; });
        if (taken && !limits.duplicate_keys) continue;
        tree.members.push_back({std::move(key), RandomJson(random, inner)});
      }
  }
  return tree;
}

void WriteBlanks(Random& random, std::string& out) {
  static constexpr std::string_view kBlanks[] = {"", "", "", " ", "\n", "\t", "\r\n", "  "};
  out.append(random.Pick(kBlanks));
}

void WriteEscape(Random& random, std::string& out, char16_t unit) {
  out.append("\\u");
  const std::string_view hex = random.OneIn(2) ? "0123456789abcdef" : "0123456789ABCDEF";
  for (int shift = 12; shift >= 0; shift -= 4) out.push_back(hex[unit >> shift & 0xF]);
}

void WriteUnits(Random& random, std::string& out, const Units& units) {
  constexpr std::string_view kShort = "\"\\/\b\f\n\r\t";
  constexpr std::string_view kShortEscape = "\"\\/bfnrt";
  out.push_back('"');
  for (std::size_t i = 0; i < units.size(); ++i) {
    const char16_t unit = units[i];
    const bool pair = IsHigh(unit) && i + 1 < units.size() && IsLow(units[i + 1]);
    const bool lone = !pair && (IsHigh(unit) || IsLow(unit));
    if (unit < 0x80 && kShort.find(static_cast<char>(unit)) != std::string_view::npos &&
        random.OneIn(2)) {
      out.push_back('\\');
      out.push_back(kShortEscape[kShort.find(static_cast<char>(unit))]);
    } else if (lone || unit < 0x20 || unit == '"' || unit == '\\' || random.OneIn(4)) {
      WriteEscape(random, out, unit);
      if (pair) WriteEscape(random, out, units[++i]);
    } else if (pair) {
      AppendUtf8(out, 0x10000 + ((unit - 0xD800u) << 10 | (units[++i] - 0xDC00u)));
    } else {
      AppendUtf8(out, unit);
    }
  }
  out.push_back('"');
}

void WriteExponent(Random& random, std::string& out, std::int64_t exponent) {
  if (exponent == 0 && random.OneIn(2)) return;
  out.push_back(random.OneIn(2) ? 'e' : 'E');
  if (exponent < 0) {
    out.push_back('-');
  } else if (random.OneIn(2)) {
    out.push_back('+');
  }
  out.append(random.Below(3), '0');
  StrAppend(&out, exponent < 0 ? -exponent : exponent);
}

void WriteNumber(Random& random, std::string& out, const JsonTree& tree) {
  if (tree.digits.empty()) {
    static constexpr std::string_view kZeros[] = {
        "0", "-0", "0.0", "-0.000", "0e0", "0E+5", "0e-400", "-0.0e999999999999999999999999"};
    out.append(random.Pick(kZeros));
    return;
  }
  if (tree.negative) out.push_back('-');
  std::string digits = tree.digits;
  std::int64_t exponent = tree.exponent;
  std::size_t zeros = random.Below(4);
  if (exponent > 0 && exponent < 50 && random.OneIn(2)) zeros = static_cast<std::size_t>(exponent);
  digits.append(zeros, '0');
  exponent -= static_cast<std::int64_t>(zeros);
  const std::size_t whole = random.Below(digits.size() + 1);
  exponent += static_cast<std::int64_t>(digits.size() - whole);
  if (whole == 0) {
    const std::size_t more = random.Below(4);
    StrAppend(&out, "0.", std::string(more, '0'), digits);
    exponent += static_cast<std::int64_t>(more);
  } else if (whole == digits.size()) {
    out.append(digits);
  } else {
    StrAppend(&out, digits.substr(0, whole), ".", digits.substr(whole));
  }
  WriteExponent(random, out, exponent);
}

// An order of the members that keeps those of one key as they are.
std::vector<const JsonMember*> Reordered(Random& random, const JsonTree& tree) {
  std::vector<const JsonMember*> order;
  order.reserve(tree.members.size());
  for (const JsonMember& member : tree.members) order.push_back(&member);
  random.Shuffle(order);
  for (auto at = order.begin(); at != order.end(); ++at) {
    const auto least = std::min_element(at, order.end(), [at](const auto* a, const auto* b) {
      const bool mine_a = a->key == (*at)->key;
      const bool mine_b = b->key == (*at)->key;
      return mine_a != mine_b ? mine_a : a < b;
    });
    std::iter_swap(at, least);
  }
  return order;
}

void Write(Random& random, std::string& out, const JsonTree& tree) {
  WriteBlanks(random, out);
  bool first = true;
  const auto separate = [&] {
    if (!first) out.push_back(',');
    first = false;
    WriteBlanks(random, out);
  };
  switch (tree.kind) {
    case Kind::kNull:
      out.append("null");
      break;
    case Kind::kBool:
      out.append(tree.truth ? "true" : "false");
      break;
    case Kind::kNumber:
      WriteNumber(random, out, tree);
      break;
    case Kind::kString:
      WriteUnits(random, out, tree.units);
      break;
    case Kind::kArray:
      out.push_back('[');
      for (const JsonTree& element : tree.elements) {
        separate();
        Write(random, out, element);
      }
      WriteBlanks(random, out);
      out.push_back(']');
      break;
    case Kind::kObject:
      out.push_back('{');
      for (const auto* member : Reordered(random, tree)) {
        separate();
        WriteUnits(random, out, member->key);
        WriteBlanks(random, out);
        out.push_back(':');
        Write(random, out, member->value);
      }
      WriteBlanks(random, out);
      out.push_back('}');
  }
  WriteBlanks(random, out);
}

void MutateNumber(Random& random, JsonTree& tree) {
  if (tree.digits.empty()) {
    tree.digits.push_back('1');
    return;
  }
  switch (random.Below(4)) {
    case 0:
      tree.negative = !tree.negative;
      return;
    case 1:
      tree.exponent += random.OneIn(2) ? 1 : -1;
      return;
    case 2:
      tree.digits.push_back('7');
      return;
    default:
      char& digit = tree.digits[random.Below(tree.digits.size())];
      digit = digit == '9' ? '1' : static_cast<char>(digit + 1);
  }
}

void MutateUnits(Random& random, Units& units) {
  if (units.empty() || random.OneIn(3)) {
    units.push_back(u'x');
  } else {
    // Stays within its kind of unit, so that no pair falls apart or comes into being unseen.
    units[random.Below(units.size())] ^= 1;
  }
}

}  // namespace

JsonTree RandomJson(Random& random, const JsonLimits& limits) {
  static constexpr Kind kScalars[] = {Kind::kNull, Kind::kBool, Kind::kNumber, Kind::kString};
  static constexpr Kind kAll[] = {Kind::kNull,   Kind::kBool,  Kind::kNumber, Kind::kNumber,
                                  Kind::kString, Kind::kArray, Kind::kArray,  Kind::kObject,
                                  Kind::kObject, Kind::kObject};
  return Make(random, limits, limits.depth <= 0 ? random.Pick(kScalars) : random.Pick(kAll));
}

JsonTree RandomJsonObject(Random& random, const JsonLimits& limits) {
  return Make(random, limits, Kind::kObject);
}

Units RandomUnits(Random& random) {
  static constexpr char16_t kHostile[] = {0,      1,      0x1F,   u'"',   u'\\',  u'/',     u'\n',
                                          0x7F,   0x80,   0x7FF,  0x800,  0xD7FF, 0xD800,   0xDBFF,
                                          0xDC00, 0xDFFF, 0xE000, 0xFFFD, 0xFFFE, 0xFFFF,   u'{',
                                          u'}',   u'[',   u']',   u',',   u':',   u'\u2028'};
  static constexpr std::u16string_view kWords[] = {u"a",    u"b", u"workflow_id", u"meta",
                                                   u"null", u"1", u"é",           u"\U0001F600"};
  Units units(random.Pick(kWords));
  for (std::size_t i = random.Below(4); i > 0; --i) units.push_back(random.Pick(kHostile));
  return units;
}

bool SameJson(const JsonTree& a, const JsonTree& b) {
  if (a.kind != b.kind) return false;
  switch (a.kind) {
    case Kind::kNull:
      return true;
    case Kind::kBool:
      return a.truth == b.truth;
    case Kind::kNumber:
      return a.digits == b.digits &&
             (a.digits.empty() || (a.negative == b.negative && a.exponent == b.exponent));
    case Kind::kString:
      return a.units == b.units;
    case Kind::kArray:
      return std::equal(a.elements.begin(), a.elements.end(), b.elements.begin(), b.elements.end(),
                        SameJson);
    case Kind::kObject:
      break;
  }
  const auto sorted = [](const JsonTree& tree) {
    auto members = tree.members;
    std::stable_sort(members.begin(), members.end(),
                     [](const auto& x, const auto& y) { return x.key < y.key; });
    return members;
  };
  const auto of_a = sorted(a);
  const auto of_b = sorted(b);
  return std::equal(
      of_a.begin(), of_a.end(), of_b.begin(), of_b.end(),
      [](const auto& x, const auto& y) { return x.key == y.key && SameJson(x.value, y.value); });
}

void MutateJson(Random& random, JsonTree& tree) {
  const bool deeper = !random.OneIn(4);
  switch (tree.kind) {
    case Kind::kNull:
      tree = JsonTree{.kind = Kind::kBool};
      return;
    case Kind::kBool:
      tree.truth = !tree.truth;
      return;
    case Kind::kNumber:
      return MutateNumber(random, tree);
    case Kind::kString:
      return MutateUnits(random, tree.units);
    case Kind::kArray:
      if (tree.elements.empty() || !deeper) {
        tree.elements.emplace_back();
      } else {
        MutateJson(random, tree.elements[random.Below(tree.elements.size())]);
      }
      return;
    case Kind::kObject:
      if (tree.members.empty()) {
        tree.members.emplace_back();
      } else if (deeper) {
        MutateJson(random, tree.members[random.Below(tree.members.size())].value);
      } else {
        tree.members.erase(tree.members.begin() +
                           static_cast<std::ptrdiff_t>(random.Below(tree.members.size())));
      }
  }
}

std::string WriteJsonTree(Random& random, const JsonTree& tree) {
  std::string text;
  Write(random, text, tree);
  return text;
}

std::string Utf8(const Units& units) {
  std::string text;
  for (std::size_t i = 0; i < units.size(); ++i) {
    const char16_t unit = units[i];
    if (IsHigh(unit) && i + 1 < units.size() && IsLow(units[i + 1])) {
      AppendUtf8(text, 0x10000 + ((unit - 0xD800u) << 10 | (units[++i] - 0xDC00u)));
    } else if (IsHigh(unit) || IsLow(unit)) {
      AppendUtf8(text, 0xFFFD);
    } else {
      AppendUtf8(text, unit);
    }
  }
  return text;
}

}  // namespace god33::testing
