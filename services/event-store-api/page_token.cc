#include "services/event-store-api/page_token.h"

#include <charconv>
#include <optional>
#include <string_view>
#include <vector>

#include "absl/strings/escaping.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"

namespace god33::api {
namespace {

constexpr std::size_t kMostLength = 400;

absl::Status Invalid() {
  return InvalidField("page_token", "expected the next_page_token of an earlier answer");
}

std::string Encode(std::string_view text) {
  return absl::WebSafeBase64Escape(ToAbsl(text));
}

// The fields of a token, which are joined by '|'.
std::optional<std::vector<std::string>> Decode(const std::string& text, std::size_t count) {
  std::string decoded;
  if (text.size() > kMostLength || !absl::WebSafeBase64Unescape(text, &decoded))
    return std::nullopt;
  std::vector<std::string> fields(1);
  for (const char c : decoded) {
    if (c == '|') {
      fields.emplace_back();
    } else {
      fields.back().push_back(c);
    }
  }
  if (fields.size() != count) return std::nullopt;
  return fields;
}

std::optional<std::int64_t> Number(std::string_view text) {
  std::int64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || rest != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

std::string EncodePageToken(const PageToken& token) {
  return Encode(StrCat("e1|", token.log_id.ToString(), "|", token.fingerprint, "|",
                       token.descending ? "d" : "a", "|", token.position, "|", token.total, "|",
                       token.total_exact ? "x" : "l"));
}

absl::StatusOr<PageToken> DecodePageToken(const std::string& text) {
  const auto fields = Decode(text, 7);
  if (!fields || (*fields)[0] != "e1") return Invalid();
  const auto log_id = Uuid::Parse((*fields)[1]);
  const auto position = Number((*fields)[4]);
  const auto total = Number((*fields)[5]);
  const std::string& order = (*fields)[3];
  const std::string& exact = (*fields)[6];
  if (!log_id || !position || *position < 0 || !total || *total < 0) return Invalid();
  if ((order != "a" && order != "d") || (exact != "x" && exact != "l")) return Invalid();
  return PageToken{.log_id = *log_id,
                   .fingerprint = (*fields)[2],
                   .descending = order == "d",
                   .position = *position,
                   .total = *total,
                   .total_exact = exact == "x"};
}

std::string EncodeTimeToken(const TimeToken& token) {
  return Encode(StrCat("t1|", token.fingerprint, "|", token.unix_micros, "|", token.id.ToString()));
}

absl::StatusOr<TimeToken> DecodeTimeToken(const std::string& text) {
  const auto fields = Decode(text, 4);
  if (!fields || (*fields)[0] != "t1") return Invalid();
  const auto micros = Number((*fields)[2]);
  const auto id = Uuid::Parse((*fields)[3]);
  if (!micros || !id || !InTimestampRange(absl::FromUnixMicros(*micros))) return Invalid();
  return TimeToken{.fingerprint = (*fields)[1], .unix_micros = *micros, .id = *id};
}

std::string EncodeCausationToken(const CausationToken& token) {
  return Encode(StrCat("c1|", token.log_id.ToString(), "|", token.fingerprint, "|", token.head, "|",
                       token.depth, "|", token.position));
}

absl::StatusOr<CausationToken> DecodeCausationToken(const std::string& text) {
  const auto fields = Decode(text, 6);
  if (!fields || (*fields)[0] != "c1") return Invalid();
  const auto log_id = Uuid::Parse((*fields)[1]);
  const auto head = Number((*fields)[3]);
  const auto depth = Number((*fields)[4]);
  const auto position = Number((*fields)[5]);
  if (!log_id || !head || *head < 0 || !depth || *depth < 0 || !position || *position < 0) {
    return Invalid();
  }
  return CausationToken{.log_id = *log_id,
                        .fingerprint = (*fields)[2],
                        .head = *head,
                        .depth = *depth,
                        .position = *position};
}

}  // namespace god33::api
