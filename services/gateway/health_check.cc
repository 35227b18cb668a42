#include "services/gateway/health_check.h"

#include <map>
#include <memory>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "grpc/health/v1/health.pb.h"
#include "json/write.h"

namespace god33::gateway {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr absl::Duration kTimeout = absl::Seconds(2);

// "" is the service as a whole.
constexpr std::string_view kWhole = "";
constexpr std::string_view kParts[] = {kWhole, "postgresql", "rabbitmq", "outbox", "letta"};

// Empty for a component that the service does not have.
std::string_view Word(std::string_view part, const grpc::Status& status,
                      const HealthCheckResponse& response) {
  if (status.ok()) {
    return response.status() == HealthCheckResponse::SERVING ? "serving" : "not_serving";
  }
  if (status.error_code() == grpc::StatusCode::NOT_FOUND && part != kWhole) return "";
  // A server that answers the question with an error is there, but does not say that it serves.
  const bool answered = status.error_code() == grpc::StatusCode::NOT_FOUND ||
                        status.error_code() == grpc::StatusCode::UNIMPLEMENTED;
  return answered ? "not_serving" : "unreachable";
}

}  // namespace

// One run: collects the words of all parts of all services.
class HealthCheck::Round : public std::enable_shared_from_this<HealthCheck::Round> {
 public:
  Round(const std::set<std::string>& services, const std::set<std::string>& minor,
        const Upstreams& upstreams, absl::AnyInvocable<void(Report) &&> done)
      : minor_(minor), done_(std::move(done)) {
    for (const std::string& service : services) {
      if (minor.contains(service) && !upstreams.IsConfigured(service)) continue;
      words_[service][kWhole] = "not_configured";
    }
  }

  void Start(const std::set<std::string>& services, Upstreams& upstreams) {
    std::vector<std::shared_ptr<Check>> checks;
    for (const std::string& service : services) {
      if (!upstreams.IsConfigured(service)) continue;
      for (const std::string_view part : kParts) {
        checks.push_back(std::make_shared<Check>(Check{.service = service, .part = part}));
      }
    }
    if (checks.empty()) return Finish();
    {
      absl::MutexLock lock(&mutex_);
      missing_ = checks.size();
    }
    for (const auto& check : checks) {
      check->request.set_service(std::string(check->part));
      upstreams.Start({.service = check->service,
                       .method = "/grpc.health.v1.Health/Check",
                       .timeout = kTimeout,
                       .request = &check->request,
                       .response = &check->response},
                      [round = shared_from_this(), check](const grpc::Status& status) {
                        round->Collect(*check, Word(check->part, status, check->response));
                      });
    }
  }

 private:
  struct Check {
    std::string service;
    std::string_view part;
    HealthCheckRequest request;
    HealthCheckResponse response;
  };

  void Collect(const Check& check, std::string_view word) {
    {
      absl::MutexLock lock(&mutex_);
      words_[check.service][check.part] = word;
      if (--missing_ > 0) return;
    }
    Finish();
  }

  void Finish() { std::move(done_)(MakeReport()); }

  Report MakeReport() {
    absl::MutexLock lock(&mutex_);
    Report report{.serving = true};
    bool degraded = false;
    for (const auto& [service, words] : words_) {
      report.serving &= words.at(kWhole) == "serving" || minor_.contains(service);
      for (const auto& [part, word] : words) degraded |= !word.empty() && word != "serving";
    }
    json::Writer writer(report.json);
    writer.BeginObject();
    writer.Key("status");
    writer.String(!report.serving ? "unavailable" : degraded ? "degraded" : "ok");
    writer.Key("services");
    writer.BeginObject();
    for (const auto& [service, words] : words_) {
      writer.Key(service);
      Write(words, writer);
    }
    writer.EndObject();
    writer.EndObject();
    return report;
  }

  static void Write(const std::map<std::string_view, std::string_view>& words,
                    json::Writer& writer) {
    writer.BeginObject();
    writer.Key("status");
    writer.String(words.at(kWhole));
    writer.Key("components");
    writer.BeginObject();
    for (const auto& [part, word] : words) {
      if (part == kWhole || word.empty()) continue;
      writer.Key(part);
      writer.String(word);
    }
    writer.EndObject();
    writer.EndObject();
  }

  const std::set<std::string> minor_;
  absl::AnyInvocable<void(Report) &&> done_;
  absl::Mutex mutex_;
  std::size_t missing_ ABSL_GUARDED_BY(mutex_) = 0;
  std::map<std::string, std::map<std::string_view, std::string_view>> words_
      ABSL_GUARDED_BY(mutex_);
};

void HealthCheck::Run(absl::AnyInvocable<void(Report) &&> done) const {
  std::make_shared<Round>(services_, minor_, upstreams_, std::move(done))
      ->Start(services_, upstreams_);
}

}  // namespace god33::gateway
