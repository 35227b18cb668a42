#pragma once

#include <cstddef>
#include <string>

#include "absl/functional/any_invocable.h"

namespace god33::http {

// What may wait on one connection: so many bytes of pieces without `written`, beside the one that is being
// sent, and so many pieces with it. A producer that has each piece written before it hands over the next
// one never meets these limits.
inline constexpr std::size_t kMaxWaitingBytes = 256 << 10;
inline constexpr std::size_t kMaxAwaited = 4;

// Runs on a server thread, which it must not block, once the kernel has taken the piece; never, if
// the client goes away before.
using Written = absl::AnyInvocable<void() &&>;

// An answer whose body is written piece by piece. May be used from any thread, also after the client
// or the server is gone; then nothing happens.
class BodyStream {
 public:
  // Without Close before: the connection is cut, so that the client sees that something is missing.
  virtual ~BodyStream() = default;

  // Sends a piece, which must not be empty, behind the others. False, and
  // nothing is sent, when too much waits already.
  [[nodiscard]] virtual bool Write(std::string piece, Written written) = 0;

  // Ends the body, behind all pieces. Nothing can be written any more.
  virtual void Close() = 0;
};

}  // namespace god33::http
