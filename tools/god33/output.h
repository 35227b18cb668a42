#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace god33::cli {

// Where text goes. OK when all of it was taken.
using Sink = std::function<absl::Status(std::string_view)>;

// Writes to a file descriptor. A reader who has gone (`god33 ... | head -1`) ends the process as it
// ends other tools: silently, by SIGPIPE. FAILED_PRECONDITION (OUTPUT) for anything else, such as a
// full disk.
Sink FileSink(int fd);

// Ends the process in the same way if `fd` is a pipe whose reader has gone: for those who may have nothing
// to write for long.
void EndIfReaderHasGone(int fd);

// Text on its way out, buffered. After a failure nothing more is written.
class Output {
 public:
  explicit Output(Sink sink) : sink_(std::move(sink)) {}

  void Write(std::string_view text);

  // Hands over what is buffered. The first failure of all writes so far, if there was one.
  absl::Status Flush();

 private:
  Sink sink_;
  std::string buffer_;
  absl::Status status_;
};

}  // namespace god33::cli
