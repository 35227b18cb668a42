#pragma once

#include <initializer_list>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/ids.h"
#include "base/strings.h"
#include "eventlog/append.h"
#include "sequence/unit.h"

// Events for the integration tests.

namespace god33::testing {

inline Uuid NewId() {
  static SystemClock clock;
  return TimeOrderedIds(clock).New();
}

inline event::Envelope MakeEnvelope(const std::string& type, const std::string& payload = "{}",
                                    const std::vector<Uuid>& parents = {}) {
  event::Envelope envelope;
  envelope.id = NewId();
  envelope.type = type;
  envelope.time = absl::FromUnixMicros(absl::ToUnixMicros(SystemClock().Now()));
  envelope.source = {.host = "test", .type = "service", .app = "test"};
  envelope.parents = parents;
  envelope.payload = payload;
  return envelope;
}

inline sequence::Unit MakeUnit(std::vector<event::Envelope> envelopes) {
  sequence::Unit unit;
  for (event::Envelope& envelope : envelopes) {
    unit.events.push_back(sequence::Prepare(std::move(envelope)));
  }
  return unit;
}

// Appends each envelope as a unit of its own, in one batch.
inline absl::StatusOr<eventlog::Stored> AppendAll(pg::Connection& connection,
                                                  const std::vector<event::Envelope>& envelopes) {
  std::vector<sequence::Unit> units;
  for (const event::Envelope& envelope : envelopes) units.push_back(MakeUnit({envelope}));
  std::vector<const sequence::Unit*> pointers;
  for (const sequence::Unit& unit : units) pointers.push_back(&unit);
  absl::flat_hash_set<std::string> known_types;
  return eventlog::Append(
      connection, pointers, [](const auto&) { return std::vector<eventlog::DeadLetter>(); },
      known_types);
}

}  // namespace god33::testing
