#include "services/letta-bridge/workspace.h"

#include <catch2/catch.hpp>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/strings.h"
#include "json/write.h"
#include "services/letta-bridge/command.h"
#include "unit/letta_bridge/directory.h"
#include "unit/letta_bridge/story.h"

namespace god33::letta {
namespace {

namespace fs = std::filesystem;
using Catch::Contains;

// A task's directory, with neighbours that are none of the task's business.
class Fixture {
 public:
  Fixture() {
    fs::create_directories(root / "task");
    outside.Write("task2/secret", "secret");
    outside.Write("secret", "secret");
  }

  ToolResult Call(std::string_view tool,
                  const std::vector<std::pair<std::string, std::string>>& arguments) const {
    std::string text;
    json::Writer writer(text);
    writer.BeginObject();
    for (const auto& [key, value] : arguments) {
      writer.Key(key);
      writer.String(value);
    }
    writer.EndObject();
    return workspace.Run({.call_id = "1", .name = std::string(tool), .arguments = text});
  }
  ToolResult Read(const std::string& path) const { return Call(kReadFile, {{"path", path}}); }
  ToolResult Write(const std::string& path, const std::string& content) const {
    return Call(kWriteFile, {{"path", path}, {"content", content}});
  }
  ToolResult List(const std::string& path = "") const {
    return path.empty() ? Call(kListFiles, {}) : Call(kListFiles, {{"path", path}});
  }
  std::set<std::string> Names(const std::string& path = "") const {
    std::set<std::string> names;
    std::istringstream lines(List(path).text);
    for (std::string line; std::getline(lines, line);) names.insert(line);
    return names;
  }

  void Git(const std::vector<std::string>& words) const {
    std::vector<std::string> all = {"git", "-c", "user.name=t", "-c", "user.email=t@example.org"};
    all.insert(all.end(), words.begin(), words.end());
    const auto result = RunCommand({.words = all, .directory = (root / "task").string()});
    REQUIRE(result.ok());
    INFO(result->output);
    REQUIRE(result->exit_code == 0);
  }

  Directory outside;
  const fs::path root = outside.path();
  std::vector<CommandTool> commands = {
      {.name = "echo", .command = {"sh", "-c", "cat; pwd"}},
      {.name = "fail", .command = {"sh", "-c", "echo broken; exit 7"}},
      {.name = "slow", .command = {"sleep", "60"}, .timeout = absl::Milliseconds(100)},
      {.name = "much", .command = {"head", "-c", "300000", "/dev/zero"}},
      {.name = "gone", .command = {"god33-no-such-program"}}};
  Workspace workspace{root / "task", commands};
};

TEST_CASE("a file that is written is read again, with all directories above it") {
  const Fixture set;
  const ToolResult written = set.Write("src/deep/login.py", "print('ä')\n");
  CHECK_FALSE(written.is_error);
  CHECK_THAT(written.text, Contains("12 bytes") && Contains("src/deep/login.py"));
  CHECK(set.Read("src/deep/login.py").text == "print('ä')\n");
  CHECK(set.Read("./src/../src/deep/login.py").text == "print('ä')\n");
  CHECK_FALSE(set.Write("src/deep/login.py", "").is_error);
  CHECK(set.Read("src/deep/login.py").text.empty());
  CHECK(set.Names() == std::set<std::string>{"src/deep/login.py"});
}

TEST_CASE("paths that lead out of the directory are refused, whatever the tool") {
  const Fixture set;
  const auto is_refused = [](const ToolResult& result) {
    CAPTURE(result.text);
    CHECK(result.is_error);
    CHECK_THAT(result.text, Contains("outside"));
  };
  for (const std::string& path :
       {std::string("../secret"), std::string("a/../../secret"), std::string(".."),
        std::string("../task2/secret"), (set.root / "secret").string(), std::string("/etc/passwd"),
        std::string("/"), std::string("../new/file")}) {
    CAPTURE(path);
    is_refused(set.Read(path));
    is_refused(set.Write(path, "x"));
    is_refused(set.List(path));
  }
  CHECK(set.outside.Read("secret") == "secret");
  CHECK_FALSE(set.outside.Has("new"));
}

TEST_CASE("symbolic links lead no further than paths do") {
  const Fixture set;
  const fs::path task = set.root / "task";
  set.outside.Write("task/inner/file", "inner");
  fs::create_symlink(set.root / "secret", task / "out");
  fs::create_symlink("../task2", task / "out_directory");
  fs::create_symlink("inner/file", task / "in");
  fs::create_symlink("inner", task / "in_directory");
  fs::create_symlink("../not/there", task / "dangling");
  fs::create_symlink("loop", task / "loop");

  CHECK(set.Read("in").text == "inner");
  CHECK(set.Read("in_directory/file").text == "inner");
  CHECK_FALSE(set.Write("in_directory/new", "x").is_error);
  CHECK(set.outside.Read("task/inner/new") == "x");

  for (const char* path : {"out", "out_directory/secret", "out_directory/new", "dangling/new",
                           "out_directory/../secret", "loop"}) {
    CAPTURE(path);
    CHECK(set.Read(path).is_error);
    CHECK(set.Write(path, "x").is_error);
  }
  CHECK(set.List("out_directory").is_error);
  set.Write("dangling", "x");
  CHECK(set.outside.Read("secret") == "secret");
  CHECK(set.outside.Read("task2/secret") == "secret");
  CHECK_FALSE(set.outside.Has("task2/new"));
  CHECK_FALSE(set.outside.Has("not"));
}

TEST_CASE("a link inside is written through, and stays a link") {
  const Fixture set;
  set.outside.Write("task/file", "old");
  fs::create_symlink("file", set.root / "task/link");
  CHECK_FALSE(set.Write("link", "new").is_error);
  CHECK(set.outside.Read("task/file") == "new");
  CHECK(fs::is_symlink(set.root / "task/link"));
}

TEST_CASE("a write keeps the file's rights, and leaves nothing else behind") {
  const Fixture set;
  set.outside.Write("task/run.sh", "old");
  fs::permissions(set.root / "task/run.sh", fs::perms(0755));
  CHECK_FALSE(set.Write("run.sh", "new").is_error);
  CHECK(fs::status(set.root / "task/run.sh").permissions() == fs::perms(0755));
  CHECK(set.Names() == std::set<std::string>{"run.sh"});
}

TEST_CASE("a draft of the same name that leads elsewhere is not written through") {
  const Fixture set;
  fs::create_symlink(set.root / "secret", set.root / "task/file.god33-draft");
  set.Write("file", "x");
  CHECK(set.outside.Read("secret") == "secret");
}

TEST_CASE("what can't be read or written is told") {
  const Fixture set;
  fs::create_directories(set.root / "task/directory");
  set.outside.Write("task/file", "x");
  CHECK_THAT(set.Read("none").text, Contains("no such file"));
  CHECK(set.Read("directory").is_error);
  CHECK(set.Read("").is_error);
  CHECK_THAT(set.Write("directory", "x").text, Contains("is a directory"));
  CHECK(set.Write("", "x").is_error);
  CHECK(set.Write("file/below", "x").is_error);
  CHECK(set.Write(std::string(300, 'n'), "x").is_error);
  CHECK(set.Read(std::string("file\0more", 9)).is_error);
  CHECK(set.Write(std::string("file\0more", 9), "y").is_error);
  CHECK(set.outside.Read("task/file") == "x");
  CHECK_THAT(set.List("none").text, Contains("no such directory"));
  CHECK(set.List("file").is_error);
  CHECK(set.Call("no_such_tool", {}).is_error);
  CHECK_THAT(set.Call(kWriteFile, {{"path", "file"}}).text, Contains("content"));
  CHECK(set.workspace.Run({.name = "write_file", .arguments = R"({"path":7,"content":"x"})"})
            .is_error);
}

TEST_CASE("a text comes back as text, also when it is none") {
  const Fixture set;
  set.outside.Write("task/binary", std::string("a\0\xff\xfe"
                                               "b",
                                               5));
  CHECK(set.Read("binary").text ==
        "a\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"
        "b");
  set.outside.Write("task/largest", std::string(256 << 10, 'x'));
  CHECK_FALSE(set.Read("largest").is_error);
  set.outside.Write("task/too_large", std::string((256 << 10) + 1, 'x'));
  CHECK_THAT(set.Read("too_large").text, Contains("larger than"));
}

TEST_CASE("a device or a pipe is no file") {
  const Fixture set;
  REQUIRE(RunCommand({.words = {"mkfifo", (set.root / "task/pipe").string()}}).ok());
  CHECK(set.Read("pipe").is_error);
  CHECK(set.Write("pipe", "x").is_error);
}

TEST_CASE("without git all files are listed, by name") {
  const Fixture set;
  CHECK(set.List().text == "there are no files");
  set.outside.Write("task/b", "");
  set.outside.Write("task/a/c", "");
  set.outside.Write("task/.hidden", "");
  fs::create_symlink(set.root, set.root / "task/up");
  CHECK(set.List().text == ".hidden\na/c\nb\n");
  CHECK(set.List("a").text == "c\n");
  CHECK(set.List(".").text == set.List().text);
}

TEST_CASE("with git, what it ignores is not listed") {
  const Fixture set;
  set.Git({"init", "-q"});
  set.outside.Write("task/.gitignore", "build/\n");
  set.outside.Write("task/build/x.o", "");
  set.outside.Write("task/ä", "");
  set.outside.Write("task/src/new", "");
  CHECK(set.Names() == std::set<std::string>{".gitignore", "src/new", "ä"});
  CHECK(set.Names("src") == std::set<std::string>{"new"});
}

TEST_CASE("a repository above the task's directory is not the task's") {
  const Fixture set;
  REQUIRE(RunCommand({.words = {"git", "init", "-q"}, .directory = set.root.string()}).ok());
  set.outside.Write(".gitignore", "*\n");
  set.outside.Write("task/file", "");
  CHECK(set.Names() == std::set<std::string>{"file"});
  CHECK(set.workspace.Look().head.empty());
}

TEST_CASE("an agent can't make git run anything") {
  const Fixture set;
  set.Git({"init", "-q"});
  set.outside.Write("task/file", "one");
  set.Git({"add", "."});
  set.Git({"commit", "-q", "-m", "first"});
  const std::string mark = (set.root / "mark").string();
  for (const char* path : {".git/config", ".git/hooks/post-index-change", "sub/.git/config",
                           "sub/../.git/config", ".git"}) {
    CAPTURE(path);
    CHECK_THAT(set.Write(path, "x").text, Contains("git") || Contains("is a directory"));
  }
  // A directory that looks like a bare repository.
  const std::string config = StrCat("[core]\n\trepositoryformatversion = 0\n\tbare = false\n",
                                    "\tworktree = ..\n\tfsmonitor = \"touch ", mark, "\"\n");
  for (const auto& [name, content] :
       {std::pair("HEAD", std::string("ref: refs/heads/main\n")), std::pair("config", config),
        std::pair("objects/x", std::string()), std::pair("refs/x", std::string())}) {
    CHECK_FALSE(set.Write(StrCat("bare/", name), content).is_error);
  }
  set.List("bare");
  set.List("bare/refs");

  // A program for diffs, that only a configuration can name.
  set.Git({"config", "diff.mark.textconv", StrCat("touch ", mark, " && cat")});
  set.Git({"config", "core.fsmonitor", StrCat("touch ", mark)});
  CHECK_FALSE(set.Write(".gitattributes", "* diff=mark\n").is_error);
  CHECK_FALSE(set.Write("file", "two").is_error);
  CHECK(set.workspace.Look().diff_sha256.size() == 64);
  set.List();
  CHECK_FALSE(fs::exists(mark));
}

TEST_CASE("no more files are listed than can be read") {
  const Fixture set;
  for (int i = 0; i < 2010; ++i) set.outside.Write(StrCat("task/", 10000 + i), "");
  const std::string text = set.List().text;
  CHECK(std::count(text.begin(), text.end(), '\n') == 2001);
  CHECK(text.ends_with("... and more\n"));
}

TEST_CASE("an operator's command gets the arguments and runs in the directory") {
  const Fixture set;
  const ToolResult echoed = set.workspace.Run({.name = "echo", .arguments = R"({"a":1})"});
  CHECK_FALSE(echoed.is_error);
  CHECK(echoed.text == StrCat("exit code 0\n{\"a\":1}", (set.root / "task").string(), "\n"));
  const ToolResult failed = set.Call("fail", {});
  CHECK(failed.is_error);
  CHECK(failed.text == "exit code 7\nbroken\n");
  CHECK_THAT(set.Call("slow", {}).text, Contains("took longer"));
  CHECK(set.Call("slow", {}).is_error);
  CHECK_THAT(set.Call("much", {}).text, Contains("... and more"));
  CHECK_THAT(set.Call("gone", {}).text, Contains("can't run"));
  CHECK(set.workspace.FindCommand("echo") == &set.commands[0]);
  CHECK(set.workspace.FindCommand("read_file") == nullptr);
}

TEST_CASE("the state of a worktree tells its commit and all that differs from it") {
  const Fixture set;
  CHECK(set.workspace.Look().head.empty());
  set.Git({"init", "-q"});
  CHECK(set.workspace.Look().head.empty());
  set.outside.Write("task/file", "one");
  set.outside.Write("task/.gitignore", "ignored\n");
  set.Git({"add", "."});
  set.Git({"commit", "-q", "-m", "first"});
  const WorktreeState clean = set.workspace.Look();
  CHECK(clean.head.size() == 40);
  CHECK(clean.diff_sha256.size() == 64);
  CHECK(set.workspace.Look().diff_sha256 == clean.diff_sha256);

  std::set<std::string> seen = {clean.diff_sha256};
  const auto differs = [&] {
    const WorktreeState state = set.workspace.Look();
    CHECK(state.head == clean.head);
    CHECK(seen.insert(state.diff_sha256).second);
  };
  set.outside.Write("task/ignored", "x");
  CHECK(set.workspace.Look().diff_sha256 == clean.diff_sha256);
  set.outside.Write("task/file", "two");
  differs();
  set.outside.Write("task/new", "x");
  differs();
  set.outside.Write("task/new", "y");
  differs();
  fs::rename(set.root / "task/new", set.root / "task/renamed");
  differs();
  set.Git({"add", "."});
  set.Git({"commit", "-q", "-m", "second"});
  const WorktreeState second = set.workspace.Look();
  CHECK(second.head != clean.head);
  CHECK(second.diff_sha256 == clean.diff_sha256);
}

TEST_CASE("a task works in a directory of its own, or in one that it names below the workspace") {
  const Directory root;
  const auto directory = [&root](const std::string& context) {
    return DirectoryOf(root.path() / "work", Json(context), "task-1");
  };
  const fs::path own = root.path() / "work/task-1";
  CHECK(*directory("") == own);
  CHECK(fs::is_directory(own));
  CHECK(*directory("") == own);
  for (const char* without : {"{}", "{'worktree':null}", "{'worktree':''}", "{'worktree':7}"}) {
    CHECK(*directory(without) == own);
  }
  fs::create_directories(root.path() / "work/shop/api");
  fs::create_directories(root.path() / "workshop");
  CHECK(*directory("{'worktree':'shop/api'}") == root.path() / "work/shop/api");
  CHECK(*directory(StrCat("{'worktree':'", (root.path() / "work/shop").string(), "'}")) ==
        root.path() / "work/shop");
  fs::create_symlink(root.path() / "workshop", root.path() / "work/link");
  for (const char* wrong : {"../workshop", "/etc", "shop/../..", "link", "none", ".."}) {
    CAPTURE(wrong);
    const auto refused = directory(StrCat("{'worktree':'", wrong, "'}"));
    CHECK(ReasonOf(refused.status()) == "invalid_worktree");
    CHECK_THAT(std::string(MessageOf(refused.status())), Contains("context.worktree"));
  }
  CHECK(ReasonOf(directory("{'worktree':'shop\\u0000'}").status()) == "invalid_worktree");
}

TEST_CASE("a workspace that can't be made is told") {
  const Directory root;
  root.Write("file", "");
  CHECK(ReasonOf(DirectoryOf(root.path() / "file/work", "", "task-1").status()) ==
        "invalid_worktree");
}

}  // namespace
}  // namespace god33::letta
