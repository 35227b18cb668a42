#include "http/request_reader.h"

#include <algorithm>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <limits>
#include <optional>
#include <string_view>

#include "absl/strings/match.h"
#include "base/strings.h"

namespace god33::http {
namespace beast = boost::beast;
namespace {

constexpr std::size_t kReadBytes = 32 << 10;
constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeaderEnd = "\r\n\r\n";

// "0\r\n\r\n": a chunked body has at least so many bytes left until it is complete. Beast asserts that
// it never sees fewer of the last chunk.
constexpr std::size_t kLastChunkBytes = 5;

std::string ToString(beast::string_view text) {
  return std::string(text.data(), text.size());
}

bool EqualsIgnoreCase(std::string_view a, std::string_view b) {
  return absl::EqualsIgnoreCase(ToAbsl(a), ToAbsl(b));
}

std::size_t Count(const Headers& headers, std::string_view name) {
  std::size_t count = 0;
  for (const auto& [key, value] : headers) count += EqualsIgnoreCase(key, name) ? 1 : 0;
  return count;
}

// Whether a quoted string in the extension of a chunk goes on behind the end of its line, in the incomplete
// header of a chunk or the trailer. Beast waits for the string's end, and counts the chunk's size against the
// body's limit each time it looks again.
bool IsLeftOpen(std::string_view bytes) {
  if (bytes.starts_with(kLineEnd)) bytes.remove_prefix(kLineEnd.size());  // of the chunk before it
  const std::string_view size = bytes.substr(0, bytes.find_first_of(";\r \t"));
  const bool is_last = size.find_first_not_of('0') == std::string_view::npos;
  return !is_last && bytes.find(kLineEnd) != std::string_view::npos;
}

// Fills path and query from the request target. False for one that is neither a path, an absolute
// http URL nor "*".
bool ReadTarget(std::string_view target, Request& request) {
  if (target.empty() || (target[0] != '/' && target != "*")) {
    const std::size_t scheme = target.find("://");
    if (scheme == std::string_view::npos) return false;
    if (!EqualsIgnoreCase(target.substr(0, scheme), "http") &&
        !EqualsIgnoreCase(target.substr(0, scheme), "https")) {
      return false;
    }
    target.remove_prefix(scheme + 3);
    target.remove_prefix(std::min(target.find_first_of("/?"), target.size()));
  }
  const std::size_t question = std::min(target.find('?'), target.size());
  request.path = target.substr(0, question);
  if (request.path.empty()) request.path = "/";
  if (question < target.size()) request.query = target.substr(question + 1);
  return true;
}

}  // namespace

// What Beast does for the reader: checking syntax, and unpacking bodies.
class RequestReader::Parser {
 public:
  using Message = beast::http::request_parser<beast::http::string_body>;

  Message& Restart(std::size_t max_body_bytes) {
    message.emplace();
    message->body_limit(max_body_bytes);
    // The reader holds the limit itself: Beast's counts only what is not parsed yet.
    message->header_limit(std::numeric_limits<std::uint32_t>::max());
    return *message;
  }

  std::string_view Bytes() const {
    const auto bytes = buffer.cdata();
    return {static_cast<const char*>(bytes.data()), bytes.size()};
  }

  beast::flat_buffer buffer;
  std::optional<Message> message;
};

RequestReader::RequestReader(std::size_t max_header_bytes, std::size_t max_body_bytes)
    : max_header_bytes_(max_header_bytes),
      max_body_bytes_(max_body_bytes),
      parser_(std::make_unique<Parser>()) {}

RequestReader::~RequestReader() = default;

std::pair<char*, std::size_t> RequestReader::Prepare() {
  const auto space = parser_->buffer.prepare(kReadBytes);
  return {static_cast<char*>(space.data()), space.size()};
}

void RequestReader::Commit(std::size_t bytes) {
  parser_->buffer.commit(bytes);
}

RequestReader::Progress RequestReader::Advance() {
  if (progress_ == Progress::kIdle || progress_ == Progress::kHeader) {
    progress_ = ReadHeader();
  }
  if (progress_ == Progress::kBody) progress_ = ReadBody();
  return progress_;
}

void RequestReader::AwaitBody() {
  progress_ = Progress::kBody;
}

RequestReader::Progress RequestReader::ReadHeader() {
  // Empty lines ahead of a request are skipped (RFC 9112, section 2.2).
  while (parser_->Bytes().substr(0, 2) == kLineEnd) parser_->buffer.consume(kLineEnd.size());
  const std::string_view bytes = parser_->Bytes();
  if (bytes.empty()) return Progress::kIdle;
  const std::size_t end = bytes.find(kHeaderEnd, searched_);
  const std::size_t size = end == std::string_view::npos ? bytes.size() : end + kHeaderEnd.size();
  if (size > max_header_bytes_) {
    return Refuse(431, StrCat("the header is longer than ", max_header_bytes_, " bytes"));
  }
  if (end == std::string_view::npos) {
    searched_ = size - std::min(size, kHeaderEnd.size() - 1);
    return Progress::kHeader;
  }
  searched_ = 0;
  const std::string_view header = bytes.substr(0, size);
  if (header.find("\r\n ") != std::string_view::npos ||
      header.find("\r\n\t") != std::string_view::npos) {
    return Refuse(400, "a header field is folded over lines");  // RFC 9112, section 5.2
  }
  Parser::Message& message = parser_->Restart(max_body_bytes_);
  beast::error_code error;
  message.put({header.data(), header.size()}, error);
  if (error == beast::http::error::body_limit) {
    return Refuse(413, StrCat("the body is longer than ", max_body_bytes_, " bytes"));
  }
  if (error) return Refuse(400, StrCat("not an HTTP request: ", error.message()));
  parser_->buffer.consume(size);
  message.eager(true);
  return CheckHeader();
}

RequestReader::Progress RequestReader::CheckHeader() {
  const auto& header = parser_->message->get();
  incoming_ =
      Incoming{.http10 = header.version() == 10, .keep_alive = parser_->message->keep_alive()};
  Request& request = incoming_.request;
  request.http10 = incoming_.http10;
  request.method = ToString(header.method_string());
  const std::string target = ToString(header.target());
  for (const auto& field : header) {
    request.headers.emplace_back(ToString(field.name_string()), ToString(field.value()));
  }
  if (!ReadTarget(target, request)) {
    return Refuse(400, "the request target is not a path");
  }
  const std::size_t hosts = Count(request.headers, "Host");
  if (hosts > 1 || (hosts == 0 && !incoming_.http10)) {
    return Refuse(400, "expected one Host header");
  }
  const std::size_t codings = Count(request.headers, "Transfer-Encoding");
  const std::size_t lengths = Count(request.headers, "Content-Length");
  if (codings + lengths > 1 ||
      Find(request.headers, "Content-Length").find(',') != std::string::npos) {
    return Refuse(400, "expected one Content-Length or one Transfer-Encoding");
  }
  if (codings == 1 && (incoming_.http10 ||
                       !EqualsIgnoreCase(Find(request.headers, "Transfer-Encoding"), "chunked"))) {
    return Refuse(400, "the only transfer coding understood is chunked, in HTTP/1.1");
  }
  if (parser_->message->is_done()) return Progress::kComplete;
  const std::string_view expect = Find(request.headers, "Expect");
  if (expect.empty() || incoming_.http10 || !parser_->Bytes().empty()) return Progress::kBody;
  if (!EqualsIgnoreCase(expect, "100-continue")) {
    return Refuse(417, "the only expectation understood is 100-continue");
  }
  return Progress::kContinue;
}

RequestReader::Progress RequestReader::ReadBody() {
  Parser::Message& message = *parser_->message;
  while (!message.is_done()) {
    const auto bytes = parser_->buffer.cdata();
    if (bytes.size() < (message.chunked() ? kLastChunkBytes : 1)) return Progress::kBody;
    beast::error_code error;
    parser_->buffer.consume(message.put(bytes, error));
    if (error == beast::http::error::need_more) {
      // What is left is part of a chunk's header or of the trailer.
      if (IsLeftOpen(parser_->Bytes()))
        return Refuse(400, "not a chunked body: an extension leaves its line");
      if (parser_->buffer.size() <= max_header_bytes_) return Progress::kBody;
      return Refuse(431, StrCat("a chunk's header or the trailer is longer than ",
                                max_header_bytes_, " bytes"));
    }
    if (error == beast::http::error::body_limit) {
      return Refuse(413, StrCat("the body is longer than ", max_body_bytes_, " bytes"));
    }
    if (error) return Refuse(400, StrCat("not a chunked body: ", error.message()));
  }
  return Progress::kComplete;
}

Incoming RequestReader::Take() {
  incoming_.request.body = std::move(parser_->message->get().body());
  parser_->message.reset();
  progress_ = Progress::kIdle;
  return std::move(incoming_);
}

bool RequestReader::has_more() const {
  return !parser_->Bytes().empty();
}

RequestReader::Progress RequestReader::Refuse(int status, std::string_view detail) {
  refused_status_ = status;
  refused_detail_ = detail;
  return Progress::kRefused;
}

}  // namespace god33::http
