#include "tools/god33/confirm.h"

#include <unistd.h>

#include <cstdio>

#include "base/error.h"
#include "base/strings.h"

namespace god33::cli {

absl::Status Usage(std::string_view message) {
  return MakeError(absl::StatusCode::kInvalidArgument, "USAGE", message);
}

absl::Status Confirm(std::string_view consequence, Session& session) {
  if (isatty(STDIN_FILENO) == 0) {
    return Usage(StrCat(consequence, " Without a terminal to ask at, say --yes"));
  }
  session.prose.Write(StrCat(Visible(consequence), " Go on? [y/N] "));
  session.prose.Flush().IgnoreError();  // nobody can be told
  const int answer = std::getchar();
  if (answer == 'y' || answer == 'Y') return absl::OkStatus();
  return MakeError(absl::StatusCode::kCancelled, "NOT_CONFIRMED_BY_USER", "nothing was done");
}

}  // namespace god33::cli
