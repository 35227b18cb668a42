#include "rpc/process.h"
#include "services/gateway/app.h"
#include "services/gateway/config.h"
#include "services/gateway/services.h"

int main(int argc, char** argv) {
  using namespace god33;
  rpc::PrepareProcess();
  const gateway::Config config =
      gateway::ParseConfig(argc, argv, gateway::ServedBy(gateway::Services()));
  return rpc::RunService<gateway::App>("gateway", config);
}
