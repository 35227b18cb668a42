#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <utility>

#include "http/server.h"

namespace god33::http {

// A request as read, and what its framing says about the connection.
struct Incoming {
  Request request;  // without peer
  bool http10 = false;
  bool keep_alive = true;
};

// Turns the bytes of one connection into requests. Knows no sockets and no time. Limits and
// refusals are those of Server. Not thread-safe.
class RequestReader {
 public:
  RequestReader(std::size_t max_header_bytes, std::size_t max_body_bytes);
  ~RequestReader();

  // Where the next bytes go, and how many of them came.
  std::pair<char*, std::size_t> Prepare();
  void Commit(std::size_t bytes);

  enum class Progress {
    kIdle,      // no byte of a request is there
    kHeader,    // part of a header is there
    kContinue,  // the client waits for "100 Continue" before it sends the body: see AwaitBody
    kBody,      // the header and part of the body are there
    kComplete,  // Take() the request
    kRefused,   // see refused_status(); nothing can be read any more
  };

  // Reads as far as the bytes go, at most to the end of one request.
  Progress Advance();

  // After kContinue: the client has been told to go on.
  void AwaitBody();

  // After kComplete: the request. The reader goes on with the next one.
  Incoming Take();

  // Whether there are bytes behind what was taken.
  bool has_more() const;

  // After kRefused: the answer's status, and why.
  int refused_status() const { return refused_status_; }
  const std::string& refused_detail() const { return refused_detail_; }

 private:
  class Parser;

  Progress ReadHeader();
  Progress ReadBody();
  Progress CheckHeader();
  Progress Refuse(int status, std::string_view detail);

  const std::size_t max_header_bytes_;
  const std::size_t max_body_bytes_;
  Progress progress_ = Progress::kIdle;
  std::unique_ptr<Parser> parser_;
  std::size_t searched_ = 0;  // bytes in which no end of the header begins
  Incoming incoming_;
  int refused_status_ = 0;
  std::string refused_detail_;
};

}  // namespace god33::http
