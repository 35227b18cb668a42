#include "tools/god33/chaos_harness.h"

#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/error.h"
#include "base/strings.h"

namespace god33::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kHarness[] = "tests/chaos/main.mjs";
constexpr char kNodeModules[] = "node_modules/amqplib";  // one of them, with which the others come
constexpr char kBuildVariable[] = "GOD33_E2E_BUILD_DIR";

// The directory at or above `directory` that has the harness; empty: none.
fs::path TreeAbove(const fs::path& directory) {
  std::error_code ignored;
  for (fs::path tree = directory;; tree = tree.parent_path()) {
    if (fs::exists(tree / kHarness, ignored)) return tree;
    if (!tree.has_relative_path()) return {};
  }
}

fs::path OwnDirectory() {
  std::error_code ignored;
  return fs::read_symlink("/proc/self/exe", ignored).parent_path();
}

// The services that are tried are those beside this executable, if it has been built and not been copied.
void ChooseBuild(const fs::path& executables) {
  std::error_code ignored;
  if (executables.filename() != "bin" || !fs::exists(executables / "event-store-manager", ignored))
    return;
  setenv(kBuildVariable, executables.parent_path().c_str(), /*overwrite=*/0);
}

absl::Status Become(std::vector<std::string> arguments, Session& session) {
  std::error_code ignored;
  const fs::path executables = OwnDirectory();
  const auto harness = FindHarness(executables, fs::current_path(ignored));
  if (!harness.ok()) return harness.status();
  ChooseBuild(executables);
  const absl::Status flushed = session.paper.out.Flush();
  if (!flushed.ok()) return flushed;
  arguments.insert(arguments.begin(), {"node", harness->string()});
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);
  execvp(pointers.front(), pointers.data());
  return WithHint(MakeError(absl::StatusCode::kUnavailable, "NO_NODE",
                            StrCat("node can't be started: ", std::strerror(errno))),
                  "`./dev build` in the source tree installs Node.js");
}

}  // namespace

absl::StatusOr<fs::path> FindHarness(const fs::path& executables,
                                     const fs::path& working_directory) {
  for (const fs::path& directory : {executables, working_directory}) {
    const fs::path tree = TreeAbove(directory);
    if (tree.empty()) continue;
    std::error_code ignored;
    if (fs::exists(tree / kNodeModules, ignored)) return tree / kHarness;
    return WithHint(MakeError(absl::StatusCode::kUnavailable, "NO_NODE_MODULES",
                              StrCat("the Node packages of ", tree.string(), " are not installed")),
                    "`./dev build` there installs them");
  }
  return WithHint(
      MakeError(absl::StatusCode::kUnavailable, "NO_SOURCE_TREE",
                StrCat("there is no ", kHarness, " above ", executables.string(), " or ",
                       working_directory.string())),
      "run it in a checkout of the project: cd CHECKOUT && build/release/bin/god33 chaos run");
}

std::vector<std::string> HarnessArguments(const ChaosOptions& options) {
  std::vector<std::string> arguments{StrCat("--minutes=", options.minutes)};
  if (options.seed) arguments.push_back(StrCat("--seed=", *options.seed));
  if (!options.faults.empty()) arguments.push_back(StrCat("--faults=", options.faults));
  if (options.keep) arguments.emplace_back("--keep");
  if (options.json) arguments.emplace_back("--json");
  return arguments;
}

absl::Status RunChaos(const ChaosOptions& options, Session& session) {
  ChaosOptions asked = options;
  asked.json = options.json || session.options.format == "json";
  return Become(HarnessArguments(asked), session);
}

absl::Status ListFaults(Session& session) {
  return Become({"--list"}, session);
}

}  // namespace god33::cli
