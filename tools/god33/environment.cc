#include "tools/god33/environment.h"

#include <cstdlib>

namespace god33::cli {

std::string Variable(const char* name, std::string_view otherwise) {
  const char* value = std::getenv(name);
  return std::string(value == nullptr || *value == '\0' ? otherwise : value);
}

}  // namespace god33::cli
