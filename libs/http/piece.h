#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "http/body_stream.h"

namespace god33::http {

// What waits on one connection, shared by those who add and those who send. Thread-safe.
struct Waiting {
  std::atomic<std::size_t> bytes = 0;    // of pieces that nobody awaits
  std::atomic<std::size_t> awaited = 0;  // pieces that somebody does
};

// A piece of a body or a message on its way to the client. Counts as waiting until it is being sent;
// one that is awaited, until it has been sent.
class Piece {
 public:
  // Nothing when too much waits already.
  static std::optional<Piece> Make(std::string bytes, Written written,
                                   std::shared_ptr<Waiting> waiting) {
    if (written ? waiting->awaited >= kMaxAwaited : waiting->bytes > kMaxWaitingBytes) {
      return std::nullopt;
    }
    written ? waiting->awaited.fetch_add(1) : waiting->bytes.fetch_add(bytes.size());
    return Piece(std::move(bytes), std::move(written), std::move(waiting));
  }

  Piece(Piece&&) noexcept = default;
  Piece& operator=(Piece&&) = delete;
  ~Piece() {
    if (waiting_ != nullptr && awaited_) waiting_->awaited.fetch_sub(1);
    StopWaiting();
  }

  const std::string& bytes() const { return bytes_; }

  // Whether somebody waits until it is written.
  bool awaited() const { return awaited_; }

  // It is being sent now.
  void StopWaiting() {
    if (waiting_ == nullptr || awaited_) return;
    waiting_->bytes.fetch_sub(bytes_.size());
    waiting_.reset();
  }

  // It has been sent.
  void Sent() {
    if (!awaited_) return;
    waiting_->awaited.fetch_sub(1);
    waiting_.reset();
    std::move(written_)();
  }

 private:
  Piece(std::string bytes, Written written, std::shared_ptr<Waiting> waiting)
      : bytes_(std::move(bytes)),
        awaited_(static_cast<bool>(written)),
        written_(std::move(written)),
        waiting_(std::move(waiting)) {}

  std::string bytes_;
  bool awaited_;
  Written written_;
  std::shared_ptr<Waiting> waiting_;  // as long as this counts
};

}  // namespace god33::http
