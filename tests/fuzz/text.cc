#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "base/uuid.h"
#include "event/event_type.h"
#include "fuzz/fuzz.h"
#include "services/event-store-api/page_token.h"
#include "services/gateway/call_metadata.h"
#include "services/gateway/representation.h"
#include "testing/fake_ids.h"
#include "tools/god33/time_spec.h"
#include "transcode/known_types.h"

// Short texts of clients: times, spans, ids, type patterns, page tokens, headers. Input: a character that
// says which, then the text. What is read can be written, and is read from there as the same.

namespace god33 {
namespace {

using fuzz::Check;

void CheckTime(std::string_view text) {
  const auto time = ParseTimestamp(text);
  if (!time.ok()) return;
  const std::string written = FormatTimestamp(*time);
  const auto again = ParseTimestamp(written);
  Check(again.ok() && *again == *time, "a time comes back", written);
}

void CheckSpans(std::string_view text) {
  const absl::Time now = absl::FromUnixSeconds(1769508000);
  const auto span = cli::ParseSpan(text);
  Check(!span.ok() || *span >= absl::ZeroDuration(), "a span is not below 0", text);
  const auto moment = cli::ParseMoment(text, now);
  Check(!moment.ok() || InTimestampRange(*moment), "a moment can be written", text);
  if (span.ok() && moment.ok()) Check(now - *moment == *span, "a span leads back", text);
  const auto timeout = cli::ParseTimeout(text);
  Check(!timeout.ok() || (*timeout > absl::ZeroDuration() && *timeout <= absl::Hours(1)),
        "a timeout has its bounds", text);
}

void CheckDuration(std::string_view text) {
  const auto parts = transcode::ParseDuration(text);
  if (!parts) return;
  const std::string written = transcode::FormatDuration(*parts);
  const auto again = transcode::ParseDuration(written);
  Check(again && again->seconds == parts->seconds && again->nanos == parts->nanos,
        "a duration comes back", written);
}

void CheckId(std::string_view text) {
  const auto id = Uuid::Parse(text);
  Check(!id || Uuid::Parse(id->ToString()) == id, "an id comes back", text);
}

// Input: a pattern, a blank, a type. The type matches if it does when compared in a slow and simple way.
bool MatchesWords(std::string_view pattern, std::string_view type) {
  if (pattern == "*") return !type.empty();
  if (pattern.empty() || type.empty()) return pattern.empty() && type.empty();
  const std::string_view expected = fuzz::Take(pattern, '.');
  const std::string_view word = fuzz::Take(type, '.');
  return (expected == "*" || expected == word) && MatchesWords(pattern, type);
}

void CheckPattern(std::string_view text) {
  const std::string_view pattern_text = fuzz::Take(text, ' ');
  const auto pattern = event::TypePattern::Parse(pattern_text);
  if (!pattern.ok() || !event::CheckEventType(text).ok()) return;
  Check(pattern->Matches(text) == MatchesWords(pattern_text, text), "a pattern matches by words",
        pattern_text);
}

constexpr std::size_t kLongToken = 380;

// Input: a token, or what stands in one.
template <typename Token>
void CheckToken(std::string_view text, absl::StatusOr<Token> (*decode)(const std::string&),
                std::string (*encode)(const Token&)) {
  const std::string forms[] = {std::string(text), absl::WebSafeBase64Escape(ToAbsl(text))};
  for (const std::string& form : forms) {
    const auto token = decode(form);
    // One that was made up may be as long as a token can be, and a little longer when written again.
    if (!token.ok() || form.size() > kLongToken) continue;
    const auto again = decode(encode(*token));
    Check(again.ok() && encode(*again) == encode(*token), "a token comes back", form);
  }
}

void CheckTimeToken(std::string_view text) {
  CheckToken(text, &api::DecodeTimeToken, &api::EncodeTimeToken);
  const auto token = api::DecodeTimeToken(absl::WebSafeBase64Escape(ToAbsl(text)));
  Check(!token.ok() || InTimestampRange(absl::FromUnixMicros(token->unix_micros)),
        "a token's time is one that an event can have", text);
}

bool IsVisible(std::string_view text) {
  for (const char c : text) {
    if (c < ' ' || c > '~') return false;
  }
  return true;
}

// Input: the header's name in one line, then its value.
void CheckHeader(std::string_view text) {
  testing::FakeIds ids;
  http::Request request{.method = "GET"};
  const std::string_view name = fuzz::Take(text, '\n');
  request.headers.emplace_back(name, text);
  const std::string id = gateway::RequestId(request.headers, ids);
  Check(!id.empty() && id.size() <= 128 && IsVisible(id), "a request's id is short", id);
  for (const auto& [key, value] : gateway::CallMetadata({}, id, request.headers)) {
    Check(IsVisible(value), "gRPC takes the metadata", value);
  }
  http::Response response{.body = std::string(2000, 'x')};
  gateway::Tag(request, response);
  Check(response.status == 200 || (response.status == 304 && response.body.empty()),
        "an answer is whole or not sent");
  gateway::Compress(request, response);
  Check(http::Find(response.headers, "Content-Encoding").empty() ||
            absl::StrContains(absl::AsciiStrToLower(ToAbsl(text)), "gzip") ||
            absl::StrContains(ToAbsl(text), "*"),
        "gzip is for those who ask", text);
}

void Run(char kind, std::string_view text) {
  switch (kind) {
    case 't':
      return CheckTime(text);
    case 's':
      return CheckSpans(text);
    case 'd':
      return CheckDuration(text);
    case 'i':
      return CheckId(text);
    case 'e':
      return CheckPattern(text);
    case 'p':
      return CheckToken(text, &api::DecodePageToken, &api::EncodePageToken);
    case 'c':
      return CheckToken(text, &api::DecodeCausationToken, &api::EncodeCausationToken);
    case 'm':
      return CheckTimeToken(text);
    case 'h':
      return CheckHeader(text);
    default:
      return;
  }
}

}  // namespace
}  // namespace god33

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) god33::Run(static_cast<char>(data[0]), god33::fuzz::Text(data, size).substr(1));
  return 0;
}
