#include "http/request_reader.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstring>
#include <vector>

namespace god33::http {
namespace {

using Progress = RequestReader::Progress;

// What came of some bytes: the whole requests, and where the reader stopped.
struct Outcome {
  std::vector<Incoming> read;
  Progress progress = Progress::kIdle;
  int status = 0;
};

// Feeds `bytes` in pieces of `step`.
Outcome Feed(RequestReader& reader, std::string_view bytes, std::size_t step) {
  Outcome outcome;
  while (!bytes.empty()) {
    const auto [to, space] = reader.Prepare();
    const std::size_t size = std::min({step, space, bytes.size()});
    std::memcpy(to, bytes.data(), size);
    reader.Commit(size);
    bytes.remove_prefix(size);
    while ((outcome.progress = reader.Advance()) == Progress::kComplete) {
      outcome.read.push_back(reader.Take());
    }
    outcome.status = reader.refused_status();
    if (outcome.progress == Progress::kRefused) return outcome;
  }
  return outcome;
}

Outcome Feed(std::string_view bytes, std::size_t step = 1 << 20) {
  RequestReader reader(1000, 1000);
  return Feed(reader, bytes, step);
}

const std::string kHost = "Host: a\r\n";

TEST_CASE("a request is the same however its bytes are cut") {
  const std::string bytes = "POST /a%20b?c=d&e HTTP/1.1\r\n" + kHost +
                            "X-One: 1\r\nx-one:  2 \r\nContent-Length: 5\r\n\r\nhello" +
                            "PUT /x HTTP/1.1\r\n" + kHost +
                            "Transfer-Encoding: chunked\r\n\r\n"
                            "3;ext=\"a;b\"\r\nabc\r\n2\r\nde\r\n0\r\nX-Trailer: t\r\n\r\n" +
                            "GET / HTTP/1.0\r\n\r\n";
  for (const std::size_t step : {1, 2, 3, 7, 1000}) {
    const Outcome outcome = Feed(bytes, step);
    REQUIRE(outcome.read.size() == 3);
    const Request& post = outcome.read[0].request;
    CHECK(post.method == "POST");
    CHECK(post.path == "/a%20b");
    CHECK(post.query == "c=d&e");
    CHECK(post.headers[1] == std::pair<std::string, std::string>("X-One", "1"));
    CHECK(post.headers[2] == std::pair<std::string, std::string>("x-one", "2"));
    CHECK(post.body == "hello");
    CHECK(outcome.read[0].keep_alive);
    CHECK(outcome.read[1].request.body == "abcde");
    CHECK(Find(outcome.read[1].request.headers, "X-Trailer").empty());
    CHECK(outcome.read[2].http10);
    CHECK_FALSE(outcome.read[2].keep_alive);
    CHECK(outcome.progress == Progress::kIdle);
  }
}

TEST_CASE("the target may be a path, an absolute URL or an asterisk") {
  const auto target = [](const std::string& text) {
    const Outcome outcome = Feed("GET " + text + " HTTP/1.1\r\n" + kHost + "\r\n");
    return outcome.read.empty()
               ? "refused"
               : outcome.read[0].request.path + "|" + outcome.read[0].request.query;
  };
  CHECK(target("/a/b?c?d") == "/a/b|c?d");
  CHECK(target("/a?") == "/a|");
  CHECK(target("//a/../b") == "//a/../b|");
  CHECK(target("http://host:80/a?b") == "/a|b");
  CHECK(target("HTTPS://host?b") == "/|b");
  CHECK(target("*") == "*|");
  CHECK(target("a/b") == "refused");
  CHECK(target("ftp://host/a") == "refused");
  CHECK(target("host:443") == "refused");
}

TEST_CASE("malformed requests are refused") {
  const std::string get = "GET / HTTP/1.1\r\n" + kHost;
  const std::vector<std::string> requests = {
      "GARBAGE\r\n\r\n",
      "GET /\r\n\r\n",
      "GET  / HTTP/1.1\r\n" + kHost + "\r\n",
      "GET /a b HTTP/1.1\r\n" + kHost + "\r\n",
      "GET / HTTP/2.0\r\n" + kHost + "\r\n",
      "GET / HTTX/1.1\r\n" + kHost + "\r\n",
      "G\x01T / HTTP/1.1\r\n" + kHost + "\r\n",
      "GET /\x7f HTTP/1.1\r\n" + kHost + "\r\n",
      "GET / HTTP/1.1\r\n\r\n",  // no Host
      get + kHost + "\r\n",      // two of them
      get + "No-Colon\r\n\r\n",
      get + ": empty name\r\n\r\n",
      get + "Blank : a\r\n\r\n",
      get + " Leading: a\r\n\r\n",
      get + "A: b\nC: d\r\n\r\n",  // a bare line feed
      get + "A: b\rC: d\r\n\r\n",  // a bare carriage return
      get + std::string("A: b\0c\r\n\r\n", 11),
      "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
      "\x16\x03\x01\x02" + std::string(600, 'x') + "\r\n\r\n",  // a TLS hello
  };
  for (const std::string& request : requests) {
    CAPTURE(request);
    for (const std::size_t step : {1, 1000}) {
      const Outcome outcome = Feed(request, step);
      CHECK(outcome.read.empty());
      CHECK(outcome.status == 400);
    }
  }
}

TEST_CASE("framing that could be read in two ways is refused") {
  const std::vector<std::string> framings = {
      "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
      "Content-Length: 4\r\nContent-Length: 4\r\n",
      "Content-Length: 4\r\nContent-Length: 5\r\n",
      "Content-Length: 4, 4\r\n",
      "Content-Length: +4\r\n",
      "Content-Length: -4\r\n",
      "Content-Length: 0x4\r\n",
      "Content-Length: 4 4\r\n",
      "Content-Length:\r\n",
      "Content-Length: 99999999999999999999\r\n",
      "Transfer-Encoding: identity\r\n",
      "Transfer-Encoding: gzip, chunked\r\n",
      "Transfer-Encoding: chunked, identity\r\n",
      "Transfer-Encoding: xchunked\r\n",
      "Transfer-Encoding: \"chunked\"\r\n",
      "Transfer-Encoding:\r\n",
      "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
      "Transfer-Encoding : chunked\r\n",
      "Transfer-Encoding:\r\n chunked\r\nContent-Length: 4\r\n",
  };
  for (const std::string& framing : framings) {
    CAPTURE(framing);
    const Outcome outcome =
        Feed("POST / HTTP/1.1\r\n" + kHost + framing + "\r\n0\r\n\r\nGET /x HTTP/1.1\r\n\r\n");
    CHECK(outcome.read.empty());
    CHECK(outcome.status == 400);
  }
  CHECK(Feed("POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").status == 400);
}

TEST_CASE("a chunked body may be empty") {
  const std::string header = "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n";
  for (const std::size_t step : {1, 2, 3, 4, 1000}) {
    const Outcome outcome =
        Feed(header + "0\r\n\r\n" + "GET / HTTP/1.1\r\n" + kHost + "\r\n", step);
    REQUIRE(outcome.read.size() == 2);
    CHECK(outcome.read[0].request.body.empty());
  }
}

TEST_CASE("malformed chunks are refused") {
  const std::string header = "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n";
  for (const char* chunks : {"x\r\n", "\r\n\r\n", "-1\r\na\r\n", "0x1\r\na\r\n", "1\r\nab\r\n",
                             "1 a\r\na\r\n", "1;=\r\na\r\n", "1\na\r\n0\r\n\r\n",
                             "fffffffffffffffff\r\na", "0\r\nbad trailer\r\n\r\n"}) {
    CAPTURE(chunks);
    const Outcome outcome = Feed(header + chunks);
    CHECK(outcome.read.empty());
    CHECK((outcome.status == 400 || outcome.progress == Progress::kBody));
  }
  CHECK(Feed(header + "1\r\nab\r\n0\r\n\r\n").status == 400);
  CHECK(Feed(header + "fffffffffffffffff\r\na").status == 400);
}

TEST_CASE("a header of exactly the limit is read, a longer one is refused with 431") {
  const std::string start = "GET / HTTP/1.1\r\n" + kHost + "X: ";
  const std::string end = "\r\n\r\n";
  const std::string fill(1000 - start.size() - end.size(), 'x');
  for (const std::size_t step : {1, 100, 2000}) {
    CHECK(Feed(start + fill + end, step).read.size() == 1);
    CHECK(Feed(start + fill + "x" + end, step).status == 431);
    CHECK(Feed("GET /" + std::string(2000, 'x'), step).status == 431);
  }
}

TEST_CASE("many short headers count like a long one") {
  std::string request = "GET / HTTP/1.1\r\n" + kHost;
  for (int i = 0; i < 300; ++i) request += "A: b\r\n";
  CHECK(Feed(request, 6).status == 431);
}

TEST_CASE("a body of exactly the limit is read, a longer one is refused with 413") {
  const std::string post = "POST / HTTP/1.1\r\n" + kHost;
  const std::string body(1000, 'b');
  CHECK(Feed(post + "Content-Length: 1000\r\n\r\n" + body).read[0].request.body == body);
  CHECK(Feed(post + "Content-Length: 1001\r\n\r\n").status == 413);
  const std::string chunked = post + "Transfer-Encoding: chunked\r\n\r\n";
  CHECK(Feed(chunked + "3e8\r\n" + body + "\r\n0\r\n\r\n").read[0].request.body == body);
  CHECK(Feed(chunked + "3e8\r\n" + body + "\r\n1\r\nb\r\n0\r\n\r\n").status == 413);
  CHECK(Feed(chunked + "ffffffffffffffff\r\n").status == 413);
}

// Such a chunk's size was counted against the limit with each piece that came.
TEST_CASE("a chunk's extension stays on its line, in whatever pieces it comes") {
  const std::string chunked = "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n";
  for (const std::string chunks :
       {"3e8;x=\"\r\nabcd\"\r\n", "3e8;x=\"\r\nabcd", "1;x=\"a;\r\n\"\r\nb\r\n0\r\n\r\n"}) {
    for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
      CAPTURE(chunks, piece);
      CHECK(Feed(chunked + chunks, piece).status == 400);
    }
  }
  CHECK(Feed(chunked + "1;x=\"a;\"\r\nb\r\n00;y=\"z\"\r\nX: \"\r\n\r\n", 1).read[0].request.body ==
        "b");
}

TEST_CASE("chunk extensions and trailers are limited") {
  const std::string chunked = "POST / HTTP/1.1\r\n" + kHost + "Transfer-Encoding: chunked\r\n\r\n";
  CHECK(Feed(chunked + "1;a=" + std::string(40'000, 'x')).status == 431);
  CHECK(Feed(chunked + "0\r\nX: " + std::string(40'000, 'x')).status == 431);
}

TEST_CASE("a client that expects 100-continue waits for it only if it has sent no body yet") {
  const std::string header =
      "POST / HTTP/1.1\r\n" + kHost + "Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n";
  RequestReader reader(1000, 1000);
  CHECK(Feed(reader, header, 1000).progress == Progress::kContinue);
  reader.AwaitBody();
  CHECK(Feed(reader, "ab", 1).read.size() == 1);
  CHECK(Feed(header + "ab").read.size() == 1);
  CHECK(Feed("POST / HTTP/1.1\r\n" + kHost + "Content-Length: 2\r\nExpect: a\r\n\r\n").status ==
        417);
}

TEST_CASE("empty lines ahead of a request are skipped") {
  CHECK(Feed("\r\n\r\nGET / HTTP/1.1\r\n" + kHost + "\r\n", 1).read.size() == 1);
}

}  // namespace
}  // namespace god33::http
