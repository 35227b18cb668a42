#include "services/event-store-manager/dead_letter_query.h"

#include <charconv>
#include <string_view>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "json/check.h"
#include "json/text.h"
#include "wire/timestamp.h"

namespace god33::manager {
namespace {

namespace v1 = store::v1;

constexpr std::size_t kMostText = 1000;
constexpr std::size_t kMostToken = 400;
constexpr int kMostListed = 1000;
constexpr int kMostAtOnce = 100'000;
constexpr int kMostRate = 10'000;

// A filter that is given must hold something: an empty one never means "all".
absl::StatusOr<std::string> ReadText(const std::string& field, bool given,
                                     const std::string& text) {
  if (!given) return std::string();
  if (text.empty() || text.size() > kMostText || text.find('\0') != std::string::npos ||
      json::ValidPrefix(text) != text.size()) {
    return InvalidField(field, StrCat("expected 1 to ", kMostText, " bytes of text"));
  }
  return text;
}

absl::StatusOr<std::vector<std::string>> ReadStates(const std::string& field,
                                                    const std::string& state) {
  if (state.empty() || state == "open") return std::vector<std::string>{"open"};
  if (state == "sent_back" || state == "dropped") return std::vector<std::string>{state};
  if (state == "all") return std::vector<std::string>{"open", "sent_back", "dropped"};
  return InvalidField(
      field, StrCat("expected open, sent_back, dropped or all, got \"", Clip(state, 40), "\""));
}

// `request` has the fields of DeadLetterFilter; `path` stands before their names in errors.
template <typename Request>
absl::StatusOr<DeadLetterFilter> ReadFilter(const Request& request, const std::string& path) {
  DeadLetterFilter filter;
  auto reason = ReadText(StrCat(path, "reason"), request.has_reason(), request.reason());
  if (!reason.ok()) return reason.status();
  filter.reason = *std::move(reason);
  auto key =
      ReadText(StrCat(path, "routing_key"), request.has_routing_key(), request.routing_key());
  if (!key.ok()) return key.status();
  filter.routing_key = *std::move(key);
  if (request.has_event_type()) {
    auto pattern = event::TypePattern::Parse(request.event_type());
    if (!pattern.ok()) return InvalidField(StrCat(path, "event_type"), MessageOf(pattern.status()));
    filter.type = *std::move(pattern);
  }
  if (request.has_since()) {
    const auto since = wire::ReadTimeBound(StrCat(path, "since"), request.since());
    if (!since.ok()) return since.status();
    filter.since = *since;
  }
  if (request.has_until()) {
    const auto until = wire::ReadTimeBound(StrCat(path, "until"), request.until());
    if (!until.ok()) return until.status();
    filter.until = *until;
  }
  auto states = ReadStates(StrCat(path, "state"), request.state());
  if (!states.ok()) return states.status();
  filter.states = *std::move(states);
  return filter;
}

// Of a field that may be absent.
absl::StatusOr<int> ReadNumber(const char* field, bool given, int number, int most, int otherwise) {
  if (!given) return otherwise;
  if (number >= 1 && number <= most) return number;
  return InvalidField(field, StrCat("expected 1 to ", most, ", got ", number));
}

template <typename Request>
absl::StatusOr<DeadLetterBulk> ReadAny(const Request& request) {
  DeadLetterBulk bulk;
  auto filter = ReadFilter(request.filter(), "filter.");
  if (!filter.ok()) return filter.status();
  bulk.filter = *std::move(filter);
  if (bulk.filter.states != std::vector<std::string>{"open"}) {
    return InvalidField("filter.state", "expected open or nothing: others are done one by one");
  }
  const auto limit =
      ReadNumber("limit", request.has_limit(), request.limit(), kMostAtOnce, bulk.limit);
  if (!limit.ok()) return limit.status();
  bulk.limit = *limit;
  return bulk;
}

absl::Status InvalidToken() {
  return InvalidField("page_token", "expected the next_page_token of an earlier answer");
}

std::optional<std::int64_t> Number(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

}  // namespace

std::string DeadLetterFilter::Fingerprint() const {
  std::string text;
  const auto add = [&text](std::string_view part) { StrAppend(&text, part.size(), ":", part); };
  const auto time = [&add](const std::optional<absl::Time>& value) {
    add(value ? StrCat(absl::ToUnixMicros(*value)) : "-");
  };
  add(reason);
  add(type ? type->text() : "");
  add(routing_key);
  time(since);
  time(until);
  for (const std::string& state : states) add(state);
  return Sha256Hex(text).substr(0, 16);
}

std::string EncodeToken(const DeadLetterToken& token) {
  return absl::WebSafeBase64Escape(StrCat("d1|", token.fingerprint, "|", token.unix_micros, "|",
                                          token.id, "|", token.total, "|",
                                          token.total_exact ? "x" : "l"));
}

absl::StatusOr<DeadLetterToken> DecodeToken(const std::string& text) {
  std::string decoded;
  if (text.size() > kMostToken || !absl::WebSafeBase64Unescape(text, &decoded)) {
    return InvalidToken();
  }
  const std::vector<std::string> fields = absl::StrSplit(decoded, '|');
  if (fields.size() != 6 || fields[0] != "d1") return InvalidToken();
  const auto micros = Number(fields[2]);
  const auto id = Number(fields[3]);
  const auto total = Number(fields[4]);
  if (!micros || *micros < 0 || !InTimestampRange(absl::FromUnixMicros(*micros)) || !id ||
      *id < 0 || !total || *total < 0 || (fields[5] != "x" && fields[5] != "l")) {
    return InvalidToken();
  }
  return DeadLetterToken{.fingerprint = fields[1],
                         .unix_micros = *micros,
                         .id = *id,
                         .total = *total,
                         .total_exact = fields[5] == "x"};
}

absl::StatusOr<DeadLetterQuery> ReadQuery(const v1::ListDeadLettersRequest& request) {
  DeadLetterQuery query;
  auto filter = ReadFilter(request, "");
  if (!filter.ok()) return filter.status();
  query.filter = *std::move(filter);
  const auto limit =
      ReadNumber("limit", request.has_limit(), request.limit(), kMostListed, query.limit);
  if (!limit.ok()) return limit.status();
  query.limit = *limit;
  if (request.page_token().empty()) return query;
  auto token = DecodeToken(request.page_token());
  if (!token.ok()) return token.status();
  if (token->fingerprint != query.filter.Fingerprint()) {
    return InvalidField("page_token", "it belongs to other filters; pass the same");
  }
  query.after = *std::move(token);
  return query;
}

absl::StatusOr<DeadLetterBulk> ReadBulk(const v1::SendBackDeadLettersRequest& request) {
  auto bulk = ReadAny(request);
  if (!bulk.ok()) return bulk;
  const auto rate = ReadNumber("rate", request.has_rate(), request.rate(), kMostRate, bulk->rate);
  if (!rate.ok()) return rate.status();
  bulk->rate = *rate;
  return bulk;
}

absl::StatusOr<DeadLetterBulk> ReadBulk(const v1::DropDeadLettersRequest& request) {
  return ReadAny(request);
}

absl::Status CheckEdit(const v1::SendBackDeadLetterRequest& request) {
  if (request.has_edited() && request.has_edited_bytes()) {
    return InvalidField("edited_bytes", "expected edited or edited_bytes, not both");
  }
  if (request.has_edited_bytes() && request.edited_bytes().empty()) {
    return InvalidField("edited_bytes", "expected at least one byte");
  }
  if (!request.has_edited()) return absl::OkStatus();
  const absl::Status status = json::Check(request.edited().text());
  return status.ok() ? status : InvalidField("edited", MessageOf(status));
}

}  // namespace god33::manager
