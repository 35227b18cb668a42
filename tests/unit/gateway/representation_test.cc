#include "services/gateway/representation.h"

#include <zlib.h>
#include <catch2/catch.hpp>

namespace god33::gateway {
namespace {

std::string Unzipped(const std::string& body) {
  z_stream stream = {};
  REQUIRE(inflateInit2(&stream, 15 + 16) == Z_OK);
  std::string text(1 << 20, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  CHECK(inflate(&stream, Z_FINISH) == Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

http::Response Compressed(const std::string& accept, const std::string& body) {
  http::Response response{.body = body};
  Compress({.method = "GET", .headers = {{"Accept-Encoding", accept}}}, response);
  return response;
}

const std::string kLong(100'000, 'x');

TEST_CASE("a long answer is gzipped for who accepts it") {
  for (const char* accept :
       {"gzip", "br, gzip", "deflate;q=0.5, GZIP;q=0.1", "*", "gzip ; q=1.0"}) {
    CAPTURE(accept);
    const http::Response response = Compressed(accept, kLong);
    CHECK(http::Find(response.headers, "Content-Encoding") == "gzip");
    CHECK(response.body.size() < kLong.size() / 10);
    CHECK(Unzipped(response.body) == kLong);
  }
}

TEST_CASE("who does not accept gzip gets the text") {
  for (const char* accept :
       {"", "br", "identity", "gzip;q=0", "*;q=0", "gzip;q=0, *", "gzip;q=x", "xgzip"}) {
    CAPTURE(accept);
    const http::Response response = Compressed(accept, kLong);
    CHECK(http::Find(response.headers, "Content-Encoding").empty());
    CHECK(http::Find(response.headers, "Vary") == "Accept-Encoding");
    CHECK(response.body == kLong);
  }
}

TEST_CASE("a short answer is never gzipped") {
  CHECK(Compressed("gzip", "short").body == "short");
}

TEST_CASE("equal bodies have equal tags, others others") {
  const auto tag = [](const std::string& body) {
    http::Response response{.body = body};
    Tag({.method = "GET"}, response);
    return std::string(http::Find(response.headers, "ETag"));
  };
  CHECK(tag("a") == tag("a"));
  CHECK(tag("a") != tag("b"));
  CHECK(tag("a").substr(0, 3) == "W/\"");
}

TEST_CASE("a tag in a list, strong or weak, or a star is a match") {
  http::Response first{.body = "a"};
  Tag({.method = "GET"}, first);
  const std::string weak(http::Find(first.headers, "ETag"));
  for (const std::string& header :
       {weak, weak.substr(2), "\"x\", " + weak, weak + ",\"x\"", std::string("*")}) {
    CAPTURE(header);
    http::Response response{.body = "a"};
    Tag({.method = "HEAD", .headers = {{"If-None-Match", header}}}, response);
    CHECK(response.status == 304);
    CHECK(response.body.empty());
  }
}

TEST_CASE("only what GET answers is tagged") {
  for (const auto& [method, status] :
       {std::pair("POST", 200), std::pair("GET", 404), std::pair("GET", 201)}) {
    http::Response response{.status = status, .body = "a"};
    Tag({.method = method, .headers = {{"If-None-Match", "*"}}}, response);
    CHECK(response.status == status);
    CHECK(response.headers.empty());
  }
}

}  // namespace
}  // namespace god33::gateway
