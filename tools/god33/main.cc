#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "tools/god33/command_line.h"
#include "tools/god33/screen.h"

int main(int argc, char** argv) {
  using namespace god33::cli;
  // A peer that hangs up must not end the process; a reader of stdout who has gone does (output.h).
  std::signal(SIGPIPE, SIG_IGN);
  const int code = Run(argc, argv,
                       {.out = FileSink(STDOUT_FILENO),
                        .err = FileSink(STDERR_FILENO),
                        .out_screen = ScreenOf(STDOUT_FILENO),
                        .err_screen = ScreenOf(STDERR_FILENO)});
  // Everything is written. A thread may still wait for a broker that doesn't answer (at_most.h),
  // and must not find itself among destroyed globals.
  std::_Exit(code);
}
