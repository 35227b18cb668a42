#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "base/strings.h"
#include "tools/god33/chaos_harness.h"

namespace god33::cli {
namespace {

namespace fs = std::filesystem;

// A directory that is gone at the end.
class Scratch {
 public:
  Scratch() : path_(fs::temp_directory_path() / StrCat("god33-chaos-test-", getpid())) {
    fs::create_directories(path_ / "elsewhere");
  }
  ~Scratch() { fs::remove_all(path_); }

  fs::path MakeTree(const std::string& name, bool packages = true) const {
    const fs::path tree = path_ / name;
    fs::create_directories(tree / "tests/chaos");
    fs::create_directories(tree / "build/release/bin");
    if (packages) fs::create_directories(tree / "node_modules/amqplib");
    std::ofstream(tree / "tests/chaos/main.mjs") << "//\n";
    return tree;
  }

  fs::path elsewhere() const { return path_ / "elsewhere"; }

 private:
  fs::path path_;
};

TEST_CASE("the harness is that of the tree in which the executable was built") {
  const Scratch scratch;
  const fs::path tree = scratch.MakeTree("a");
  const fs::path other = scratch.MakeTree("b");
  const auto found = FindHarness(tree / "build/release/bin", other);
  REQUIRE(found.ok());
  CHECK(*found == tree / "tests/chaos/main.mjs");
}

TEST_CASE("an executable from elsewhere takes the tree that it is called in") {
  const Scratch scratch;
  const fs::path tree = scratch.MakeTree("a");
  const auto found = FindHarness(scratch.elsewhere(), tree / "build");
  REQUIRE(found.ok());
  CHECK(*found == tree / "tests/chaos/main.mjs");
}

TEST_CASE("without a tree, or without what it needs, the error says what to do") {
  const Scratch scratch;
  const auto nowhere = FindHarness(scratch.elsewhere(), scratch.elsewhere());
  CHECK(ReasonOf(nowhere.status()) == "NO_SOURCE_TREE");
  CHECK(Report(nowhere.status(), false).find("hint: run it in a checkout") != std::string::npos);
  const auto bare = FindHarness(scratch.MakeTree("bare", /*packages=*/false), scratch.elsewhere());
  CHECK(ReasonOf(bare.status()) == "NO_NODE_MODULES");
  CHECK(Report(bare.status(), false).find("hint: `./dev build`") != std::string::npos);
}

TEST_CASE("options are passed on, and the seed only if there is one") {
  CHECK(HarnessArguments({}) == std::vector<std::string>{"--minutes=3"});
  CHECK(HarnessArguments(
            {.seed = 0, .minutes = "0.5", .faults = "kill,cut", .keep = true, .json = true}) ==
        std::vector<std::string>{"--minutes=0.5", "--seed=0", "--faults=kill,cut", "--keep",
                                 "--json"});
}

}  // namespace
}  // namespace god33::cli
