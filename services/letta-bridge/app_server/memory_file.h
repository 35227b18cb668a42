#pragma once

#include <string>
#include <string_view>

#include "services/letta-bridge/backend.h"

// The App Server keeps an agent's memory as Markdown files in git, each with a front matter that must hold a
// description:
//
//   ---
//   description: what the task is
//   ---
//
//   the content

namespace god33::letta::app_server {

// The text of the file. A description is one line there; an empty one, which would be refused, becomes the path.
std::string EncodeMemoryFile(const MemoryFile& file);

// What the text of a file stands for. One without front matter has no description. Members of the front matter
// other than the description are not kept. Undoes EncodeMemoryFile.
MemoryFile DecodeMemoryFile(std::string_view path, std::string_view text);

// Whether the server's file `stored`, decoded, says what `wanted` says.
bool SaysTheSame(const MemoryFile& stored, const MemoryFile& wanted);

}  // namespace god33::letta::app_server
