// The App Server that a test gets is there, at one address, through kills and stops.

#include <boost/asio/ip/tcp.hpp>
#include <catch2/catch.hpp>
#include <string>

#include "testing/servers.h"

namespace god33::testing {
namespace {

// The first line of the answer to GET /readyz; empty when nobody listens there.
std::string Readiness(const std::string& url) {
  const auto colon = url.rfind(':');
  boost::asio::ip::tcp::iostream stream("127.0.0.1", url.substr(colon + 1));
  stream << "GET /readyz HTTP/1.0\r\n\r\n" << std::flush;
  std::string line;
  std::getline(stream, line);
  return line;
}

const char kReady[] = "HTTP/1.1 200 OK\r";

TEST_CASE("an App Server of a test's own comes back where it was") {
  const TestLetta letta;
  CHECK(letta.url().rfind("ws://127.0.0.1:", 0) == 0);
  CHECK(letta.model() == "openai-compatible/scripted");
  CHECK(Readiness(letta.url()) == kReady);

  letta.Kill();
  CHECK(Readiness(letta.url()).empty());
  letta.Start();
  CHECK(Readiness(letta.url()) == kReady);

  letta.Stop();
  CHECK(Readiness(letta.url()).empty());
  letta.Start();
  CHECK(Readiness(letta.url()) == kReady);
}

TEST_CASE("two tests have an App Server each") {
  const TestLetta one;
  const TestLetta other;
  CHECK(one.url() != other.url());
  one.Kill();
  CHECK(Readiness(other.url()) == kReady);
}

TEST_CASE("the model can be away while its App Server runs") {
  const TestLetta letta;
  letta.KillModel();
  CHECK(Readiness(letta.url()) == kReady);
  letta.StartModel();
  CHECK(Readiness(letta.url()) == kReady);
}

}  // namespace
}  // namespace god33::testing
