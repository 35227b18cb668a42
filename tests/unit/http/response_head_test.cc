#include "http/response_head.h"

#include <catch2/catch.hpp>

namespace god33::http {
namespace {

const absl::Time kDate =
    absl::FromUnixSeconds(784111777);  // the example of RFC 9110, section 5.6.7

TEST_CASE("a head has status, date, the handler's headers and the body's length") {
  const Response response{.status = 201, .headers = {{"X-A", "b"}}, .body = "12345"};
  CHECK(ResponseHead(response, {.date = kDate}) ==
        "HTTP/1.1 201 Created\r\n"
        "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "X-A: b\r\n"
        "Content-Length: 5\r\n"
        "\r\n");
}

TEST_CASE("the connection's fate is told where the protocol does not imply it") {
  CHECK(ResponseHead({}, {.close = true, .date = kDate}).find("\r\nConnection: close\r\n") !=
        std::string::npos);
  CHECK(ResponseHead({}, {.http10 = true, .date = kDate}).find("\r\nConnection: keep-alive\r\n") !=
        std::string::npos);
}

TEST_CASE("no text can forge a header") {
  const Response response{.headers = {{"X-A", "b\r\nSet-Cookie: c\n\x7f"}, {"X\r\nY", "z"}}};
  const std::string head = ResponseHead(response, {.date = kDate});
  CHECK(head.find("X-A: b  Set-Cookie: c  \r\n") != std::string::npos);
  CHECK(head.find("X  Y: z\r\n") != std::string::npos);
}

TEST_CASE("headers that the server sets can't be set twice") {
  const Response response{
      .headers = {{"content-length", "77777"}, {"Transfer-Encoding", "chunked"}}};
  const std::string head = ResponseHead(response, {.date = kDate});
  CHECK(head.find("77777") == std::string::npos);
  CHECK(head.find("chunked") == std::string::npos);
}

TEST_CASE("an answer that has no body has no length") {
  for (const int status : {204, 304}) {
    CHECK(ResponseHead({.status = status}, {.date = kDate}).find("Content-Length") ==
          std::string::npos);
  }
}

}  // namespace
}  // namespace god33::http
