#pragma once

#include <string>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/ids.h"
#include "god33/store/v1/event_store.pb.h"
#include "sequence/unit.h"
#include "wire/registry.h"

namespace god33::manager {

// What an append request asks for, whether of one event or of many.
struct AppendTerms {
  std::string aggregate;
  std::optional<std::int64_t> expected_version;
  std::string validate;
};

// Reads one event of a request and fills what was left out: the id, the time, and the source, which
// then is `caller`. Errors name the field below `path` ("event", "events[3]").
absl::StatusOr<sequence::NewEvent> ReadNewEvent(const event::v1::EventEnvelope& proto,
                                                const std::string& path, const std::string& caller,
                                                const AppendTerms& terms,
                                                const wire::PayloadRegistry& registry, Clock& clock,
                                                IdSource& ids);

// Checks the terms: aggregate is "<kind>/<uuid>", expected_version comes with one, validate is
// known.
absl::StatusOr<std::optional<sequence::Aggregate>> ReadTerms(const AppendTerms& terms);

}  // namespace god33::manager
