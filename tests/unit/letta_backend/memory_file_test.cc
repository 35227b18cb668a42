#include "services/letta-bridge/app_server/memory_file.h"

#include <catch2/catch.hpp>

namespace god33::letta::app_server {
namespace {

TEST_CASE("a memory file has a front matter") {
  CHECK(EncodeMemoryFile(
            {.path = "system/task.md", .description = "the task", .content = "do it\n"}) ==
        "---\ndescription: the task\n---\n\ndo it\n");
}

TEST_CASE("what is encoded is decoded") {
  const std::string content = GENERATE("", "x", "\n", "\n\nx", "  x  \n", "---\n",
                                       "---\ndescription: y\n---\nz", "a\r\nb", "\xE2\x82\xAC");
  const MemoryFile file{.path = "a.md", .description = "d: e # f", .content = content};
  CHECK(DecodeMemoryFile("a.md", EncodeMemoryFile(file)) == file);
}

TEST_CASE("a description is one line, and never empty") {
  const auto decoded = [](const std::string& description) {
    const MemoryFile file{.path = "a.md", .description = description};
    CHECK(SaysTheSame(DecodeMemoryFile("a.md", EncodeMemoryFile(file)), file));
    return DecodeMemoryFile("a.md", EncodeMemoryFile(file)).description;
  };
  CHECK(decoded(" two\nlines ") == "two lines");
  CHECK(decoded("\n") == "a.md");
  CHECK(decoded("---\n---") == "--- ---");
}

TEST_CASE("files that others wrote are read") {
  const auto [text, description, content] = GENERATE(table<std::string, std::string, std::string>({
      {"---\ndescription: d\n---\nx", "d", "x"},
      {"---\r\ndescription:  d \r\n---\r\nx", "d", "x"},
      {"---\nlimit: 5\ndescription: d\nread_only: true\n---", "d", ""},
      {"---\nlimit: 5\n---\n\nx", "", "x"},
      {"plain", "", "plain"},
      {"---\nnever closed", "", "---\nnever closed"},
      {"---- \n---\n", "", "---- \n---\n"},
      {"", "", ""},
  }));
  CHECK(DecodeMemoryFile("a.md", text) ==
        MemoryFile{.path = "a.md", .description = description, .content = content});
}

}  // namespace
}  // namespace god33::letta::app_server
