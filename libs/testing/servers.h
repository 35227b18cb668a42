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

// A Letta App Server of the test's own, with the model that follows scripts (deploy/dev/scripted_model.mjs).
// Both run from the beginning and are gone at the end, with all that they stored.
class TestLetta {
 public:
  TestLetta();
  ~TestLetta();

  TestLetta(const TestLetta&) = delete;
  TestLetta& operator=(const TestLetta&) = delete;

  // ws://127.0.0.1:port, the same for as long as this lives; its socket is at /ws.
  const std::string& url() const { return url_; }

  // What its agents are made with, as PROVIDER/MODEL.
  const std::string& model() const { return model_; }

  // These wait until it is done. Start: again, on the same data. Kill: by SIGKILL.
  void Start() const;
  void Stop() const;
  void Kill() const;

  // The same for the model alone. Without it Letta tries for some seconds, then a turn fails.
  void StartModel() const;
  void KillModel() const;

 private:
  std::string directory_;
  std::string url_;
  std::string model_;
};

// A name that no other test uses, e.g. for an exchange.
std::string UniqueName(const std::string& prefix);

}  // namespace god33::testing
