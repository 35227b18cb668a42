#pragma once

#include "tools/god33/table.h"

namespace god33::cli {

// What the file descriptor leads to. Color only on a terminal, and not if NO_COLOR is set
// (no-color.org) or TERM says dumb.
Screen ScreenOf(int fd);

// Sets width and height to what they are now, if `fd` leads to a terminal that tells.
void Measure(int fd, Screen& screen);

}  // namespace god33::cli
