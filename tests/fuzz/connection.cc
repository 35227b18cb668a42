#include "http/connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include <boost/asio/strand.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/strings.h"
#include "fuzz/frames.h"
#include "fuzz/fuzz.h"
#include "http/core.h"

// A connection of the server as its client sees it, requests and WebSocket, on one thread. Input: a byte,
// then what the client sends. The byte's low seven bits say how many come at once (0: all); its highest,
// whether each "\r\n\r\n" ends a piece, too, as for a client that waits for the answer.
//
// No request is answered twice. The messages of a WebSocket are those that a slow and simple reader of frames
// finds; what comes back are whole frames with the same messages in their order. When the client is gone, the
// connection is, too, and whoever was to be told has been told once.

namespace god33::http {
namespace {

using fuzz::Check;

constexpr std::size_t kMostMessage = 300;  // little, so that inputs can reach it

// The client's end.
class Client {
 public:
  explicit Client(int socket) : socket_(socket) {}
  ~Client() { Close(); }

  // False when the server takes no more.
  bool Send(std::string_view bytes) {
    return send(socket_, bytes.data(), bytes.size(), MSG_DONTWAIT | MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }

  // All that is there.
  void Receive() {
    char buffer[16 << 10];
    for (;;) {
      const ssize_t count = recv(socket_, buffer, sizeof buffer, MSG_DONTWAIT);
      if (count <= 0) return;
      received_.append(buffer, static_cast<std::size_t>(count));
    }
  }

  void Close() {
    if (socket_ >= 0) close(socket_);
    socket_ = -1;
  }

  const std::string& received() const { return received_; }

 private:
  int socket_;
  std::string received_;
};

// Answers requests in every way that a handler can: by their path.
class Site {
 public:
  Site() {
    Options options;
    options.max_header_bytes = 1000;
    options.max_body_bytes = 2000;
    options.web_socket.max_message_bytes = kMostMessage;
    options.web_socket.ping_interval = absl::InfiniteDuration();
    core_ = std::make_shared<Core>(options, [this](Request request, auto responder) {
      Handle(request, std::move(responder));
    });
  }

  // The client's end of a new connection.
  int Connect() {
    int ends[2];
    Check(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0, "a pair of sockets");
    boost::asio::ip::tcp::socket socket(boost::asio::make_strand(core_->io));
    socket.assign(boost::asio::ip::tcp::v4(), ends[0]);
    const auto connection = std::make_shared<Connection>(std::move(socket), *core_);
    Check(core_->connections.Add(connection), "a connection is added");
    connection->Start();
    return ends[1];
  }

  // Until nothing more happens by itself.
  void Settle() {
    do {
      for (std::unique_ptr<Responder>& responder : std::exchange(later_, {})) {
        responder->Send({.body = "later\n"});
      }
      core_->io.restart();
    } while (core_->io.poll() > 0 || !later_.empty());
  }

  void Abort() {
    for (const auto& connection : core_->connections.List()) connection->Abort();
    Settle();
  }

  bool IsIdle() const { return core_->connections.List().empty(); }

  std::size_t handled() const { return handled_; }
  bool upgraded() const { return upgraded_; }
  int gone() const { return gone_; }
  const std::vector<std::string>& texts() const { return texts_; }

 private:
  void Handle(const Request& request, std::unique_ptr<Responder> responder) {
    ++handled_;
    Check(!upgraded_, "behind an upgrade there are no requests", request.path);
    if (WantsWebSocket(request) && !CheckUpgrade(request)) return Upgrade(*responder);
    if (request.path == "/later") return later_.push_back(std::move(responder));
    if (request.path == "/drop") return;
    if (request.path == "/stream") {
      const auto stream = responder->Stream({.headers = {{"X-Query", request.query}}}, [] {});
      static_cast<void>(stream->Write("one", nullptr));
      static_cast<void>(stream->Write("two", [] {}));
      return stream->Close();
    }
    responder->Send({.headers = {{"X-Query", request.query}}, .body = "now\n"});
  }

  void Upgrade(Responder& responder) {
    upgraded_ = true;
    socket_ = responder.Upgrade({}, {.message =
                                         [this](std::string text) {
                                           Check(gone_ == 0, "behind the end nothing comes", text);
                                           texts_.push_back(text);
                                           static_cast<void>(socket_->Send(text, nullptr));
                                         },
                                     .gone =
                                         [this](int code) {
                                           Check(code >= 1000 && code < 5000, "an end has its code",
                                                 StrCat(code));
                                           ++gone_;
                                         }});
  }

  std::shared_ptr<Core> core_;
  std::vector<std::unique_ptr<Responder>> later_;
  std::unique_ptr<WebSocket> socket_;
  std::size_t handled_ = 0;
  bool upgraded_ = false;
  int gone_ = 0;
  std::vector<std::string> texts_;
};

// How many of the bytes come next.
std::size_t NextPiece(std::string_view bytes, std::uint8_t how) {
  // Each piece costs some calls of the kernel; of long inputs the pieces are longer.
  const std::size_t most =
      (how & 0x7F) == 0 ? bytes.size() : std::max<std::size_t>(how & 0x7F, bytes.size() / 32);
  const std::size_t head = bytes.find("\r\n\r\n");
  if ((how & 0x80) == 0 || head == std::string_view::npos) return std::min(most, bytes.size());
  return std::min({most, head + 4, bytes.size()});
}

// Heads of answers in what came before a WebSocket: they begin lines, which no header can forge.
std::size_t CountAnswers(std::string_view received) {
  std::size_t count = 0;
  for (std::size_t at = 0; (at = received.find("HTTP/1.1 ", at)) != std::string_view::npos; ++at) {
    const bool begins = at == 0 || received[at - 1] == '\n';
    if (begins && received.substr(at, 12) != "HTTP/1.1 100") ++count;
  }
  return count;
}

// The server's frames behind its agreement: the messages again, and whole pongs.
void CheckFrames(std::string_view frames, const std::vector<std::string>& texts) {
  std::size_t next = 0;
  bool too_long = false;
  while (const auto frame = fuzz::TakeFrame(frames, kMostMessage, too_long)) {
    Check(frame->fin && frame->reserved == 0 && !frame->masked && frame->minimal,
          "the server's frames are well formed");
    if (frame->opcode == fuzz::kText) {
      Check(next < texts.size() && frame->payload == texts[next], "a message comes back",
            frame->payload);
      ++next;
    } else if (frame->opcode == fuzz::kClose) {
      Check(frames.empty(), "nothing comes behind a close");
    } else {
      Check(frame->opcode == fuzz::kPong, "the server sends text, pongs and a close");
    }
  }
  Check(!too_long && frames.empty(), "the server's frames are whole");
}

void Run(std::uint8_t how, std::string_view bytes) {
  Site site;
  Client client(site.Connect());
  site.Settle();
  std::string spoken;  // on the WebSocket
  while (!bytes.empty()) {
    const std::string_view piece = bytes.substr(0, NextPiece(bytes, how));
    bytes.remove_prefix(piece.size());
    if (site.upgraded()) spoken += piece;
    if (!client.Send(piece)) break;
    site.Settle();
    client.Receive();
  }
  const std::string_view received = client.received();
  const std::size_t agreement = received.find("HTTP/1.1 101 ");
  const std::size_t frames = received.find("\r\n\r\n", agreement);
  Check(CountAnswers(received.substr(0, frames)) <= site.handled() + 1, "a request has one answer",
        received);
  if (site.upgraded()) {
    const fuzz::Conversation heard = fuzz::Listen(spoken, kMostMessage);
    Check(site.texts() == heard.texts, "the messages are those that were sent");
    if (frames != std::string_view::npos) CheckFrames(received.substr(frames + 4), heard.texts);
  }
  client.Close();
  site.Settle();
  site.Abort();
  Check(site.IsIdle(), "the connection ends");
  Check(site.gone() == (site.upgraded() ? 1 : 0), "the end is told once");
}

}  // namespace
}  // namespace god33::http

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size > 0) god33::http::Run(data[0], god33::fuzz::Text(data, size).substr(1));
  return 0;
}
