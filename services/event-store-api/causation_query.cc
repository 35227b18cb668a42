#include "services/event-store-api/causation_query.h"

#include "base/error.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "services/event-store-api/query.h"

namespace god33::api {
namespace {

constexpr int kMostDepth = 10'000;
constexpr int kMostNodes = 10'000;

absl::Status ReadFormat(const std::string& text, CausationQuery& query) {
  const bool tree = query.direction == Direction::kDescendants;
  if (text.empty() || text == "flat") {
    query.format = CausationFormat::kFlat;
  } else if (text == "graph") {
    query.format = CausationFormat::kGraph;
  } else if (text == "tree" && tree) {
    query.format = CausationFormat::kTree;
  } else {
    return InvalidField("format", StrCat("expected ", tree ? "flat, tree" : "flat",
                                         " or graph, got \"", Clip(text, 40), "\""));
  }
  return absl::OkStatus();
}

int MostOf(CausationFormat format) {
  return format == CausationFormat::kGraph ? kMostNodes : kMostLimit;
}

// Both requests have the same fields.
template <typename Request>
absl::StatusOr<CausationQuery> Read(const Request& request, Direction direction) {
  CausationQuery query{.direction = direction};
  const auto id = ReadId("event_id", request.event_id());
  if (!id.ok()) return id.status();
  query.event_id = *id;
  if (absl::Status status = ReadFormat(request.format(), query); !status.ok()) return status;
  if (request.has_max_depth()) {
    if (request.max_depth() < 1 || request.max_depth() > kMostDepth) {
      return InvalidField("max_depth",
                          StrCat("expected 1 to ", kMostDepth, ", got ", request.max_depth()));
    }
    query.max_depth = request.max_depth();
  }
  const int most = MostOf(query.format);
  query.limit = query.format == CausationFormat::kFlat ? kDefaultLimit : most;
  if (request.has_limit()) {
    if (request.limit() < 1 || request.limit() > most) {
      return InvalidField("limit", StrCat("expected 1 to ", most, ", got ", request.limit()));
    }
    query.limit = request.limit();
  }
  if (!request.page_token().empty() && query.format != CausationFormat::kFlat) {
    return InvalidField("page_token", "only the format flat has pages");
  }
  query.page_token = request.page_token();
  if (request.min_position() < 0) return InvalidField("min_position", "expected 0 or more");
  query.min_position = request.min_position();
  return query;
}

}  // namespace

std::string CausationQuery::Fingerprint() const {
  return Sha256Hex(StrCat(event_id.ToString(), direction == Direction::kDescendants ? ";d;" : ";a;",
                          max_depth))
      .substr(0, 16);
}

absl::StatusOr<CausationQuery> ReadQuery(const store::v1::GetDescendantsRequest& request) {
  return Read(request, Direction::kDescendants);
}

absl::StatusOr<CausationQuery> ReadQuery(const store::v1::GetAncestorsRequest& request) {
  return Read(request, Direction::kAncestors);
}

}  // namespace god33::api
