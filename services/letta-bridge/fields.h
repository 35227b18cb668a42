#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/uuid.h"

// Fields of requests, checked. Errors are INVALID_ARGUMENT and name the field.

namespace god33::letta {

// The first one that is no OK.
absl::Status FirstError(std::initializer_list<absl::Status> statuses);

absl::StatusOr<Uuid> ReadId(std::string_view field, const std::string& text);

// Empty: nullopt.
absl::StatusOr<std::optional<Uuid>> ReadIdOrNone(std::string_view field, const std::string& text);

// `least` to `most` bytes, without NUL, which PostgreSQL can't hold.
absl::Status CheckText(std::string_view field, const std::string& text, std::size_t least,
                       std::size_t most);

// The text of a JSON object of at most `most` bytes; empty stays empty.
absl::StatusOr<std::string> ReadObject(std::string_view field, const std::string& text,
                                       std::size_t most);

// Of a list: 1 to 1,000; 100 if it is absent.
absl::StatusOr<int> ReadLimit(bool given, int limit);

// Where the next page of a list begins; opaque to clients. `fingerprint` ties it to the filters of its list.
struct PageToken {
  std::int64_t number = 0;
  Uuid id;
};
std::string WritePageToken(std::string_view fingerprint, const PageToken& token);

// Empty: nullopt, the first page. An error if it is none, or belongs to other filters.
absl::StatusOr<std::optional<PageToken>> ReadPageToken(std::string_view fingerprint,
                                                       const std::string& text);

}  // namespace god33::letta
