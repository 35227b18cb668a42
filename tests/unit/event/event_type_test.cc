#include "event/event_type.h"

#include <catch2/catch.hpp>

#include "testing/random.h"

namespace god33::event {
namespace {

using testing::Random;

bool Matches(std::string_view pattern, std::string_view type) {
  const auto parsed = TypePattern::Parse(pattern);
  REQUIRE(parsed.ok());
  return parsed->Matches(type);
}

TEST_CASE("event types are words of printable ASCII between dots") {
  for (const char* type :
       {"a", "bmad.workflow.handoff.requested", "A.B-c_d.1", "webhook.plane.issue", "command.ack",
        "a.!\"$%&'()+,/:;<=>?@[\\]^`{|}~"}) {
    CAPTURE(type);
    CHECK(CheckEventType(type).ok());
  }
}

TEST_CASE("other texts are no event types") {
  for (const char* type :
       {"",     ".", "..", ".a",  "a.",  "a..b", "a b",  " a",   "a ",         "a\tb",
        "a\nb", "*", "#",  "a.*", "a.#", "a*",   "#a.b", "\x7F", "a.\xC3\xA9", "a.\xFF"}) {
    CAPTURE(type);
    CHECK(CheckEventType(type).code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK_FALSE(CheckEventType(std::string_view("a\0b", 3)).ok());
}

TEST_CASE("an event type has at most 255 characters") {
  CHECK(CheckEventType(std::string(255, 'a')).ok());
  CHECK_FALSE(CheckEventType(std::string(256, 'a')).ok());
}

TEST_CASE("a pattern without an asterisk matches its own text only") {
  CHECK(Matches("agent.heartbeat", "agent.heartbeat"));
  for (const char* type :
       {"agent", "agent.heartbeat.x", "agent.heartbea", "Agent.heartbeat", "x.agent.heartbeat"}) {
    CAPTURE(type);
    CHECK_FALSE(Matches("agent.heartbeat", type));
  }
}

TEST_CASE("a last asterisk is one or more words") {
  CHECK(Matches("agent.letta.*", "agent.letta.checkpoint.saved"));
  CHECK(Matches("agent.letta.*", "agent.letta.x"));
  CHECK_FALSE(Matches("agent.letta.*", "agent.letta"));
  CHECK_FALSE(Matches("agent.letta.*", "agent.lettax.y"));
  CHECK(Matches("*", "a"));
  CHECK(Matches("*", "a.b.c"));
}

TEST_CASE("an asterisk elsewhere is exactly one word") {
  CHECK(Matches("*.b", "a.b"));
  CHECK_FALSE(Matches("*.b", "b"));
  CHECK_FALSE(Matches("*.b", "a.x.b"));
  CHECK_FALSE(Matches("*.b", "a.b.c"));
  CHECK(Matches("agent.*.task.*", "agent.letta.task.completed"));
  CHECK(Matches("agent.*.task.*", "agent.letta.task.x.y"));
  CHECK_FALSE(Matches("agent.*.task.*", "agent.task.completed"));
  CHECK_FALSE(Matches("agent.*.task.*", "agent.letta.task"));
  CHECK(Matches("*.*", "a.b.c"));
  CHECK_FALSE(Matches("*.*", "a"));
}

TEST_CASE("a pattern knows whether it stands for one type alone") {
  CHECK(TypePattern::Parse("a.b")->exact());
  CHECK_FALSE(TypePattern::Parse("a.*")->exact());
  CHECK_FALSE(TypePattern::Parse("*.a")->exact());
  CHECK(TypePattern::Parse("agent.*.x")->text() == "agent.*.x");
}

TEST_CASE("malformed patterns are refused") {
  for (const char* pattern : {"", ".", "a.", ".a", "a..*", "a.#", "#", "a.b*", "a.*b", "**", "a.**",
                              "a b", "a.\xC3\xA9"}) {
    CAPTURE(pattern);
    CHECK(TypePattern::Parse(pattern).status().code() == absl::StatusCode::kInvalidArgument);
  }
  CHECK_FALSE(TypePattern::Parse(std::string(256, 'a')).ok());
}

using Words = std::vector<std::string>;

Words Split(const std::string& text) {
  Words words(1);
  for (const char c : text) {
    if (c == '.') {
      words.emplace_back();
    } else {
      words.back().push_back(c);
    }
  }
  return words;
}

// The rule itself, by trying every way.
bool BruteForce(const Words& pattern, std::size_t p, const Words& type, std::size_t t) {
  if (p == pattern.size()) return t == type.size();
  if (t == type.size()) return false;
  if (pattern[p] != "*") return pattern[p] == type[t] && BruteForce(pattern, p + 1, type, t + 1);
  if (BruteForce(pattern, p + 1, type, t + 1)) return true;
  return p + 1 == pattern.size() && BruteForce(pattern, p, type, t + 1);
}

TEST_CASE("patterns match what the rule says") {
  static constexpr std::string_view kWords[] = {"a", "b", "aa"};
  const auto join = [](Random& random, std::size_t most, bool stars) {
    std::string text;
    for (std::size_t i = 1 + random.Below(most); i > 0; --i) {
      text.append(stars && random.OneIn(2) ? "*" : random.Pick(kWords));
      if (i > 1) text.push_back('.');
    }
    return text;
  };
  int matched = 0;
  for (std::uint64_t seed = 0; seed < 20000; ++seed) {
    Random random(seed);
    const std::string pattern = join(random, 4, true);
    const std::string type = join(random, 5, false);
    CAPTURE(seed, pattern, type);
    const bool expected = BruteForce(Split(pattern), 0, Split(type), 0);
    REQUIRE(Matches(pattern, type) == expected);
    matched += expected;
  }
  CHECK(matched > 1000);
}

}  // namespace
}  // namespace god33::event
