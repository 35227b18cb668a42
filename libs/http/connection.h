#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "http/core.h"
#include "http/deadline.h"
#include "http/piece.h"
#include "http/request_reader.h"
#include "http/server.h"
#include "http/web_socket_session.h"

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

  // What an answer in pieces does. `whole` is false for one that was given up.
  void BeginStream(std::uint64_t number, Response head, absl::AnyInvocable<void() &&> gone);
  void Write(std::uint64_t number, Piece piece);
  void EndStream(std::uint64_t number, bool whole);

  // A session on this connection's socket, to be passed to Upgrade. From any thread.
  std::shared_ptr<WebSocketSession> MakeSession(WebSocketEvents events);
  void Upgrade(std::uint64_t number, std::shared_ptr<WebSocketSession> session, Headers headers);

  boost::asio::any_io_executor executor() { return socket_.get_executor(); }

 private:
  // The rest of an answer that comes in pieces.
  struct Body {
    std::deque<Piece> pieces;  // the front one is being sent while `sending`
    bool chunked = false;
    bool sending = false;
    bool closed = false;    // no further piece will come
    bool finished = false;  // the end has been sent, or is being sent
  };

  // A request that has not been answered in full.
  struct Exchange {
    bool head = false;  // the method is HEAD
    bool safe = true;   // others may run beside it
    bool http10 = false;
    bool close = false;  // its answer is the last one
    std::optional<Response> answer;
    std::unique_ptr<Body> body;
    std::string key;  // Sec-WebSocket-Key, of a request that wants a WebSocket
    std::shared_ptr<WebSocketSession> session;
    Headers session_headers;
    absl::AnyInvocable<void() &&> on_gone;
  };

  enum class Reading {
    kRequests,
    kUpgrade,  // nothing may be read until it is known whether a WebSocket begins
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
  bool WriteBody();
  void StartSession();
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
  Body* FindBody(std::uint64_t number);

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
  std::string_view tail_;
  std::shared_ptr<WebSocketSession> session_;  // once the connection is a WebSocket
  std::size_t written_ = 0;

  bool draining_ = false;
  bool ended_ = false;  // the client has closed its side
  bool gone_ = false;
  bool closed_ = false;
};

}  // namespace god33::http
