#include "testing/tcp_proxy.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <utility>

#include "base/strings.h"

namespace god33::testing {
namespace {

void Need(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::abort();
}

int Listen(int& port) {
  const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  Need(listener >= 0, "socket");
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  auto* const generic = reinterpret_cast<sockaddr*>(&address);
  Need(bind(listener, generic, size) == 0, "bind");
  Need(listen(listener, SOMAXCONN) == 0, "listen");
  Need(getsockname(listener, generic, &size) == 0, "getsockname");
  port = ntohs(address.sin_port);
  return listener;
}

// -1 if nobody listens there.
int Connect(const std::string& host, const std::string& port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (getaddrinfo(host.c_str(), port.c_str(), &hints, &found) != 0) return -1;
  int connected = -1;
  for (const addrinfo* at = found; at != nullptr && connected < 0; at = at->ai_next) {
    const int fd = socket(at->ai_family, at->ai_socktype | SOCK_CLOEXEC, at->ai_protocol);
    if (fd >= 0 && connect(fd, at->ai_addr, at->ai_addrlen) == 0) {
      connected = fd;
    } else if (fd >= 0) {
      close(fd);
    }
  }
  freeaddrinfo(found);
  return connected;
}

bool SendAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

}  // namespace

TcpProxy::TcpProxy(const std::string& server_url) {
  const std::size_t authority = server_url.find("://") + 3;
  const std::size_t end = std::min(server_url.find_first_of("/?", authority), server_url.size());
  const std::size_t at = server_url.rfind('@', end);
  const std::size_t host = at == std::string::npos || at < authority ? authority : at + 1;
  const std::size_t colon = server_url.rfind(':', end);
  Need(authority >= 3 && colon != std::string::npos && colon > host, "a server's URL with a port");
  host_ = server_url.substr(host, colon - host);
  port_ = server_url.substr(colon + 1, end - colon - 1);
  int port = 0;
  listener_ = Listen(port);
  url_ = StrCat(server_url.substr(0, host), "127.0.0.1:", port, server_url.substr(end));
  acceptor_ = std::thread([this] { Accept(); });
}

TcpProxy::~TcpProxy() {
  stop_.Request();
  shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  close(listener_);
  Cut();
  std::list<Link> links;
  {
    absl::MutexLock lock(&mutex_);
    links.swap(links_);
  }
  for (Link& link : links) {
    link.requests.join();
    link.answers.join();
    close(link.client);
    close(link.server);
  }
}

void TcpProxy::DelayAnswers(absl::Duration delay) {
  absl::MutexLock lock(&mutex_);
  delay_ = delay;
}

void TcpProxy::SwallowAnswersTo(const std::string& text) {
  absl::MutexLock lock(&mutex_);
  trigger_ = text;
}

bool TcpProxy::AwaitSwallowed(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&swallowed_), timeout);
}

// Descriptors stay open until the end, so that none is cut that was given to something else meanwhile.
void TcpProxy::Cut() {
  absl::MutexLock lock(&mutex_);
  for (const Link& link : links_) {
    shutdown(link.client, SHUT_RDWR);
    shutdown(link.server, SHUT_RDWR);
  }
  delay_ = absl::ZeroDuration();
  trigger_.clear();
  triggered_ = false;
  swallowed_ = false;
}

void TcpProxy::Accept() {
  for (;;) {
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) return;
    const int server = Connect(host_, port_);
    if (server < 0) {
      close(client);
      continue;
    }
    absl::MutexLock lock(&mutex_);
    links_.push_back({.client = client, .server = server});
    links_.back().requests =
        std::thread([this, client, server] { Forward(client, server, /*answers=*/false); });
    links_.back().answers =
        std::thread([this, client, server] { Forward(server, client, /*answers=*/true); });
  }
}

void TcpProxy::Forward(int from, int to, bool answers) {
  std::string buffer(64 << 10, '\0');
  for (;;) {
    const ssize_t read = recv(from, buffer.data(), buffer.size(), 0);
    if (read <= 0) break;
    const std::string_view bytes(buffer.data(), static_cast<std::size_t>(read));
    if (Pass(bytes, answers) && !SendAll(to, bytes)) break;
  }
  shutdown(from, SHUT_RDWR);
  shutdown(to, SHUT_RDWR);
}

bool TcpProxy::Pass(std::string_view bytes, bool answers) {
  absl::Duration delay;
  {
    absl::MutexLock lock(&mutex_);
    if (!answers) {
      triggered_ |= !trigger_.empty() && bytes.find(trigger_) != std::string_view::npos;
      return true;
    }
    if (triggered_) {
      swallowed_ = true;
      return false;
    }
    delay = delay_;
  }
  if (delay > absl::ZeroDuration()) stop_.WaitFor(delay);
  return true;
}

}  // namespace god33::testing
