#include "services/letta-bridge/app_server/question.h"

#include <string_view>
#include <vector>

#include "base/strings.h"
#include "json/write.h"
#include "services/letta-bridge/app_server/frame.h"

namespace god33::letta::app_server {
namespace {

void AppendLine(std::string& text, std::string_view line) {
  if (line.empty()) return;
  StrAppend(&text, text.empty() ? "" : "\n", line);
}

}  // namespace

std::string QuestionArguments(json::Value input) {
  std::size_t count = 0;
  for (const json::Value question : ElementsOf(input, "questions")) count += question.is_object();
  std::string asked;
  std::string context;
  std::vector<std::string> options;
  std::size_t number = 0;
  for (const json::Value question : ElementsOf(input, "questions")) {
    if (!question.is_object()) continue;
    const std::string prefix = count > 1 ? StrCat(++number, ". ") : "";
    AppendLine(asked, StrCat(prefix, TextOf(question, "question")));
    const std::string header = TextOf(question, "header");
    if (!header.empty()) AppendLine(context, StrCat(prefix, header));
    for (const json::Value option : ElementsOf(question, "options")) {
      if (!option.is_object()) continue;
      const std::string label = TextOf(option, "label");
      options.push_back(StrCat(prefix, label));
      const std::string description = TextOf(option, "description");
      if (!description.empty()) AppendLine(context, StrCat(prefix, label, ": ", description));
    }
  }
  std::string arguments;
  json::Writer writer(arguments);
  writer.BeginObject();
  WriteMember(writer, "question", asked);
  writer.Key("options");
  writer.BeginArray();
  for (const std::string& option : options) writer.String(option);
  writer.EndArray();
  WriteMember(writer, "context", context);
  writer.EndObject();
  return arguments;
}

}  // namespace god33::letta::app_server
