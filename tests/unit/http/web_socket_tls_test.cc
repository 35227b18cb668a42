// The client over TLS: whom it trusts. The server is Beast's own, the certificate is made here.

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/mman.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <boost/beast/websocket/stream.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <thread>

#include "absl/synchronization/notification.h"
#include "base/strings.h"
#include "http/web_socket_client.h"

namespace god33::http {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// A key and a certificate for "localhost" that it signs itself.
class Certificate {
 public:
  Certificate() : key_(EVP_RSA_gen(2048)), x509_(X509_new()) {
    X509_set_version(x509_, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(x509_), 1);
    X509_gmtime_adj(X509_getm_notBefore(x509_), -60);
    X509_gmtime_adj(X509_getm_notAfter(x509_), 3600);
    X509_set_pubkey(x509_, key_);
    X509_NAME* name = X509_get_subject_name(x509_);
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
                               reinterpret_cast<const unsigned char*>("localhost"), -1, -1, 0);
    X509_set_issuer_name(x509_, name);
    X509_EXTENSION* names =
        X509V3_EXT_conf_nid(nullptr, nullptr, NID_subject_alt_name, "DNS:localhost");
    X509_add_ext(x509_, names, -1);
    X509_EXTENSION_free(names);
    X509_sign(x509_, key_, EVP_sha256());
  }
  ~Certificate() {
    X509_free(x509_);
    EVP_PKEY_free(key_);
  }
  Certificate(const Certificate&) = delete;
  Certificate& operator=(const Certificate&) = delete;

  void Use(asio::ssl::context& context) {
    REQUIRE(SSL_CTX_use_certificate(context.native_handle(), x509_) == 1);
    REQUIRE(SSL_CTX_use_PrivateKey(context.native_handle(), key_) == 1);
  }

  std::string Pem() {
    BIO* bio = BIO_new(BIO_s_mem());
    PEM_write_bio_X509(bio, x509_);
    char* bytes = nullptr;
    const long size = BIO_get_mem_data(bio, &bytes);
    std::string pem(bytes, static_cast<std::size_t>(size));
    BIO_free(bio);
    return pem;
  }

 private:
  EVP_PKEY* key_;
  X509* x509_;
};

// Makes the certificate the system's only authority, for as long as it lives.
class Trust {
 public:
  explicit Trust(const std::string& pem) : fd_(memfd_create("authority", MFD_CLOEXEC)) {
    REQUIRE(write(fd_, pem.data(), pem.size()) == static_cast<ssize_t>(pem.size()));
    setenv("SSL_CERT_FILE", StrCat("/proc/self/fd/", fd_).c_str(), 1);
  }
  ~Trust() {
    unsetenv("SSL_CERT_FILE");
    close(fd_);
  }

 private:
  int fd_;
};

// Serves one connection: sends back one message, if it comes to that.
class TlsServer {
 public:
  explicit TlsServer(Certificate& certificate) {
    certificate.Use(context_);
    thread_ = std::thread([this] {
      boost::beast::websocket::stream<asio::ssl::stream<tcp::socket>> stream(io_, context_);
      boost::system::error_code error;
      acceptor_.accept(stream.next_layer().next_layer(), error);
      stream.next_layer().handshake(asio::ssl::stream_base::server, error);
      if (!error) stream.accept(error);
      boost::beast::flat_buffer buffer;
      if (!error) stream.read(buffer, error);
      if (!error) stream.write(buffer.data(), error);
      if (!error) stream.read(buffer, error);  // the close
    });
  }
  ~TlsServer() { thread_.join(); }

  WebSocketUrl url(const std::string& host) const {
    return *WebSocketUrl::Parse(
        StrCat("wss://", host, ":", acceptor_.local_endpoint().port(), "/"));
  }

 private:
  asio::io_context io_;
  asio::ssl::context context_{asio::ssl::context::tls_server};
  tcp::acceptor acceptor_{io_, tcp::endpoint(asio::ip::address_v4::loopback(), 0)};
  std::thread thread_;
};

TEST_CASE("over TLS the server must be the one that was named, by an authority that is trusted") {
  Certificate certificate;
  TlsServer server(certificate);
  absl::Notification received;
  const auto connect = [&](const std::string& host) {
    return WebSocketClient::Connect({.url = server.url(host)},
                                    {.message =
                                         [&](std::string text) {
                                           if (text == "hello") received.Notify();
                                           return absl::OkStatus();
                                         },
                                     .gone = [](const absl::Status&) {}});
  };
  SECTION("nobody vouches for it") {
    CHECK(connect("localhost").status().code() == absl::StatusCode::kUnavailable);
  }
  SECTION("another name") {
    const Trust trust(certificate.Pem());
    CHECK(connect("127.0.0.1").status().code() == absl::StatusCode::kUnavailable);
  }
  SECTION("trusted") {
    const Trust trust(certificate.Pem());
    const auto client = connect("localhost");
    INFO(client.status());
    REQUIRE(client.ok());
    CHECK((*client)->Send("hello").ok());
    CHECK(received.WaitForNotificationWithTimeout(absl::Seconds(10)));
  }
}

}  // namespace
}  // namespace god33::http
