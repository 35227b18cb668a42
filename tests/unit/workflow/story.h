#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/strings.h"
#include "projection/fold_event.h"
#include "testing/fake_ids.h"
#include "workflow/chain.h"

namespace god33::workflow {

using testing::FakeId;

inline const absl::Time kBegin = absl::FromUnixSeconds(1769508000);

// The event FakeId(n) at position n, a minute after the one before. `members` of its payload are JSON, with
// ' for ".
inline projection::FoldEvent Event(int n, std::string type, std::vector<Uuid> parents = {},
                                   std::string members = "") {
  for (char& c : members) c = c == '\'' ? '"' : c;
  return {.id = FakeId(static_cast<std::uint64_t>(n)),
          .type = std::move(type),
          .time = kBegin + absl::Minutes(n),
          .position = n,
          .since = n,
          .payload = StrCat("{", members, "}"),
          .parents = std::move(parents)};
}

// A member of a payload that names an event or a session by its number.
inline std::string IdMember(std::string_view key, int n) {
  return StrCat("'", key, "':'", FakeId(static_cast<std::uint64_t>(n)).ToString(), "'");
}

inline std::string InSession(int n, std::string_view more = "") {
  return StrCat(IdMember("session_id", n), more);
}

inline Chain ChainOf(const std::vector<projection::FoldEvent>& events) {
  Chain chain;
  for (const projection::FoldEvent& event : events) chain.Add(event);
  return chain;
}

}  // namespace god33::workflow
