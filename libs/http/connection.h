#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "http/core.h"
#include "http/deadline.h"
#include "http/request_reader.h"
#include "http/server.h"

namespace god33::http {

// One client's connection: reads requests, hands them to the handler, writes the answers in order.
// While it is open, the core's list keeps it alive. Everything runs on the strand that is the
// socket's executor, except where it says otherwise.
class Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(boost::asio::ip::tcp::socket socket, Core& core);

  void Start();

  // Finishes the requests under way, then closes. From any thread.
  void Drain();

  // Closes now. From any thread.
  void Abort();

  // What a responder does, by the request's number. Drop is for one that answers nothing.
  void Answer(std::uint64_t number, Response response);
  void Drop(std::uint64_t number);
  void OnGone(std::uint64_t number, absl::AnyInvocable<void() &&> callback);

  boost::asio::any_io_executor executor() { return socket_.get_executor(); }

 private:
  // A request that has not been answered in full.
  struct Exchange {
    bool head = false;  // the method is HEAD
    bool safe = true;   // others may run beside it
    bool http10 = false;
    bool close = false;  // its answer is the last one
    std::optional<Response> answer;
    absl::AnyInvocable<void() &&> on_gone;
  };

  enum class Reading {
    kRequests,
    kHeld,     // a whole request waits until it may run
    kDiscard,  // no more requests; what the client still sends is thrown away
  };

  // Reading.
  void Read();
  void OnRead(std::size_t bytes);
  void OnReadEnd(bool reset);
  void Advance();
  void AwaitBytes();
  void TryRun(Incoming incoming);
  bool MayRun(const Request& request) const;
  void Run(Incoming incoming);
  void Refuse(int status, std::string_view detail);

  // Writing.
  void Flush();
  void SendContinue();
  void StartWrite();
  void WriteSome();
  void OnWritten();

  // Ending. Finish closes the sending side, and the rest when the client has done the same.
  void StartDrain();
  void Finish();
  void Close();
  void Gone();

  Exchange* Find(std::uint64_t number);

  Core& core_;
  boost::asio::ip::tcp::socket socket_;
  std::string peer_;
  RequestReader reader_;
  Deadline read_deadline_;
  Deadline write_deadline_;
  Deadline grace_;

  Reading reading_ = Reading::kRequests;
  RequestReader::Progress progress_ = RequestReader::Progress::kIdle;  // with the next request
  RequestReader::Progress awaited_ = RequestReader::Progress::kIdle;   // read_deadline_ is for this
  bool read_pending_ = false;
  std::optional<Incoming> held_;

  std::deque<Exchange> exchanges_;  // the front one's answer is the next to be written
  std::uint64_t first_number_ = 0;  // of the front exchange
  bool writing_ = false;
  bool writing_continue_ = false;  // what is being written is "100 Continue"
  std::string head_;
  std::string body_;
  std::size_t written_ = 0;

  bool draining_ = false;
  bool ended_ = false;  // the client has closed its side
  bool gone_ = false;
  bool closed_ = false;
};

}  // namespace god33::http
