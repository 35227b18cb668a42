#include "rpc/process.h"
#include "services/letta-bridge/app.h"
#include "services/letta-bridge/config.h"

int main(int argc, char** argv) {
  god33::rpc::PrepareProcess();
  return god33::rpc::RunService<god33::letta::App>("letta-bridge",
                                                   god33::letta::ParseConfig(argc, argv));
}
