#include "base/uuid.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cctype>
#include <map>

#include "absl/container/flat_hash_set.h"
#include "testing/random.h"
#include "unit/printers.h"

namespace god33 {
namespace {

using testing::Random;

TEST_CASE("a UUID is read with hyphens or without, in any case") {
  const Uuid expected{{0x6f, 0x96, 0x19, 0xff, 0x8b, 0x86, 0xd0, 0x11, 0xb4, 0x2d, 0x00, 0xc0, 0x4f,
                       0xc9, 0x64, 0xff}};
  for (const char* text :
       {"6f9619ff-8b86-d011-b42d-00c04fc964ff", "6F9619FF-8B86-D011-B42D-00C04FC964FF",
        "6f9619FF-8b86-D011-b42d-00c04fC964ff", "6f9619ff8b86d011b42d00c04fc964ff",
        "6F9619FF8B86D011B42D00C04FC964FF"}) {
    CAPTURE(text);
    CHECK(Uuid::Parse(text) == expected);
  }
}

TEST_CASE("nothing else is a UUID") {
  for (const char* text : {"",
                           "-",
                           "6f9619ff",
                           "6f9619ff-8b86-d011-b42d-00c04fc964f",
                           "6f9619ff-8b86-d011-b42d-00c04fc964ff0",
                           "6f9619ff8b86d011b42d00c04fc964f",
                           "6f9619ff8b86d011b42d00c04fc964ff0",
                           "{6f9619ff-8b86-d011-b42d-00c04fc964ff}",
                           "urn:uuid:6f9619ff-8b86-d011-b42d-00c04fc964ff",
                           " 6f9619ff-8b86-d011-b42d-00c04fc964ff",
                           "6f9619ff-8b86-d011-b42d-00c04fc964f ",
                           "6f9619ff8b86-d011-b42d-00c04fc964ff-",
                           "6f9619ff-8b86-d011-b42d00c04fc964ff0-",
                           "6f9619ff_8b86_d011_b42d_00c04fc964ff",
                           "6g9619ff-8b86-d011-b42d-00c04fc964ff",
                           "6f9619ff-8b86-d011-b42d-00c04fc964f\xC3",
                           "--------------------------------",
                           "------------------------------------",
                           "+f9619ff8b86d011b42d00c04fc964ff",
                           "0x9619ff8b86d011b42d00c04fc964ff"}) {
    CAPTURE(text);
    CHECK(Uuid::Parse(text) == std::nullopt);
  }
  CHECK(Uuid::Parse(std::string(32, '\0')) == std::nullopt);
  CHECK(Uuid::Parse(std::string(36, '\0')) == std::nullopt);
}

TEST_CASE("a UUID is written in lower case with hyphens") {
  CHECK(Uuid::Parse("6F9619FF8B86D011B42D00C04FC964FF")->ToString() ==
        "6f9619ff-8b86-d011-b42d-00c04fc964ff");
  CHECK(Uuid().ToString() == "00000000-0000-0000-0000-000000000000");
}

TEST_CASE("every UUID is read back from its text, whatever its case and hyphens") {
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const Uuid id = random.Id();
    std::string text = id.ToString();
    CAPTURE(text);
    REQUIRE(Uuid::Parse(text) == id);
    std::transform(text.begin(), text.end(), text.begin(),
                   [](char c) { return static_cast<char>(std::toupper(c)); });
    REQUIRE(Uuid::Parse(text) == id);
    std::erase(text, '-');
    REQUIRE(Uuid::Parse(text) == id);
  }
}

TEST_CASE("a UUID with any one character replaced by something else is none") {
  const std::string text = "6f9619ff-8b86-d011-b42d-00c04fc964ff";
  for (std::size_t at = 0; at < text.size(); ++at) {
    for (const char c :
         {'g', 'G', '/', ':', '@', '`', ' ', '\0', '\xFF', text[at] == '-' ? '0' : '-'}) {
      std::string changed = text;
      changed[at] = c;
      CAPTURE(changed);
      REQUIRE(Uuid::Parse(changed) == std::nullopt);
    }
  }
}

TEST_CASE("name-based ids are version 5 of RFC 9562") {
  const Uuid dns = *Uuid::Parse("6ba7b810-9dad-11d1-80b4-00c04fd430c8");
  CHECK(Uuid::NameBased(dns, "www.example.com").ToString() ==
        "2ed6657d-e927-568b-95e1-2665a8aea6a2");
  CHECK(Uuid::NameBased(kNamespaceOid, "").ToString() == "0a68eb57-c88a-5f34-9e9d-27f85e68af4f");
}

TEST_CASE("name-based ids are those that Bloodbank derives") {
  CHECK(kNamespaceOid.ToString() == "6ba7b812-9dad-11d1-80b4-00c04fd430c8");
  CHECK(Uuid::NameBased(kNamespaceOid,
                        "bloodbank:fireflies.transcript.upload:meeting_id=abc123|user_id=user_456")
            .ToString() == "dcbf406d-aaae-5a9a-8b36-38bb4f5ac1e7");
}

TEST_CASE("a name is all its bytes, NUL included") {
  using std::string_view_literals::operator""sv;
  CHECK(Uuid::NameBased(kNamespaceOid, "a\0b"sv).ToString() ==
        "7b3b400f-4415-5958-a230-454632df1c5d");
  CHECK(Uuid::NameBased(kNamespaceOid, "a\0c"sv) != Uuid::NameBased(kNamespaceOid, "a\0b"sv));
}

TEST_CASE("name-based ids carry version and variant and differ by space and name") {
  Random random(2);
  absl::flat_hash_set<Uuid> seen;
  for (int i = 0; i < 1000; ++i) {
    const Uuid id = Uuid::NameBased(i % 2 == 0 ? kNamespaceOid : Uuid(), random.Bytes(20));
    REQUIRE(id.bytes[6] >> 4 == 5);
    REQUIRE(id.bytes[8] >> 6 == 2);
    REQUIRE(seen.insert(id).second);
  }
}

TEST_CASE("UUIDs are ordered like their texts") {
  Random random(3);
  std::map<std::string, Uuid> by_text;
  for (int i = 0; i < 500; ++i) {
    const Uuid id = random.Id();
    by_text[id.ToString()] = id;
  }
  CHECK(std::is_sorted(by_text.begin(), by_text.end(),
                       [](const auto& a, const auto& b) { return a.second < b.second; }));
}

TEST_CASE("a UUID's view is its 16 bytes") {
  const Uuid id = *Uuid::Parse("61626364-6566-6768-696a-6b6c6d6e6f70");
  CHECK(id.View() == "abcdefghijklmnop");
}

}  // namespace
}  // namespace god33
