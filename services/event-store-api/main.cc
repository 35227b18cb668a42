#include "rpc/process.h"
#include "services/event-store-api/app.h"
#include "services/event-store-api/config.h"

int main(int argc, char** argv) {
  god33::rpc::PrepareProcess();
  return god33::rpc::RunService<god33::api::App>("event-store-api",
                                                 god33::api::ParseConfig(argc, argv));
}
