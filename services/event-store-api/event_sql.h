#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "pg/params.h"
#include "services/event-store-api/query.h"

namespace god33::api {

// A statement made for one query: the text depends on which filters are given, not on their values,
// so that connections prepare each shape once.
struct Sql {
  std::string text;
  pg::Params params;
};

// A regular expression that matches the event types that one of the patterns matches.
std::string RegexOf(const std::vector<event::TypePattern>& patterns);

// One month of the log.
struct Month {
  absl::Time start;
  absl::Time end;
  std::int64_t first_position = 0;
};

// Which part of the log a page is looked for in.
struct Slice {
  std::int64_t after = 0;        // exclusive, in the direction of reading
  std::int64_t horizon = 1;      // nothing before it is looked at: there is nothing
  const Month* month = nullptr;  // nullptr: all months
};

// The plan of a query: which index leads. PostgreSQL's planner can't be left to choose: with a
// LIMIT it likes to walk the log by position and filter, which for a rare value reads everything.
// Each way gives the events in the order of positions from the first one on, so a page costs what
// it returns; the other filters are checked on the way.
class EventSql {
 public:
  // `types` are the event types that the filter's patterns stand for; more than kMostTypes of them,
  // or unknown, is nullopt, and the patterns are checked on the way.
  EventSql(const EventFilter& filter, std::optional<std::vector<std::string>> types,
           bool descending, bool few_in_time);

  static constexpr std::size_t kMostTypes = 20;

  // The way leads over a narrow table that knows positions of all months at once.
  bool spans_months() const;

  // A page of at most `limit` events: GOD33_EVENT_COLUMNS, then how many there are without the
  // bound on their size (of `most_bytes`, stored).
  Sql Page(const Slice& slice, int limit, std::int64_t offset, std::int64_t most_bytes) const;

  // How many events from the horizon on match, counting to `most`.
  Sql Count(std::int64_t most, std::int64_t horizon) const;

 private:
  enum class Way {
    kCorrelation,
    kWorkflow,
    kSession,
    kCollaboration,
    kAgent,
    kTypes,
    kTime,
    kPosition
  };

  class Builder;

  const EventFilter& filter_;
  std::optional<std::vector<std::string>> types_;
  bool descending_;
  Way way_;
};

}  // namespace god33::api
