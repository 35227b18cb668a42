#include "services/letta-bridge/workspace.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include "base/error.h"
#include "base/sha256.h"
#include "base/strings.h"
#include "json/text.h"
#include "json/text_of.h"
#include "json/value.h"
#include "services/letta-bridge/command.h"

namespace god33::letta {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostRead = 256 << 10;
constexpr std::size_t kMostListed = 2000;

bool IsBelow(const fs::path& path, const fs::path& root) {
  const auto [end, _] = std::mismatch(root.begin(), root.end(), path.begin(), path.end());
  return end == root.end();
}

absl::Status Refused(std::string_view path, std::string_view why) {
  return InvalidArgument(StrCat(Clip(path, 200), ": ", why));
}

// What an agent may have written must not tell git to run anything.
std::optional<std::string> Git(const fs::path& directory, std::vector<std::string> words) {
  words.insert(words.begin(), {"git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c",
                               "safe.bareRepository=explicit"});
  const auto result = RunCommand({.words = std::move(words),
                                  .directory = directory.string(),
                                  .timeout = absl::Seconds(20),
                                  .most_output = 64 << 20});
  if (!result.ok() || result->exit_code != 0) return std::nullopt;
  return result->output;
}

// What lies above the task's directory is not the task's.
bool HasGit(const fs::path& directory) {
  std::error_code error;
  return fs::exists(directory / ".git", error);
}

// A new file, whatever there was under this name; it is not followed if it is a link. False: it can't be written.
bool WriteNew(const fs::path& path, std::string_view content) {
  unlink(path.c_str());
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) return false;
  while (!content.empty()) {
    const ssize_t count = write(fd, content.data(), content.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) break;
    content.remove_prefix(static_cast<std::size_t>(count));
  }
  const bool closed = close(fd) == 0;
  return closed && content.empty();
}

}  // namespace

const CommandTool* Workspace::FindCommand(std::string_view name) const {
  const auto found = std::find_if(commands_.begin(), commands_.end(),
                                  [name](const CommandTool& tool) { return tool.name == name; });
  return found == commands_.end() ? nullptr : &*found;
}

ToolResult Workspace::Run(const ToolCall& call) const {
  const json::Value arguments = json::Value::Checked(call.arguments);
  const std::string path = TextOf(arguments, "path");
  absl::StatusOr<std::string> text = InvalidArgument(StrCat("there is no tool ", call.name));
  if (call.name == kReadFile) {
    text = ReadFile(path);
  } else if (call.name == kWriteFile) {
    const auto content = arguments.Find("content");
    text = content && content->is_string() ? WriteFile(path, content->ToString())
                                           : InvalidArgument("content: expected a text");
  } else if (call.name == kListFiles) {
    text = ListFiles(path);
  } else if (const CommandTool* tool = FindCommand(call.name)) {
    text = RunTool(*tool, call.arguments);
  }
  if (text.ok()) return {.text = json::CleanText(*text)};
  return {.text = json::CleanText(MessageOf(text.status())), .is_error = true};
}

WorktreeState Workspace::Look() const {
  WorktreeState state;
  if (!HasGit(directory_)) return state;
  const auto head = Git(directory_, {"rev-parse", "--verify", "HEAD"});
  if (!head) return state;
  state.head = head->substr(0, head->find('\n'));
  const auto diff = Git(directory_, {"diff", "--no-ext-diff", "--no-textconv", "--binary", "HEAD"});
  // Of files that git doesn't know it hashes names and content.
  const auto untracked = Git(directory_, {"ls-files", "--others", "--exclude-standard", "-z"});
  if (!diff || !untracked) return state;
  std::string seen = *diff;
  std::istringstream names(*untracked);
  for (std::string name; std::getline(names, name, '\0');) {
    std::ifstream file(directory_ / name, std::ios::binary);
    std::ostringstream content;
    content << file.rdbuf();
    StrAppend(&seen, name, std::string_view("\0", 1), Sha256Hex(content.str()), "\n");
  }
  state.diff_sha256 = Sha256Hex(seen);
  return state;
}

absl::StatusOr<fs::path> Workspace::Resolve(const std::string& path) const {
  if (path.find('\0') != std::string::npos) return Refused(path, "is no path");
  std::error_code error;
  const fs::path root = fs::canonical(directory_, error);
  if (error) return Refused(directory_.string(), "the task's directory has gone");
  const fs::path resolved = fs::weakly_canonical(root / path, error);
  if (error) return Refused(path, error.message());
  if (!IsBelow(resolved, root)) return Refused(path, "is outside of the task's directory");
  return resolved;
}

absl::StatusOr<std::string> Workspace::ReadFile(const std::string& path) const {
  const auto resolved = Resolve(path);
  if (!resolved.ok()) return resolved.status();
  std::error_code error;
  if (!fs::is_regular_file(*resolved, error)) return Refused(path, "there is no such file");
  if (fs::file_size(*resolved, error) > kMostRead) {
    return Refused(path, StrCat("is larger than ", kMostRead, " bytes"));
  }
  std::ifstream file(*resolved, std::ios::binary);
  std::ostringstream content;
  content << file.rdbuf();
  if (!file) return Refused(path, "can't be read");
  return content.str();
}

// The file is there with its old content or with the new one, whatever happens in between.
absl::StatusOr<std::string> Workspace::WriteFile(const std::string& path,
                                                 const std::string& content) const {
  const auto resolved = Resolve(path);
  if (!resolved.ok()) return resolved.status();
  std::error_code error;
  const fs::file_status before = fs::status(*resolved, error);
  if (fs::is_directory(before)) return Refused(path, "is a directory");
  if (fs::exists(before) && !fs::is_regular_file(before)) return Refused(path, "is no file");
  // Its configuration can make git run programs.
  if (std::find(resolved->begin(), resolved->end(), ".git") != resolved->end()) {
    return Refused(path, "belongs to git");
  }
  fs::create_directories(resolved->parent_path(), error);
  if (error) return Refused(path, error.message());
  const fs::path draft = resolved->string() + ".god33-draft";
  if (!WriteNew(draft, content)) return Refused(path, "can't be written");
  if (fs::exists(before)) fs::permissions(draft, before.permissions(), error);
  fs::rename(draft, *resolved, error);
  if (error) return Refused(path, error.message());
  return StrCat("wrote ", content.size(), " bytes to ", path);
}

absl::StatusOr<std::string> Workspace::ListFiles(const std::string& path) const {
  const auto resolved = Resolve(path);
  if (!resolved.ok()) return resolved.status();
  std::error_code error;
  if (!fs::is_directory(*resolved, error)) return Refused(path, "there is no such directory");
  std::vector<std::string> names;
  const auto listed =
      HasGit(directory_)
          ? Git(*resolved, {"ls-files", "-z", "--cached", "--others", "--exclude-standard"})
          : std::nullopt;
  if (listed) {
    std::istringstream all(*listed);
    for (std::string name; std::getline(all, name, '\0');) names.push_back(name);
  } else {
    for (auto entry = fs::recursive_directory_iterator(
             *resolved, fs::directory_options::skip_permission_denied, error);
         !error && entry != fs::recursive_directory_iterator() && names.size() <= kMostListed;
         entry.increment(error)) {
      if (entry->is_regular_file(error)) {
        names.push_back(fs::relative(entry->path(), *resolved, error).string());
      }
    }
    std::sort(names.begin(), names.end());
  }
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMostListed); ++i) {
    StrAppend(&text, names[i], "\n");
  }
  if (names.size() > kMostListed) StrAppend(&text, "... and more\n");
  return text.empty() ? std::string("there are no files") : text;
}

absl::StatusOr<std::string> Workspace::RunTool(const CommandTool& tool,
                                               const std::string& arguments) const {
  const auto result = RunCommand({.words = tool.command,
                                  .directory = directory_.string(),
                                  .input = arguments,
                                  .timeout = tool.timeout});
  if (!result.ok()) return result.status();
  const std::string text = StrCat("exit code ", result->exit_code, "\n", result->output,
                                  result->cut ? "\n... and more" : "");
  if (result->exit_code != 0) return InvalidArgument(text);
  return text;
}

absl::StatusOr<fs::path> DirectoryOf(const fs::path& root, std::string_view context,
                                     const std::string& task_id) {
  const auto wrong = [](const std::string& why) {
    return MakeError(absl::StatusCode::kInvalidArgument, "invalid_worktree", why);
  };
  std::error_code error;
  fs::create_directories(root, error);
  const fs::path base = fs::canonical(root, error);
  if (error)
    return wrong(
        StrCat("the bridge's workspace ", root.string(), " can't be made: ", error.message()));
  const auto given =
      context.empty() ? std::nullopt : json::Value::Checked(context).Find("worktree");
  if (!given || !given->is_string() || given->ToString().empty()) {
    const fs::path own = base / task_id;
    fs::create_directories(own, error);
    if (error) return wrong(StrCat(own.string(), ": ", error.message()));
    return own;
  }
  const std::string name = given->ToString();
  const fs::path named = fs::weakly_canonical(base / name, error);
  if (error || !IsBelow(named, base) || name.find('\0') != std::string::npos) {
    return wrong(StrCat("context.worktree: expected a directory below ", base.string(),
                        " (GOD33_LETTA_WORKSPACE), got ", Clip(name, 200)));
  }
  if (!fs::is_directory(named, error)) {
    return wrong(StrCat("context.worktree: there is no directory ", named.string()));
  }
  return named;
}

}  // namespace god33::letta
