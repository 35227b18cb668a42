#include "tools/god33/input.h"

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>

#include "base/error.h"
#include "base/strings.h"

namespace god33::cli {
namespace {

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};

absl::Status Unreadable(const std::string& argument, const std::string& name) {
  return MakeError(absl::StatusCode::kInvalidArgument, "INPUT",
                   StrCat(argument, ": can't read ", name, ": ", std::strerror(errno)), argument);
}

absl::StatusOr<std::string> ReadAll(const std::string& argument, const std::string& name,
                                    std::FILE* file, std::size_t most) {
  std::string text;
  char chunk[64 << 10];
  while (const std::size_t got = std::fread(chunk, 1, sizeof chunk, file)) {
    text.append(chunk, got);
    if (text.size() > most) {
      return MakeError(absl::StatusCode::kInvalidArgument, "TOO_LARGE",
                       StrCat(argument, ": ", name, " has more than ", most, " bytes"), argument);
    }
  }
  if (std::ferror(file) != 0) return Unreadable(argument, name);
  return text;
}

}  // namespace

absl::StatusOr<std::string> ReadTextArgument(const std::string& argument, const std::string& value,
                                             std::size_t most) {
  if (value == "-" || value == "@-") return ReadAll(argument, "standard input", stdin, most);
  if (value.empty() || value[0] != '@') return value;
  const std::string path = value.substr(1);
  const std::unique_ptr<std::FILE, CloseFile> file(std::fopen(path.c_str(), "rb"));
  if (file == nullptr) return Unreadable(argument, path);
  return ReadAll(argument, path, file.get(), most);
}

}  // namespace god33::cli
