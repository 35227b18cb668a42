#pragma once

#include <string>
#include <string_view>

#include "http/server.h"

namespace god33::http {

// A client for tests that sends exactly the bytes it is told, right or wrong. Each wait ends after
// 10 s, which fails the test.
class Client {
 public:
  // `address` as Server::address() gives it.
  explicit Client(const std::string& address);
  ~Client();
  Client(Client&& other) noexcept;
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void Send(std::string_view bytes);

  // The next answer; one to HEAD has no body. Status 0 when the server closed instead.
  Response Receive(bool head = false);

  // Exactly so many bytes; fewer when the stream ends before.
  std::string ReceiveBytes(std::size_t size);

  // Everything up to the end of the stream or its reset.
  std::string ReceiveAll();

  // Sends no more, but still reads.
  void CloseSending();

  // Goes away the hard way, with a TCP reset.
  void Reset();

 private:
  bool Fill();

  int socket_ = -1;
  std::string received_;
};

}  // namespace god33::http
