#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "testing/random.h"

namespace god33::testing {

struct JsonMember;

// A JSON value apart from any text: what two texts that mean the same have in common. Property tests
// make one, write it down in different ways, and see whether the code under test can tell.
struct JsonTree {
  enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };
  // UTF-16 units, because that is what JSON's escapes name: lone surrogates are possible.
  using Units = std::u16string;

  Kind kind = Kind::kNull;
  bool truth = false;

  // Of a number: digits without zeros at either end times a power of ten; no digits: zero.
  bool negative = false;
  std::string digits;
  std::int64_t exponent = 0;

  Units units;
  std::vector<JsonTree> elements;
  std::vector<JsonMember> members;  // keys may repeat
};

struct JsonMember {
  JsonTree::Units key;
  JsonTree value;
};

// What a random tree may hold.
struct JsonLimits {
  int depth = 4;
  bool duplicate_keys = true;
};

JsonTree RandomJson(Random& random, const JsonLimits& limits = {});
JsonTree RandomJsonObject(Random& random, const JsonLimits& limits = {});

// Hostile ones: NUL, quotes, backslashes, controls, lone surrogates, pairs, noncharacters.
JsonTree::Units RandomUnits(Random& random);

// The same value: members in any order, but those of one key in theirs; all zeros are one.
bool SameJson(const JsonTree& a, const JsonTree& b);

// Changes one thing somewhere in the tree: the result is never the same value.
void MutateJson(Random& random, JsonTree& tree);

// One of the many texts of the value: with random blanks, escapes, orders of members and ways to write
// numbers.
std::string WriteJsonTree(Random& random, const JsonTree& tree);

// The units in UTF-8, lone surrogates as U+FFFD.
std::string Utf8(const JsonTree::Units& units);

}  // namespace god33::testing
