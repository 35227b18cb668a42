#include "testing/servers.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/error.h"
#include "base/ids.h"
#include "base/strings.h"
#include "eventlog/append.h"

namespace god33::testing {
namespace {

[[noreturn]] void Give(const std::string& up) {
  std::fprintf(stderr, "%s\n", up.c_str());
  std::abort();
}

std::string Variable(const char* name) {
  const char* value = std::getenv(name);
  if (value == nullptr)
    Give(StrCat(name, " is not set: run this test through ./dev test or ctest"));
  return value;
}

// The URL with another database.
std::string WithDatabase(const std::string& url, const std::string& database) {
  return StrCat(url.substr(0, url.rfind('/') + 1), database);
}

pg::Config Settings(const char* variable, const std::string& database) {
  return {.url = WithDatabase(Variable(variable), database), .application_name = "test"};
}

void MustExecute(const std::string& sql) {
  const auto connection = TestDatabase::Connect(Settings("GOD33_ADMIN_DATABASE_URL", "postgres"));
  const absl::Status status = connection->Execute(sql);
  if (!status.ok()) Give(StrCat(sql, ": ", MessageOf(status)));
}

}  // namespace

std::string UniqueName(const std::string& prefix) {
  SystemClock clock;
  std::string id = TimeOrderedIds(clock).New().ToString();
  std::replace(id.begin(), id.end(), '-', '_');
  return StrCat(prefix, "_", id);
}

TestDatabase::TestDatabase() : name_(UniqueName("test")) {
  MustExecute(StrCat("CREATE DATABASE ", name_, " TEMPLATE event_store OWNER god33_migrator"));
  const auto connection = Connect(Writer());
  const absl::Status status =
      connection->Execute("SELECT check_log_identity(), ensure_event_partitions(1)");
  if (!status.ok()) Give(StrCat("preparing ", name_, ": ", MessageOf(status)));
}

TestDatabase::~TestDatabase() {
  MustExecute(StrCat("DROP DATABASE ", name_, " WITH (FORCE)"));
}

pg::Config TestDatabase::Writer() const {
  pg::Config config = Settings("DATABASE_URL", name_);
  config.settings = eventlog::WriterSettings();
  return config;
}

pg::Config TestDatabase::Reader() const {
  return Settings("GOD33_READER_DATABASE_URL", name_);
}

pg::Config TestDatabase::Admin() const {
  return Settings("GOD33_ADMIN_DATABASE_URL", name_);
}

std::unique_ptr<pg::Connection> TestDatabase::Connect(const pg::Config& config) {
  auto connection = pg::Connection::Open(config);
  if (!connection.ok()) Give(std::string(MessageOf(connection.status())));
  return *std::move(connection);
}

amqp::Config TestBroker() {
  return {.url = Variable("RABBITMQ_URL"), .name = "test"};
}

}  // namespace god33::testing
