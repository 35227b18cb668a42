#include "services/letta-bridge/fields.h"

#include <charconv>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_split.h"
#include "base/error.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "json/value.h"

namespace god33::letta {
namespace {

constexpr int kDefaultLimit = 100;
constexpr int kMostLimit = 1000;
constexpr std::size_t kMostToken = 200;

std::string Short(std::string_view fingerprint) {
  return Sha256Hex(fingerprint).substr(0, 16);
}

std::optional<std::int64_t> Number(std::string_view text) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, number);
  if (error != std::errc() || rest != end) return std::nullopt;
  return number;
}

}  // namespace

absl::Status FirstError(std::initializer_list<absl::Status> statuses) {
  for (const absl::Status& status : statuses) {
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::StatusOr<Uuid> ReadId(std::string_view field, const std::string& text) {
  if (const auto id = Uuid::Parse(text)) return *id;
  return InvalidField(field, text.empty()
                                 ? "expected a UUID, got none"
                                 : StrCat("expected a UUID, got \"", Clip(text, 80), "\""));
}

absl::StatusOr<std::optional<Uuid>> ReadIdOrNone(std::string_view field, const std::string& text) {
  if (text.empty()) return std::nullopt;
  const auto id = ReadId(field, text);
  if (!id.ok()) return id.status();
  return *id;
}

absl::Status CheckText(std::string_view field, const std::string& text, std::size_t least,
                       std::size_t most) {
  if (text.size() >= least && text.size() <= most && text.find('\0') == std::string::npos) {
    return absl::OkStatus();
  }
  return InvalidField(
      field, StrCat("expected ", least, " to ", most, " bytes without NUL, got ", text.size()));
}

absl::StatusOr<std::string> ReadObject(std::string_view field, const std::string& text,
                                       std::size_t most) {
  if (text.empty()) return std::string();
  if (text.size() > most) {
    return InvalidField(field, StrCat("expected at most ", most, " bytes, got ", text.size()));
  }
  const auto value = json::Value::Parse(text);
  if (!value.ok()) return InvalidField(field, MessageOf(value.status()));
  if (value->is_object()) return std::string(value->text());
  return InvalidField(field, StrCat("expected an object, got ", json::Describe(value->kind())));
}

absl::StatusOr<int> ReadLimit(bool given, int limit) {
  if (!given) return kDefaultLimit;
  if (limit >= 1 && limit <= kMostLimit) return limit;
  return InvalidField("limit", StrCat("expected 1 to ", kMostLimit, ", got ", limit));
}

std::string WritePageToken(std::string_view fingerprint, const PageToken& token) {
  return absl::WebSafeBase64Escape(
      StrCat("b1|", Short(fingerprint), "|", token.number, "|", token.id.ToString()));
}

absl::StatusOr<std::optional<PageToken>> ReadPageToken(std::string_view fingerprint,
                                                       const std::string& text) {
  if (text.empty()) return std::nullopt;
  std::string decoded;
  std::vector<std::string> parts;
  if (text.size() <= kMostToken && absl::WebSafeBase64Unescape(text, &decoded)) {
    parts = absl::StrSplit(decoded, '|');
  }
  const auto number = parts.size() == 4 ? Number(parts[2]) : std::nullopt;
  const auto id = parts.size() == 4 ? Uuid::Parse(parts[3]) : std::nullopt;
  if (parts.empty() || parts[0] != "b1" || !number || !id) {
    return InvalidField("page_token", "expected the next_page_token of an earlier answer");
  }
  if (parts[1] != Short(fingerprint)) {
    return InvalidField("page_token", "it belongs to other filters; pass the same");
  }
  return PageToken{.number = *number, .id = *id};
}

}  // namespace god33::letta
