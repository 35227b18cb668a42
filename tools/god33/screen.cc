#include "tools/god33/screen.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "tools/god33/environment.h"

namespace god33::cli {
namespace {

// Whether the locale's characters are in UTF-8, by the variables that say so.
bool HasUtf8() {
  std::string locale;
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    if (locale.empty()) locale = Variable(name);
  }
  locale = absl::AsciiStrToLower(locale);
  return absl::StrContains(locale, "utf-8") || absl::StrContains(locale, "utf8");
}

}  // namespace

Screen ScreenOf(int fd) {
  Screen screen;
  screen.ascii = !HasUtf8();
  if (isatty(fd) == 0) return screen;
  screen.terminal = true;
  screen.cursor = Variable("TERM") != "dumb";
  screen.color = Variable("NO_COLOR").empty() && screen.cursor;
  Measure(fd, screen);
  return screen;
}

void Measure(int fd, Screen& screen) {
  winsize size = {};
  if (ioctl(fd, TIOCGWINSZ, &size) != 0) return;
  screen.width = size.ws_col;
  screen.height = size.ws_row;
}

}  // namespace god33::cli
