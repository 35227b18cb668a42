#include "tools/god33/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <string>

#include "tools/god33/environment.h"

namespace god33::cli {

Screen ScreenOf(int fd) {
  Screen screen;
  if (isatty(fd) == 0) return screen;
  screen.terminal = true;
  screen.color = Variable("NO_COLOR").empty() && Variable("TERM") != "dumb";
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) == 0) screen.width = size.ws_col;
  return screen;
}

}  // namespace god33::cli
