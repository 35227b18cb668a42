#include "tools/god33/watch.h"

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_split.h"
#include "base/error.h"
#include "base/strings.h"
#include "base/timestamp.h"
#include "tools/god33/api_client.h"
#include "tools/god33/interrupt.h"
#include "tools/god33/screen.h"
#include "tools/god33/time_spec.h"

namespace god33::cli {
namespace {

constexpr absl::Duration kLeastInterval = absl::Milliseconds(100);

// How soon it is noticed that nobody reads any more.
constexpr absl::Duration kStep = absl::Milliseconds(500);

constexpr std::string_view kYellow = "\x1b[33m";
constexpr std::string_view kPlain = "\x1b[0m";

std::string CheckInterval(const std::string& text) {
  const auto interval = ParseTimeout(text);
  if (interval.ok() && *interval >= kLeastInterval) return "";
  return "expected a span of time such as 500ms, 2s or 1m, 100ms to 1h";
}

// The lines of a text that ends with a newline.
std::vector<std::string> LinesIn(std::string_view text) {
  if (text.empty()) return {};
  if (text.back() == '\n') text.remove_suffix(1);
  return absl::StrSplit(ToAbsl(text), '\n');
}

// What running the command once has led to.
struct Answer {
  std::string data;
  std::string prose;
  absl::Status status;
};

class Watcher {
 public:
  Watcher(const WatchOptions& options, const Command& command, Session& session)
      : options_(options), command_(command), session_(session), screen_(session.paper.screen) {}

  absl::Status Run() {
    const auto interrupt = Interrupt::Install();
    for (bool begun = false;; begun = true) {
      if (screen_.cursor) Measure(STDOUT_FILENO, screen_);
      const Answer answer = Ask();
      if (interrupt->requested()) return absl::OkStatus();
      const bool nothing = !answer.status.ok() && answer.data.empty();
      if (nothing && (!begun || !GoesOnAfter(answer.status))) return answer.status;
      const absl::Status status = screen_.cursor ? Draw(answer, nothing) : Append(answer, nothing);
      if (!status.ok() || WaitOn(*interrupt)) return status;
    }
  }

 private:
  Answer Ask() {
    Answer answer;
    const auto keep = [](std::string& text) {
      return [&text](std::string_view more) {
        text += more;
        return absl::OkStatus();
      };
    };
    Output out(keep(answer.data));
    Output prose(keep(answer.prose));
    Session once{.options = session_.options,
                 .paper = {.format = session_.paper.format, .screen = screen_, .out = out},
                 .prose = prose,
                 .prose_screen = session_.prose_screen,
                 .clock = session_.clock,
                 .ids = session_.ids};
    answer.status = command_(once);
    out.Flush().IgnoreError();    // a string takes everything
    prose.Flush().IgnoreError();  // a string takes everything
    return answer;
  }

  // True if there was a signal.
  bool WaitOn(const Interrupt& interrupt) {
    for (absl::Duration left = options_.interval; left > absl::ZeroDuration(); left -= kStep) {
      if (interrupt.WaitFor(std::min(left, kStep))) return true;
      EndIfReaderHasGone(STDOUT_FILENO);
    }
    return false;
  }

  absl::Status Draw(const Answer& answer, bool nothing) {
    if (!nothing) {
      shown_ = StrCat(answer.data, answer.prose);
      shown_at_ = session_.clock.Now();
    }
    const std::string when = FormatTimestamp(absl::FromUnixSeconds(absl::ToUnixSeconds(shown_at_)));
    std::string last = StrCat("As of ", when, ", every ", absl::FormatDuration(options_.interval),
                              ". Ctrl-C ends it.");
    if (!answer.status.ok()) {
      last = StrCat("As of ", when, ". ", Visible(MessageOf(answer.status)), "; trying again.");
      if (screen_.color) last = StrCat(kYellow, last, kPlain);
    }
    session_.paper.out.Write(Redrawn(shown_, last, screen_, drawn_));
    return session_.paper.out.Flush();
  }

  absl::Status Append(const Answer& answer, bool nothing) {
    if (!nothing && answer.data != shown_) {
      session_.paper.out.Write(Appended(answer.data));
      shown_ = answer.data;
    }
    // How to go on with the next page is of no interest for the second time.
    if (std::exchange(first_, false)) {
      session_.prose.Write(answer.prose);
      session_.prose.Flush().IgnoreError();  // nobody can be told
    }
    const std::string trouble(MessageOf(answer.status));
    if (trouble != trouble_) {
      if (trouble.empty()) {
        session_.Note("All is well again.");
      } else {
        session_.Warn(StrCat(trouble, "; trying again"));
      }
      trouble_ = trouble;
    }
    return session_.paper.out.Flush();
  }

  std::string Appended(const std::string& data) {
    switch (session_.paper.format) {
      case Format::kJsonl:
        return NewLines(data, seen_);
      case Format::kYaml:
        return shown_.empty() ? data : StrCat("---\n", data);
      case Format::kTable:
        return shown_.empty() ? data : StrCat("\n", data);
      case Format::kJson:
        break;
    }
    return data;
  }

  const WatchOptions& options_;
  const Command& command_;
  Session& session_;
  Screen screen_;
  std::string shown_;
  absl::Time shown_at_;    // on a terminal
  std::size_t drawn_ = 0;  // lines on a terminal
  bool first_ = true;      // elsewhere
  std::string trouble_;    // elsewhere
  std::set<std::string> seen_;
};

}  // namespace

std::shared_ptr<const WatchOptions> AddWatch(CLI::App& command) {
  const auto options = std::make_shared<WatchOptions>();
  CLI::Option* watch = command.add_flag(
      "--watch", options->on, "Again and again until Ctrl-C; not on a terminal: what has changed");
  command
      .add_option_function<std::string>(
          "--interval",
          [options](const std::string& text) { options->interval = *ParseTimeout(text); },
          "With --watch: how long in between")
      ->check(CLI::Validator(CheckInterval, ""))
      ->type_name("TIME")
      ->default_str("2s")
      ->needs(watch);
  return options;
}

Command Watched(const WatchOptions& options, Command command) {
  if (!options.on) return command;
  return [options, command = std::move(command)](Session& session) {
    return Watcher(options, command, session).Run();
  };
}

std::string Redrawn(std::string_view answer, std::string_view last, const Screen& screen,
                    std::size_t& drawn) {
  std::vector<std::string> lines = LinesIn(answer);
  // The last line and the cursor's below it have their places.
  const std::size_t most =
      screen.height == 0 ? lines.size() : std::max<std::size_t>(screen.height, 4) - 2;
  if (lines.size() > most) {
    const std::size_t hidden = lines.size() - most + 1;
    lines.resize(most - 1);
    lines.push_back(StrCat("(", hidden, " more lines)"));
  }
  lines.emplace_back(last);
  // Up to the first line; lines that are too long end at the edge instead of taking two rows.
  std::string text = "\x1b[?7l";
  if (drawn > 0) StrAppend(&text, "\x1b[", drawn, "A");
  for (const std::string& line : lines) StrAppend(&text, "\r", line, "\x1b[K\n");
  drawn = lines.size();
  return text + "\x1b[J\x1b[?7h";
}

std::string NewLines(std::string_view answer, std::set<std::string>& seen) {
  std::string text;
  std::set<std::string> now;
  for (std::string& line : LinesIn(answer)) {
    if (!seen.contains(line)) StrAppend(&text, line, "\n");
    now.insert(std::move(line));
  }
  seen = std::move(now);
  return text;
}

}  // namespace god33::cli
