#include "tools/god33/environment.h"

#include <unistd.h>

#include <cstdlib>

namespace god33::cli {

std::string Variable(const char* name, std::string_view otherwise) {
  const char* value = std::getenv(name);
  return std::string(value == nullptr || *value == '\0' ? otherwise : value);
}

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof name - 1) == 0 && name[0] != '\0' ? name : "unknown";
}

}  // namespace god33::cli
