#include "services/event-store-api/event_sql.h"

#include <limits>
#include <utility>

#include "base/strings.h"
#include "eventlog/event_row.h"

namespace god33::api {
namespace {

// '*' is one word, a last '*' one or more; all else stands for itself.
std::string ToRegex(const event::TypePattern& pattern) {
  std::string regex = "^";
  const std::string& text = pattern.text();
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '*') {
      regex.append(i + 1 == text.size() ? ".+" : "[^.]+");
    } else {
      const bool plain = std::isalnum(static_cast<unsigned char>(c)) || c == '_' || c == '-';
      if (!plain) regex.push_back('\\');
      regex.push_back(c);
    }
  }
  return regex + "$";
}

}  // namespace

std::string RegexOf(const std::vector<event::TypePattern>& patterns) {
  std::string regex;
  for (const event::TypePattern& pattern : patterns) {
    StrAppend(&regex, regex.empty() ? "" : "|", ToRegex(pattern));
  }
  return regex;
}

// Collects the parts of one statement, numbering its parameters as they come.
class EventSql::Builder {
 public:
  Builder(const EventSql& plan, const Slice& slice) : plan_(plan), slice_(slice) {}

  // What stands behind FROM and WHERE for the plan's way: rows of `e` in the order of order().
  void AddWay() {
    const EventFilter& filter = plan_.filter_;
    switch (plan_.way_) {
      case Way::kCorrelation:
        return AddEdges(*filter.correlation);
      case Way::kWorkflow:
        return AddMembers("w", *filter.workflow);
      case Way::kCollaboration:
        return AddMembers("c", *filter.collaboration);
      case Way::kSession:
        return AddIndexed("session_id", Bind(*filter.session));
      case Way::kAgent:
        return AddIndexed("agent_id", Bind(filter.agent));
      case Way::kTypes:
        return AddTypes();
      case Way::kTime:
        from_ = "events AS e";
        AddMonth();
        AddAfter("e.position");
        // An expression, so that the index on positions is of no use.
        order_ = StrCat("(e.position + 0)", direction());
        return;
      case Way::kPosition:
        from_ = "events AS e";
        AddMonth();
        AddAfter("e.position");
        order_ = StrCat("e.position", direction());
        return;
    }
  }

  // The filters that the way itself does not answer.
  void AddResidual() {
    const EventFilter& filter = plan_.filter_;
    const Way way = plan_.way_;
    if (filter.workflow && way != Way::kWorkflow) Where(MemberOf("w", *filter.workflow));
    if (filter.collaboration && way != Way::kCollaboration) {
      Where(MemberOf("c", *filter.collaboration));
    }
    if (filter.correlation && way != Way::kCorrelation) {
      Where(StrCat(Bind(*filter.correlation), " = ANY(e.correlation_ids)"));
    }
    if (filter.session && way != Way::kSession) {
      Where(StrCat("e.session_id = ", Bind(*filter.session)));
    }
    if (!filter.agent.empty() && way != Way::kAgent) {
      Where(StrCat("e.agent_id = ", Bind(filter.agent)));
    }
    if (!filter.types.empty() && way != Way::kTypes) AddTypeFilter();
    if (filter.start) Where(StrCat("e.\"timestamp\" >= ", Bind(*filter.start)));
    if (filter.end) Where(StrCat("e.\"timestamp\" < ", Bind(*filter.end)));
  }

  std::string Bind(std::int64_t value) {
    params_.Int8(value);
    return StrCat("$", params_.count(), "::bigint");
  }
  std::string Bind(const Uuid& value) {
    params_.Id(value);
    return StrCat("$", params_.count(), "::uuid");
  }
  std::string Bind(const std::string& value) {
    params_.Text(value);
    return StrCat("$", params_.count(), "::text");
  }
  std::string Bind(absl::Time value) {
    // Times are kept in microseconds; a filter may be finer, and must not let an earlier one in.
    params_.Time(absl::FromUnixMicros(
        absl::ToInt64Microseconds(absl::Ceil(value - absl::UnixEpoch(), absl::Microseconds(1)))));
    return StrCat("$", params_.count(), "::timestamptz");
  }
  std::string Bind(const std::vector<std::string>& values) {
    pg::Array array(pg::Type::kText);
    for (const std::string& value : values) array.Text(value);
    params_.Array(std::move(array));
    return StrCat("$", params_.count(), "::text[]");
  }

  const char* direction() const { return plan_.descending_ ? " DESC" : ""; }
  const std::string& order() const { return order_; }

  std::string Select(std::string_view columns) const {
    return StrCat("SELECT ", columns, " FROM ", from_, where_.empty() ? "" : " WHERE ", where_);
  }

  // For ways that need rows of several places in one order.
  std::string WrapLateral(const std::string& inner) const {
    return lateral_.empty()
               ? inner
               : StrCat("SELECT e.* FROM ", lateral_, " CROSS JOIN LATERAL (", inner, ") AS e");
  }
  bool lateral() const { return !lateral_.empty(); }

  Sql Finish(std::string text) && { return {std::move(text), std::move(params_)}; }

 private:
  void Where(const std::string& condition) {
    StrAppend(&where_, where_.empty() ? "" : " AND ", condition);
  }

  void AddAfter(std::string_view position) {
    Where(StrCat(position, plan_.descending_ ? " < " : " > ", Bind(slice_.after)));
  }

  void AddMonth() {
    if (slice_.month == nullptr) return;
    Where(StrCat("e.recorded_at >= ", Bind(slice_.month->start), " AND e.recorded_at < ",
                 Bind(slice_.month->end)));
  }

  // Rows with one value of an indexed column, as a range over (column, position): only this index
  // gives that order, and it starts right behind `after`.
  void AddRange(std::string_view alias, std::string_view column, const std::string& value) {
    const char* beyond = plan_.descending_ ? "<" : ">";
    const std::string place = StrCat("(", alias, ".", column, ", ", alias, ".position)");
    Where(StrCat(place, " ", beyond, " (", value, ", ", Bind(slice_.after), ")"));
    if (plan_.descending_) {
      Where(StrCat(place, " >= (", value, ", ", Bind(slice_.horizon), ")"));
    } else {
      Where(StrCat(alias, ".", column, " <= ", value));
    }
    order_ = StrCat(alias, ".", column, direction(), ", ", alias, ".position", direction());
  }

  void AddIndexed(std::string_view column, const std::string& value) {
    from_ = "events AS e";
    AddMonth();
    AddRange("e", column, value);
  }

  void AddTypes() {
    const std::vector<std::string>& types = *plan_.types_;
    if (types.size() == 1) return AddIndexed("event_type", Bind(types.front()));
    lateral_ = StrCat("unnest(", Bind(types), ") AS t (type)");
    AddIndexed("event_type", "t.type");
  }

  // From positions in a narrow table to their events; the month table says which partition. OFFSET 0 keeps
  // PostgreSQL from turning this round: as long as it knows nothing of a new month's values, it takes them
  // for few, and joins by trying each with each.
  static constexpr char kEventOfPosition[] =
      " CROSS JOIN LATERAL (SELECT month FROM log_months WHERE first_position <= p.position "
      "ORDER BY first_position DESC LIMIT 1) AS month CROSS JOIN LATERAL (SELECT * FROM events "
      "WHERE position = p.position AND recorded_at >= month.month "
      "AND recorded_at < month.month + interval '1 month' OFFSET 0) AS e";

  void AddMembers(const char* kind, const Uuid& group) {
    from_ = StrCat("memberships AS p", kEventOfPosition);
    Where(StrCat("p.kind = '", kind, "'"));
    AddRange("p", "group_id", Bind(group));
  }

  void AddEdges(const Uuid& parent) {
    const std::string id = Bind(parent);
    std::string after =
        StrCat("child_position", plan_.descending_ ? " < " : " > ", Bind(slice_.after));
    if (plan_.descending_) {
      StrAppend(&after, " AND child_position >= ", Bind(slice_.horizon));
    }
    from_ = StrCat("(SELECT child_position AS position FROM event_edges WHERE parent_position = ",
                   "(SELECT position FROM event_ids WHERE event_id = ", id, ") AND ", after,
                   " UNION ALL SELECT child_position FROM event_orphans WHERE parent_id = ", id,
                   " AND ", after, ") AS p", kEventOfPosition);
    order_ = StrCat("p.position", direction());
  }

  std::string MemberOf(const char* kind, const Uuid& group) {
    return StrCat("EXISTS (SELECT FROM memberships AS m WHERE m.kind = '", kind,
                  "' AND m.group_id = ", Bind(group), " AND m.position = e.position OFFSET 0)");
  }

  void AddTypeFilter() {
    if (plan_.types_) {
      Where(StrCat("e.event_type = ANY(", Bind(*plan_.types_), ")"));
      return;
    }
    Where(StrCat("e.event_type ~ ", Bind(RegexOf(plan_.filter_.types))));
  }

  const EventSql& plan_;
  const Slice& slice_;
  std::string lateral_;
  std::string from_;
  std::string where_;
  std::string order_;
  pg::Params params_;
};

EventSql::EventSql(const EventFilter& filter, std::optional<std::vector<std::string>> types,
                   bool descending, bool few_in_time)
    : filter_(filter), types_(std::move(types)), descending_(descending) {
  if (filter.correlation) {
    way_ = Way::kCorrelation;
  } else if (filter.workflow) {
    way_ = Way::kWorkflow;
  } else if (filter.session) {
    way_ = Way::kSession;
  } else if (filter.collaboration) {
    way_ = Way::kCollaboration;
  } else if (!filter.agent.empty()) {
    way_ = Way::kAgent;
  } else if (!filter.types.empty() && types_) {
    way_ = Way::kTypes;
  } else if ((filter.start || filter.end) && few_in_time) {
    way_ = Way::kTime;
  } else {
    way_ = Way::kPosition;
  }
}

bool EventSql::spans_months() const {
  return way_ == Way::kCorrelation || way_ == Way::kWorkflow || way_ == Way::kCollaboration;
}

Sql EventSql::Page(const Slice& slice, int limit, std::int64_t offset,
                   std::int64_t most_bytes) const {
  Builder builder(*this, slice);
  builder.AddWay();
  builder.AddResidual();
  // With several places to read from, each gives its first rows, and the first of those are taken.
  const std::string most = builder.Bind(std::int64_t{limit});
  std::string page =
      StrCat(builder.Select("e.*"), " ORDER BY ", builder.order(), " LIMIT ",
             builder.lateral() && offset > 0 ? builder.Bind(std::int64_t{limit} + offset) : most);
  if (builder.lateral()) {
    page = StrCat(builder.WrapLateral(page), " ORDER BY e.position", builder.direction(), " LIMIT ",
                  most);
  }
  if (offset > 0) StrAppend(&page, " OFFSET ", builder.Bind(offset));
  std::string text =
      StrCat("SELECT " GOD33_EVENT_COLUMNS
             ", e.page_rows FROM (SELECT page.*, count(*) OVER () AS page_rows, ",
             "sum(pg_column_size(page.payload)) OVER (ORDER BY page.position", builder.direction(),
             " ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before FROM (", page,
             ") AS page) AS e WHERE coalesce(e.before, 0) < ", builder.Bind(most_bytes),
             " ORDER BY e.position", builder.direction());
  return std::move(builder).Finish(std::move(text));
}

Sql EventSql::Count(std::int64_t most, std::int64_t horizon) const {
  const Slice all{.after = descending_ ? std::numeric_limits<std::int64_t>::max() : horizon - 1,
                  .horizon = horizon};
  Builder builder(*this, all);
  builder.AddWay();
  builder.AddResidual();
  const std::string limit = builder.Bind(most);
  std::string text =
      StrCat("SELECT count(*) FROM (",
             builder.WrapLateral(builder.Select(builder.lateral() ? "e.position" : "1")), " LIMIT ",
             limit, ") AS counted");
  return std::move(builder).Finish(std::move(text));
}

}  // namespace god33::api
