#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "base/clock.h"
#include "base/ids.h"
#include "base/strings.h"
#include "tools/god33/output.h"
#include "tools/god33/printer.h"
#include "tools/god33/report.h"
#include "tools/god33/visible.h"

namespace god33::cli {

// The options that all commands have.
struct GlobalOptions {
  std::string format = "table";
  bool no_color = false;
  std::string api_address = "127.0.0.1:50052";
  absl::Duration timeout = absl::Seconds(10);
};

// What a command works with.
struct Session {
  const GlobalOptions& options;
  Paper paper;          // stdout: data
  Output& prose;        // stderr
  Screen prose_screen;  // what stderr leads to
  Clock& clock;
  IdSource& ids;

  // One line for people.
  void Note(std::string_view line) {
    prose.Write(StrCat(Visible(line), "\n"));
    prose.Flush().IgnoreError();  // nobody can be told
  }

  void Warn(std::string_view message) {
    prose.Write(Warning(message, prose_screen.color));
    prose.Flush().IgnoreError();
  }
};

// A command that was chosen on the command line. Its error is what the process reports and ends
// with.
using Command = std::function<absl::Status(Session&)>;

}  // namespace god33::cli
