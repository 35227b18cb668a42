#pragma once

#include <cstddef>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "tools/god33/session.h"

namespace CLI {
class App;
}

namespace god33::cli {

struct WatchOptions {
  bool on = false;
  absl::Duration interval = absl::Seconds(2);
};

// Adds --watch and --interval to a command that shows something that changes.
std::shared_ptr<const WatchOptions> AddWatch(CLI::App& command);

// The command, or with --watch one that runs it again and again until SIGINT or SIGTERM, which is a
// success; what is being asked just then is waited for, unless the signal comes once more.
//
// On a terminal the newest answer stands in the place of the one before. Elsewhere an answer is printed
// when it differs from the one before: whole, or with jsonl only the lines that the one before didn't
// have. It fails if the first try does, without having anything to show, or when trying again is
// pointless; otherwise it says what is wrong, goes on, and says when that is over.
Command Watched(const WatchOptions& options, Command command);

// What is written to a terminal for one answer: `lines` replace the `drawn` ones above the cursor. They
// are cut to the screen by the terminal itself and by leaving out lines before the last, which stands
// below all others. Sets `drawn` to how many they are now.
std::string Redrawn(std::string_view answer, std::string_view last, const Screen& screen,
                    std::size_t& drawn);

// The lines of `answer` that are not among `seen`, which becomes the lines of `answer`.
std::string NewLines(std::string_view answer, std::set<std::string>& seen);

}  // namespace god33::cli
