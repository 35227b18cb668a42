#include "transcode/known_types.h"

#include <algorithm>
#include <charconv>

#include "absl/strings/str_format.h"

namespace god33::transcode {
namespace {

using google::protobuf::Descriptor;
using google::protobuf::FieldDescriptor;

constexpr std::int64_t kMostSeconds = 315'576'000'000;

// Also right for the least number, which has no positive counterpart.
std::uint64_t Magnitude(std::int64_t number) {
  const auto bits = static_cast<std::uint64_t>(number);
  return number < 0 ? 0 - bits : bits;
}

}  // namespace

Known KnownType(const Descriptor& type) {
  switch (type.well_known_type()) {
    case Descriptor::WELLKNOWNTYPE_TIMESTAMP:
      return Known::kTimestamp;
    case Descriptor::WELLKNOWNTYPE_DURATION:
      return Known::kDuration;
    case Descriptor::WELLKNOWNTYPE_DOUBLEVALUE:
    case Descriptor::WELLKNOWNTYPE_FLOATVALUE:
    case Descriptor::WELLKNOWNTYPE_INT64VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT64VALUE:
    case Descriptor::WELLKNOWNTYPE_INT32VALUE:
    case Descriptor::WELLKNOWNTYPE_UINT32VALUE:
    case Descriptor::WELLKNOWNTYPE_STRINGVALUE:
    case Descriptor::WELLKNOWNTYPE_BYTESVALUE:
    case Descriptor::WELLKNOWNTYPE_BOOLVALUE:
      return Known::kWrapper;
    default:
      return type.full_name() == "god33.event.v1.Json" ? Known::kJson : Known::kNone;
  }
}

bool IsSingleValue(const FieldDescriptor& field) {
  if (field.cpp_type() != FieldDescriptor::CPPTYPE_MESSAGE) return true;
  const Known known = KnownType(*field.message_type());
  return known != Known::kNone && known != Known::kJson;
}

std::optional<DurationParts> ParseDuration(std::string_view text) {
  if (text.empty() || text.back() != 's') return std::nullopt;
  text.remove_suffix(1);
  const bool negative = !text.empty() && text[0] == '-';
  if (negative) text.remove_prefix(1);
  const std::string_view whole = text.substr(0, text.find('.'));
  std::string fraction(text.substr(std::min(whole.size() + 1, text.size())));
  if (whole.size() != text.size() && (fraction.empty() || fraction.size() > 9)) return std::nullopt;
  fraction.resize(9, '0');
  std::uint64_t seconds = 0;
  std::uint32_t nanos = 0;
  const auto [rest, error] = std::from_chars(whole.data(), whole.data() + whole.size(), seconds);
  const char* fraction_end = fraction.data() + fraction.size();
  const auto [fraction_rest, fraction_error] =
      std::from_chars(fraction.data(), fraction_end, nanos);
  if (error != std::errc() || rest != whole.data() + whole.size() || seconds > kMostSeconds ||
      fraction_error != std::errc() || fraction_rest != fraction_end) {
    return std::nullopt;
  }
  const int sign = negative ? -1 : 1;
  return DurationParts{.seconds = sign * static_cast<std::int64_t>(seconds),
                       .nanos = sign * static_cast<std::int32_t>(nanos)};
}

std::string FormatDuration(DurationParts parts) {
  const bool negative = parts.seconds < 0 || parts.nanos < 0;
  const std::uint64_t nanos = Magnitude(parts.nanos) % 1'000'000'000;
  std::string text = absl::StrFormat("%s%u", negative ? "-" : "", Magnitude(parts.seconds));
  if (nanos % 1000 != 0) {
    absl::StrAppendFormat(&text, ".%09u", nanos);
  } else if (nanos % 1'000'000 != 0) {
    absl::StrAppendFormat(&text, ".%06u", nanos / 1000);
  } else if (nanos != 0) {
    absl::StrAppendFormat(&text, ".%03u", nanos / 1'000'000);
  }
  text.push_back('s');
  return text;
}

}  // namespace god33::transcode
