#pragma once

#include <string>

#include "amqp/connection.h"
#include "pg/connection.h"

namespace god33::testing {

// The PostgreSQL and RabbitMQ that CTest's fixture has started for the integration tests
// (tests/integration/servers.sh puts their addresses into the environment). A missing server ends the
// process with a message: such a test has failed, it was not skipped.

// A migrated database of the test's own, dropped at the end.
class TestDatabase {
 public:
  TestDatabase();
  ~TestDatabase();

  TestDatabase(const TestDatabase&) = delete;
  TestDatabase& operator=(const TestDatabase&) = delete;

  // Connection settings by role; the writer's with the time-outs of eventlog::WriterSettings.
  pg::Config Writer() const;
  pg::Config Reader() const;
  pg::Config Admin() const;

  // A connection with these settings; ends the process if it can't be had.
  static std::unique_ptr<pg::Connection> Connect(const pg::Config& config);

 private:
  std::string name_;
};

// Settings for the broker.
amqp::Config TestBroker();

// A name that no other test uses, e.g. for an exchange.
std::string UniqueName(const std::string& prefix);

}  // namespace god33::testing
