#pragma once

#include "tools/god33/output.h"
#include "tools/god33/table.h"

namespace god33::cli {

// Where the tool's text goes.
struct Streams {
  Sink out;
  Sink err;
  Screen out_screen;
  Screen err_screen;
};

// The whole tool: reads the command line and the environment, runs the command, prints data on
// `out` and prose on `err`. Returns the exit code (exit_code.h).
int Run(int argc, const char* const* argv, const Streams& streams);

}  // namespace god33::cli
