// bench_live: how long after its commit an event is with who waits for it. It prints the latencies, counted
// from the database's clock right before the row is written.

#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <cstdio>
#include <thread>

#include "base/strings.h"
#include "pg/connection.h"
#include "tests/bench/address.h"
#include "tests/bench/command.h"

namespace god33::bench {
namespace {

constexpr char kUsage[] = R"(usage: bench_live ACTION
  watch GATEWAY N   a WebSocket client of N events from now on; says `subscribed` first
  notify N RATE     RATE commits a second of one row with a NOTIFY, fetched by another connection; the
                    database is DATABASE_URL's, the rows are bench_notes'
)";

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;

// The text of a string field that needs no unescaping.
std::string FieldOf(const std::string& frame, const std::string& name) {
  const std::string key = StrCat("\"", name, "\":\"");
  const std::size_t begin = frame.find(key);
  if (begin == std::string::npos) {
    Fail(absl::InternalError(StrCat("no ", name, " in ", frame)));
  }
  const std::size_t from = begin + key.size();
  return frame.substr(from, frame.find('"', from) - from);
}

absl::Time RecordedAt(const std::string& frame) {
  absl::Time time;
  std::string error;
  if (!absl::ParseTime(absl::RFC3339_full, FieldOf(frame, "recorded_at"), &time, &error)) {
    Fail(absl::InternalError(error));
  }
  return time;
}

void Watch(const Address& gateway, std::size_t count) {
  asio::io_context context;
  websocket::stream<asio::ip::tcp::socket> socket(context);
  socket.next_layer().connect({asio::ip::make_address(gateway.host), gateway.port});
  socket.next_layer().set_option(asio::ip::tcp::no_delay(true));
  socket.handshake("bench", "/api/v1/events/stream");
  Latencies latencies;
  const Stopwatch watch;
  while (latencies.count() < count) {
    beast::flat_buffer buffer;
    socket.read(buffer);
    const absl::Time now = SystemClock().Now();
    const std::string frame = beast::buffers_to_string(buffer.data());
    const std::string type = FieldOf(frame, "type");
    if (type == "subscribed") {
      std::puts("subscribed");
      std::fflush(stdout);
    } else if (type == "event") {
      latencies.Add(absl::ToDoubleMilliseconds(now - RecordedAt(frame)));
    }
  }
  latencies.Print(watch.Seconds());
}

std::unique_ptr<pg::Connection> Connect() {
  return Must(pg::Connection::Open({.url = Environment("DATABASE_URL")}));
}

void Insert(std::size_t count, std::size_t rate) {
  constexpr pg::Statement kInsert = {"insert", R"sql(
    WITH note AS (INSERT INTO bench_notes (recorded_at, payload) VALUES (clock_timestamp(), $1::json) RETURNING id)
    SELECT pg_notify('bench_notes', id::text) FROM note)sql"};
  const auto connection = Connect();
  const std::string payload = StrCat("{\"text\":\"", std::string(750, 'x'), "\"}");
  const Stopwatch watch;
  for (std::size_t i = 0; i < count; ++i) {
    const double early = static_cast<double>(i) / static_cast<double>(rate) - watch.Seconds();
    if (early > 0) std::this_thread::sleep_for(std::chrono::duration<double>(early));
    Must(connection->Query(kInsert, pg::Params().Text(payload)));
  }
}

void Notify(std::size_t count, std::size_t rate) {
  constexpr pg::Statement kNewer = {
      "newer",
      "SELECT id, recorded_at, payload FROM bench_notes WHERE id > $1::bigint ORDER BY id"};
  const auto connection = Connect();
  Check(connection->Execute("LISTEN bench_notes"));
  std::thread writer(Insert, count, rate);
  Wakeup wakeup;
  Latencies latencies;
  const Stopwatch watch;
  for (std::int64_t last = 0; latencies.count() < count;) {
    Check(connection->WaitForNotification(absl::Seconds(1), wakeup));
    const pg::Result rows = Must(connection->Query(kNewer, pg::Params().Int8(last)));
    const absl::Time now = SystemClock().Now();
    for (int i = 0; i < rows.rows(); ++i) {
      last = rows.Int8(i, 0);
      latencies.Add(absl::ToDoubleMilliseconds(now - rows.Time(i, 1)));
    }
  }
  writer.join();
  latencies.Print(watch.Seconds());
}

int Main(int argc, char** argv) {
  Arguments arguments(argc, argv, kUsage);
  const std::string action = arguments.Text();
  if (action == "watch") {
    const Address gateway = Address::Parse(arguments.Text());
    const std::size_t count = arguments.Count();
    arguments.End();
    Watch(gateway, count);
  } else if (action == "notify") {
    const std::size_t count = arguments.Count();
    const std::size_t rate = arguments.Count();
    arguments.End();
    Notify(count, rate);
  } else {
    arguments.Usage();
  }
  return 0;
}

}  // namespace
}  // namespace god33::bench

int main(int argc, char** argv) {
  return god33::bench::Main(argc, argv);
}
