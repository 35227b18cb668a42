#include "testing/servers.h"

#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <utility>
#include <vector>

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

// deploy/dev/servers.sh, to its end.
void Script(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), Variable("GOD33_TEST_SERVERS"));
  std::vector<char*> argv;
  argv.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  pid_t pid = 0;
  int status = 0;
  if (posix_spawn(&pid, argv[0], nullptr, nullptr, argv.data(), environ) != 0 ||
      waitpid(pid, &status, 0) != pid || status != 0)
    Give(StrCat(arguments[0], " ", arguments[1], " failed"));
}

// What `up` has written: lines such as export NAME='value'.
std::string WrittenVariable(const std::string& directory, const std::string& name) {
  const std::string before = StrCat("export ", name, "='");
  std::ifstream file(StrCat(directory, "/env"));
  for (std::string line; std::getline(file, line);) {
    if (line.rfind(before, 0) == 0 && line.back() == '\'')
      return line.substr(before.size(), line.size() - before.size() - 1);
  }
  Give(StrCat(directory, "/env has no ", name));
}

// Ports that nobody is likely to take while a server is down: ./dev takes its own from other numbers, and the
// kernel gives clients others. Should one be taken now, `up` takes another.
void ChoosePorts(const std::string& directory) {
  const unsigned first = 20'000 + 2 * (std::random_device()() % 6'000);
  std::filesystem::create_directories(directory);
  std::ofstream(StrCat(directory, "/ports"))
      << "LETTA=" << first << "\nSCRIPTED_MODEL=" << first + 1 << '\n';
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

TestLetta::TestLetta()
    : directory_(StrCat(Variable("GOD33_TEST_SERVERS_DIR"), "/letta/", UniqueName("test"))) {
  ChoosePorts(directory_);
  Script({"up", directory_, "scripted-model", "letta"});
  url_ = WrittenVariable(directory_, "LETTA_SERVER_URL");
  model_ = WrittenVariable(directory_, "GOD33_LETTA_MODEL");
}

TestLetta::~TestLetta() {
  Script({"down", directory_});
}

void TestLetta::Start() const {
  Script({"start", "letta", directory_});
}

void TestLetta::Stop() const {
  Script({"stop", "letta", directory_});
}

void TestLetta::Kill() const {
  Script({"kill", "letta", directory_});
}

void TestLetta::StartModel() const {
  Script({"start", "scripted-model", directory_});
}

void TestLetta::KillModel() const {
  Script({"kill", "scripted-model", directory_});
}

}  // namespace god33::testing
