#include "rpc/health.h"

#include <grpcpp/health_check_service_interface.h>

#include <algorithm>

#include "json/write.h"
#include "telemetry/log.h"

namespace god33::rpc {

void Health::Expect(const std::string& component) {
  absl::MutexLock lock(&mutex_);
  components_.try_emplace(component);
  Report();
}

void Health::ExpectMinor(const std::string& component) {
  absl::MutexLock lock(&mutex_);
  components_.try_emplace(component, Component{.minor = true, .serving = true, .detail = ""});
  Report();
}

void Health::Set(const std::string& component, bool serving, const std::string& detail) {
  absl::MutexLock lock(&mutex_);
  Component& entry = components_[component];
  if (entry.serving != serving || (!serving && entry.detail != detail)) {
    Log(serving ? LogLevel::kInfo : LogLevel::kWarning,
        serving ? "component serves" : "component does not serve",
        {{"component", component}, {"detail", detail}});
  }
  entry.serving = serving;
  entry.detail = serving ? "" : detail;
  Report();
}

bool Health::Serving() const {
  return std::all_of(components_.begin(), components_.end(),
                     [](const auto& entry) { return entry.second.serving || entry.second.minor; });
}

bool Health::serving() const {
  absl::MutexLock lock(&mutex_);
  return Serving();
}

std::string Health::ToJson() const {
  absl::MutexLock lock(&mutex_);
  const bool all = std::all_of(components_.begin(), components_.end(),
                               [](const auto& entry) { return entry.second.serving; });
  std::string text;
  json::Writer writer(text);
  writer.BeginObject();
  writer.Key("status");
  writer.String(all ? "ok" : Serving() ? "degraded" : "unavailable");
  writer.Key("components");
  writer.BeginObject();
  for (const auto& [name, component] : components_) {
    writer.Key(name);
    writer.BeginObject();
    writer.Key("status");
    writer.String(component.serving ? "serving" : "not_serving");
    if (!component.serving) {
      writer.Key("detail");
      writer.String(component.detail);
    }
    writer.EndObject();
  }
  writer.EndObject();
  writer.EndObject();
  return text;
}

void Health::Attach(grpc::HealthCheckServiceInterface* service) {
  absl::MutexLock lock(&mutex_);
  service_ = service;
  Report();
}

void Health::Report() {
  if (service_ == nullptr) return;
  service_->SetServingStatus("", Serving());
  for (const auto& [name, component] : components_) {
    service_->SetServingStatus(name, component.serving);
  }
}

}  // namespace god33::rpc
