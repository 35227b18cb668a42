#include "services/gateway/services.h"

#include "base/strings.h"
#include "god33/letta/v1/letta_bridge.pb.h"
#include "god33/store/v1/dead_letters.pb.h"
#include "god33/store/v1/event_store.pb.h"
#include "god33/store/v1/projection.pb.h"
#include "god33/store/v1/replay.pb.h"
#include "god33/store/v1/retention.pb.h"
#include "god33/workflow/v1/workflow.pb.h"

namespace god33::gateway {

using google::protobuf::MethodDescriptor;
using google::protobuf::ServiceDescriptor;

const std::vector<const ServiceDescriptor*>& Services() {
  static const std::vector<const ServiceDescriptor*> services = {
      store::v1::AppendEventRequest::descriptor()->file()->FindServiceByName("EventStoreService"),
      store::v1::StartReplayRequest::descriptor()->file()->FindServiceByName("ReplayService"),
      store::v1::DeadLetter::descriptor()->file()->FindServiceByName("DeadLetterService"),
      store::v1::ProjectionJob::descriptor()->file()->FindServiceByName("ProjectionService"),
      store::v1::GetRetentionRequest::descriptor()->file()->FindServiceByName("RetentionService"),
      workflow::v1::WorkflowStep::descriptor()->file()->FindServiceByName("WorkflowService"),
      letta::v1::Task::descriptor()->file()->FindServiceByName("LettaBridgeService"),
  };
  return services;
}

const rpc::v1::MethodRule& RuleOf(const MethodDescriptor& method) {
  return method.options().GetExtension(rpc::v1::method);
}

std::set<std::string> ServedBy(const std::vector<const ServiceDescriptor*>& services) {
  std::set<std::string> names;
  for (const ServiceDescriptor* service : services) {
    for (int i = 0; i < service->method_count(); ++i) {
      const std::string& name = RuleOf(*service->method(i)).served_by();
      if (!name.empty()) names.insert(name);
    }
  }
  return names;
}

const std::set<std::string>& MinorServices() {
  static const std::set<std::string> minor = {"letta-bridge"};
  return minor;
}

LiveMethod StreamMethod() {
  const MethodDescriptor& method = *Services()[0]->FindMethodByName("StreamEvents");
  return {.service = RuleOf(method).served_by(),
          .path = StrCat("/", method.service()->full_name(), "/", method.name())};
}

}  // namespace god33::gateway
