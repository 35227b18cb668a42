#include <algorithm>
#include <cstring>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "http/request_reader.h"

// The bytes of one connection's requests. Input: a byte that says how many come at once (0: all), then
// what the client sends. In whatever pieces they come, the same requests are read from them, and refused
// for the same reason.

namespace god33::http {
namespace {

using fuzz::Check;

constexpr std::size_t kMaxHeader = 1000;  // little, so that inputs can reach the limits
constexpr std::size_t kMaxBody = 2000;

struct Outcome {
  std::vector<Incoming> requests;
  int refused = 0;
};

// False when nothing more can be read.
bool Advance(RequestReader& reader, Outcome& outcome) {
  for (;;) {
    switch (reader.Advance()) {
      case RequestReader::Progress::kComplete:
        outcome.requests.push_back(reader.Take());
        break;
      case RequestReader::Progress::kContinue:
        reader.AwaitBody();
        break;
      case RequestReader::Progress::kRefused:
        outcome.refused = reader.refused_status();
        Check(outcome.refused >= 400 && outcome.refused < 500, "a refusal is the client's fault");
        Check(!reader.refused_detail().empty(), "a refusal says why");
        return false;
      default:
        return true;
    }
  }
}

Outcome Read(std::string_view bytes, std::size_t piece) {
  RequestReader reader(kMaxHeader, kMaxBody);
  Outcome outcome;
  while (!bytes.empty()) {
    const auto [to, space] = reader.Prepare();
    const std::size_t count = std::min({piece, space, bytes.size()});
    std::memcpy(to, bytes.data(), count);
    reader.Commit(count);
    bytes.remove_prefix(count);
    if (!Advance(reader, outcome)) break;
  }
  return outcome;
}

void CheckRequest(const Request& request) {
  Check(!request.method.empty(), "a request has a method");
  Check(!request.path.empty() && request.path.find('?') == std::string::npos, "a path has no query",
        request.path);
  Check(request.body.size() <= kMaxBody, "a body has its limit");
  for (const auto& [name, value] : request.headers) {
    Check(!name.empty() && value.find_first_of("\r\n") == std::string::npos, "a header is one line",
          value);
  }
}

bool IsSame(const Incoming& a, const Incoming& b) {
  return a.http10 == b.http10 && a.keep_alive == b.keep_alive &&
         a.request.method == b.request.method && a.request.path == b.request.path &&
         a.request.query == b.request.query && a.request.headers == b.request.headers &&
         a.request.body == b.request.body;
}

// Whether the bytes may be refused in one way of coming and not in another: what is unfinished is limited
// when it comes in pieces, and an expectation counts only before the body.
bool DependsOnPieces(const Outcome& outcome) {
  return outcome.refused == 431 || outcome.refused == 417;
}

}  // namespace
}  // namespace god33::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace god33::http;
  if (size == 0) return 0;
  const std::string_view bytes = god33::fuzz::Text(data, size).substr(1);
  const Outcome whole = Read(bytes, bytes.size());
  for (const Incoming& incoming : whole.requests) CheckRequest(incoming.request);
  if (data[0] == 0) return 0;
  Outcome pieces = Read(bytes, data[0]);
  // The start of what must be a chunk's header is looked at as soon as the last chunk would fit in it.
  if (whole.refused != 0 && pieces.refused == 0) {
    pieces = Read(std::string(bytes) + "?????", data[0]);
  }
  if (DependsOnPieces(whole) || DependsOnPieces(pieces)) return 0;
  Check(whole.refused == pieces.refused, "pieces are refused as the whole is");
  Check(std::equal(whole.requests.begin(), whole.requests.end(), pieces.requests.begin(),
                   pieces.requests.end(), IsSame),
        "the same requests are in the pieces");
  return 0;
}
