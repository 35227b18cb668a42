#pragma once

#include "tools/god33/table.h"

namespace god33::cli {

// What the file descriptor leads to. Color only on a terminal, and not if NO_COLOR is set
// (no-color.org) or TERM says dumb.
Screen ScreenOf(int fd);

}  // namespace god33::cli
