#include "http/response_head.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/time/time.h"
#include "base/strings.h"
#include "http/status.h"

namespace god33::http {
namespace {

bool SetByServer(std::string_view name) {
  for (const std::string_view own : {"Content-Length", "Connection", "Date", "Transfer-Encoding"}) {
    if (absl::EqualsIgnoreCase(ToAbsl(name), ToAbsl(own))) return true;
  }
  return false;
}

void AppendText(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(byte < 0x20 || byte == 0x7f ? ' ' : c);
  }
}

}  // namespace

bool MayHaveBody(int status) {
  return status >= 200 && status != 204 && status != 304;
}

std::string ResponseHead(const Response& response, const Framing& framing) {
  std::string head;
  head.reserve(256);
  StrAppend(&head, "HTTP/1.1 ", response.status, " ", ReasonPhrase(response.status), "\r\nDate: ",
            absl::FormatTime("%a, %d %b %Y %H:%M:%S GMT", framing.date, absl::UTCTimeZone()),
            "\r\n");
  for (const auto& [name, value] : response.headers) {
    if (SetByServer(name)) continue;
    AppendText(head, name);
    head.append(": ");
    AppendText(head, value);
    head.append("\r\n");
  }
  if (framing.chunked) {
    head.append("Transfer-Encoding: chunked\r\n");
  } else if (!framing.streamed && MayHaveBody(response.status)) {
    StrAppend(&head, "Content-Length: ", response.body.size(), "\r\n");
  }
  // Upgrade is valid between two neighbours only, which Connection must say (RFC 9110, section 7.8).
  if (!Find(response.headers, "Upgrade").empty()) {
    StrAppend(&head, "Connection: upgrade", framing.close ? ", close" : "", "\r\n");
  } else if (framing.close) {
    head.append("Connection: close\r\n");
  } else if (framing.http10) {
    head.append("Connection: keep-alive\r\n");
  }
  head.append("\r\n");
  return head;
}

}  // namespace god33::http
