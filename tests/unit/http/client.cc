#include "unit/http/client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <utility>

namespace god33::http {
namespace {

Headers ParseHeaders(std::string_view head) {
  Headers headers;
  for (std::size_t at = head.find("\r\n") + 2; at < head.size();) {
    const std::size_t end = head.find("\r\n", at);
    const std::string_view line = head.substr(at, end - at);
    const std::size_t colon = line.find(": ");
    headers.emplace_back(line.substr(0, colon), line.substr(colon + 2));
    at = end + 2;
  }
  return headers;
}

}  // namespace

Client::Client(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(static_cast<std::uint16_t>(std::stoi(address.substr(colon + 1))));
  REQUIRE(inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr) == 1);
  socket_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(socket_ >= 0);
  const timeval patience{.tv_sec = 10, .tv_usec = 0};
  setsockopt(socket_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
  setsockopt(socket_, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  REQUIRE(connect(socket_, reinterpret_cast<const sockaddr*>(&to), sizeof to) == 0);
}

Client::Client(Client&& other) noexcept
    : socket_(std::exchange(other.socket_, -1)), received_(std::move(other.received_)) {}

Client::~Client() {
  if (socket_ >= 0) close(socket_);
}

void Client::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) return;  // the server closed, which the test sees when it reads
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
}

bool Client::Fill() {
  char bytes[65536];
  const ssize_t got = recv(socket_, bytes, sizeof bytes, 0);
  if (got < 0 && errno == EAGAIN) FAIL("the server neither answered nor closed within 10 s");
  if (got <= 0) return false;
  received_.append(bytes, static_cast<std::size_t>(got));
  return true;
}

Response Client::Receive(bool head) {
  std::size_t end = 0;
  while ((end = received_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return Response{.status = 0};
  }
  Response response;
  response.status = std::stoi(received_.substr(9, 3));
  response.headers = ParseHeaders(received_.substr(0, end + 2));
  received_.erase(0, end + 4);
  const std::string_view length = Find(response.headers, "Content-Length");
  if (head || length.empty()) return response;
  const std::size_t size = std::stoul(std::string(length));
  while (received_.size() < size) {
    if (!Fill()) return Response{.status = 0};
  }
  response.body = received_.substr(0, size);
  received_.erase(0, size);
  return response;
}

std::string Client::ReceiveBytes(std::size_t size) {
  while (received_.size() < size && Fill()) {
  }
  std::string bytes = received_.substr(0, size);
  received_.erase(0, bytes.size());
  return bytes;
}

std::string Client::ReceiveAll() {
  while (Fill()) {
  }
  return std::move(received_);
}

void Client::CloseSending() {
  shutdown(socket_, SHUT_WR);
}

void Client::Reset() {
  const linger hard{.l_onoff = 1, .l_linger = 0};
  setsockopt(socket_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close(socket_);
  socket_ = -1;
}

}  // namespace god33::http
