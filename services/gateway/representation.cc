#include "services/gateway/representation.h"

#include <zlib.h>

#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "base/sha256.h"
#include "base/strings.h"

namespace god33::gateway {
namespace {

// Shorter ones fit in one packet anyway.
constexpr std::size_t kLeastCompressed = 1400;

constexpr std::size_t kTagDigits = 32;

constexpr int kGzip = 15 + 16;  // zlib: the largest window, gzip's format
constexpr int kMemory = 8;      // zlib's default

// Whether a list such as `W/"a", "b"` has the tag; weak comparison, so W/ does not count.
bool Contains(std::string_view list, absl::string_view tag) {
  for (absl::string_view entry : absl::StrSplit(ToAbsl(list), ',')) {
    entry = absl::StripAsciiWhitespace(entry);
    if (entry == "*") return true;
    if (absl::StartsWith(entry, "W/")) entry.remove_prefix(2);
    if (entry == tag) return true;
  }
  return false;
}

bool AcceptsGzip(std::string_view header) {
  std::optional<bool> named;
  bool any = false;
  for (const absl::string_view entry : absl::StrSplit(ToAbsl(header), ',')) {
    const std::pair<absl::string_view, absl::string_view> parts =
        absl::StrSplit(entry, absl::MaxSplits(';', 1));
    absl::string_view weight = absl::StripAsciiWhitespace(parts.second);
    double q = 1;
    if (absl::StartsWithIgnoreCase(weight, "q=") &&
        !absl::SimpleAtod(absl::StripAsciiWhitespace(weight.substr(2)), &q)) {
      q = 0;
    }
    const absl::string_view coding = absl::StripAsciiWhitespace(parts.first);
    if (absl::EqualsIgnoreCase(coding, "gzip")) named = q > 0;
    if (coding == "*") any = q > 0;
  }
  return named.value_or(any);
}

// Nullopt if zlib can't, which is when memory is short.
std::optional<std::string> Gzip(const std::string& text) {
  z_stream stream = {};
  if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, kGzip, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) {
    return std::nullopt;
  }
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int status = deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  if (status != Z_STREAM_END) return std::nullopt;
  return out;
}

}  // namespace

void Tag(const http::Request& request, http::Response& response) {
  if (response.status != 200 || (request.method != "GET" && request.method != "HEAD")) return;
  const std::string tag = StrCat("\"", Sha256Hex(response.body).substr(0, kTagDigits), "\"");
  // Weak: the same content may travel compressed or not.
  response.headers.emplace_back("ETag", StrCat("W/", tag));
  response.headers.emplace_back("Cache-Control", "no-cache");
  if (Contains(http::Find(request.headers, "If-None-Match"), tag)) {
    response.status = 304;
    response.body.clear();
  }
}

void Compress(const http::Request& request, http::Response& response) {
  if (response.body.size() < kLeastCompressed) return;
  response.headers.emplace_back("Vary", "Accept-Encoding");
  if (!AcceptsGzip(http::Find(request.headers, "Accept-Encoding"))) return;
  auto compressed = Gzip(response.body);
  if (!compressed) return;
  response.body = *std::move(compressed);
  response.headers.emplace_back("Content-Encoding", "gzip");
}

}  // namespace god33::gateway
