#include "services/letta-bridge/app_server/memory_file.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "base/strings.h"

namespace god33::letta::app_server {
namespace {

constexpr std::string_view kFence = "---";
constexpr std::string_view kDescription = "description:";

std::string_view Trim(std::string_view text) {
  return ToStd(absl::StripAsciiWhitespace(ToAbsl(text)));
}

std::string OneLine(std::string_view text) {
  std::string line(text);
  std::replace_if(
      line.begin(), line.end(), [](char c) { return absl::ascii_iscntrl(c); }, ' ');
  return std::string(Trim(line));
}

// The line that `text` begins with, without its end; `text` keeps what is behind it.
std::string_view TakeLine(std::string_view& text) {
  const std::size_t end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line.ends_with('\r') ? line.substr(0, line.size() - 1) : line;
}

}  // namespace

std::string EncodeMemoryFile(const MemoryFile& file) {
  std::string description = OneLine(file.description);
  if (description.empty()) description = OneLine(file.path);
  return StrCat(kFence, "\n", kDescription, " ", description, "\n", kFence, "\n\n", file.content);
}

MemoryFile DecodeMemoryFile(std::string_view path, std::string_view text) {
  MemoryFile file{.path = std::string(path)};
  std::string_view rest = text;
  if (TakeLine(rest) == kFence) {
    while (!rest.empty()) {
      const std::string_view line = TakeLine(rest);
      if (line == kFence) {
        if (rest.starts_with('\n')) rest.remove_prefix(1);
        file.content = rest;
        return file;
      }
      if (line.starts_with(kDescription)) {
        file.description = Trim(line.substr(kDescription.size()));
      }
    }
  }
  // No front matter, or one without an end: all of it is content.
  file.description.clear();
  file.content = text;
  return file;
}

bool SaysTheSame(const MemoryFile& stored, const MemoryFile& wanted) {
  return stored == wanted || stored == DecodeMemoryFile(wanted.path, EncodeMemoryFile(wanted));
}

}  // namespace god33::letta::app_server
