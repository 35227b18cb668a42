#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "http/body_stream.h"

namespace god33::http {

// The bytes that wait on one connection, shared by those who add and those who send. Thread-safe.
using WaitingBytes = std::shared_ptr<std::atomic<std::size_t>>;

// A piece of a body or a message on its way to the client. Counts as waiting until it is being sent.
class Piece {
 public:
  // Nothing when too much waits already.
  static std::optional<Piece> Make(std::string bytes, Written written, WaitingBytes waiting) {
    if (waiting->load() > kMaxWaitingBytes) return std::nullopt;
    waiting->fetch_add(bytes.size());
    return Piece(std::move(bytes), std::move(written), std::move(waiting));
  }

  Piece(Piece&&) noexcept = default;
  Piece& operator=(Piece&&) = delete;
  ~Piece() { StopWaiting(); }

  const std::string& bytes() const { return bytes_; }

  // It is being sent now.
  void StopWaiting() {
    if (waiting_ != nullptr) waiting_->fetch_sub(bytes_.size());
    waiting_.reset();
  }

  // It has been sent.
  void Sent() {
    if (written_) std::move(written_)();
  }

 private:
  Piece(std::string bytes, Written written, WaitingBytes waiting)
      : bytes_(std::move(bytes)), written_(std::move(written)), waiting_(std::move(waiting)) {}

  std::string bytes_;
  Written written_;
  WaitingBytes waiting_;
};

}  // namespace god33::http
