#include "rpc/process.h"
#include "services/event-store-manager/app.h"
#include "services/event-store-manager/config.h"

int main(int argc, char** argv) {
  god33::rpc::PrepareProcess();
  return god33::rpc::RunService<god33::manager::App>("event-store-manager",
                                                     god33::manager::ParseConfig(argc, argv));
}
