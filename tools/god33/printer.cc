#include "tools/god33/printer.h"

#include <google/protobuf/reflection.h>

#include <memory>
#include <utility>

#include "base/strings.h"
#include "tools/god33/json_layout.h"
#include "tools/god33/yaml.h"

namespace god33::cli {

using google::protobuf::Descriptor;
using google::protobuf::Message;

namespace {

// Programs get what REST gives, a screen gets nothing it would obey.
Unsafe UnsafeOn(const Screen& screen) {
  return screen.terminal ? Unsafe::kEscape : Unsafe::kKeep;
}

const google::protobuf::FieldDescriptor& ListOf(const Descriptor& answer) {
  int i = 0;
  while (!answer.field(i)->is_repeated()) ++i;
  return *answer.field(i);
}

}  // namespace

Format FormatNamed(std::string_view name) {
  if (name == "json") return Format::kJson;
  if (name == "jsonl") return Format::kJsonl;
  if (name == "yaml") return Format::kYaml;
  return Format::kTable;
}

absl::Status PrintJson(const Paper& paper, std::string_view json,
                       const std::function<std::string()>& table) {
  switch (paper.format) {
    case Format::kTable:
      paper.out.Write(table());
      break;
    case Format::kJson:
      paper.out.Write(paper.screen.terminal ? IndentJson(json, Unsafe::kEscape)
                                            : std::string(json));
      paper.out.Write("\n");
      break;
    case Format::kJsonl:
      paper.out.Write(CompactJson(json, UnsafeOn(paper.screen)));
      paper.out.Write("\n");
      break;
    case Format::kYaml: {
      const auto yaml = JsonToYaml(json);
      if (!yaml.ok()) return yaml.status();
      paper.out.Write(*yaml);
    }
  }
  return paper.out.Flush();
}

absl::Status PrintMessage(const Paper& paper, const Message& message,
                          const std::function<std::string()>& table) {
  std::string json;
  transcode::JsonWriter(*message.GetDescriptor()).Append(json, message);
  return PrintJson(paper, json, table);
}

ListPrinter::ListPrinter(const Paper& paper, const Descriptor& answer, ListView view)
    : paper_(paper),
      list_(ListOf(answer)),
      view_(std::move(view)),
      table_(view_.columns, paper.screen),
      item_json_(*list_.message_type()),
      answer_json_(answer) {}

absl::Status ListPrinter::AddPage(const Message& answer) {
  if (items_ == 0) head_ = HeadOf(answer);
  const auto items = answer.GetReflection()->GetRepeatedFieldRef<Message>(answer, &list_);
  if (paper_.format == Format::kTable) {
    std::vector<Row> rows;
    for (const Message& item : items) rows.push_back(view_.row(item));
    paper_.out.Write(table_.Render(rows));
  } else {
    for (const Message& item : items) {
      if (absl::Status status = AddItem(item); !status.ok()) return status;
    }
  }
  return paper_.out.Flush();
}

absl::Status ListPrinter::AddItem(const Message& item) {
  std::string json;
  item_json_.Append(json, item);
  if (items_ == 0) {
    if (absl::Status status = Begin(); !status.ok()) return status;
  }
  const bool first = items_++ == 0;
  if (paper_.format == Format::kJsonl) {
    paper_.out.Write(CompactJson(json, UnsafeOn(paper_.screen)));
    paper_.out.Write("\n");
  } else if (paper_.format == Format::kYaml) {
    const auto yaml = JsonToYamlItem(json);
    if (!yaml.ok()) return yaml.status();
    paper_.out.Write(*yaml);
  } else {
    if (!first) paper_.out.Write(",");
    paper_.out.Write(paper_.screen.terminal ? StrCat("\n    ", IndentJson(json, Unsafe::kEscape, 2))
                                            : json);
  }
  return absl::OkStatus();
}

absl::Status ListPrinter::WriteHead() {
  const bool empty = head_ == "{";
  const std::string object = empty ? "{}" : StrCat(head_.substr(0, head_.size() - 1), "}");
  if (paper_.format == Format::kYaml && !empty) {
    const auto yaml = JsonToYaml(object);
    if (!yaml.ok()) return yaml.status();
    paper_.out.Write(*yaml);
  } else if (paper_.format == Format::kJson && paper_.screen.terminal && !empty) {
    // Without its end, "\n}".
    const std::string indented = IndentJson(object, Unsafe::kEscape);
    paper_.out.Write(StrCat(indented.substr(0, indented.size() - 2), ","));
  } else if (paper_.format == Format::kJson) {
    paper_.out.Write(head_);
  }
  return absl::OkStatus();
}

absl::Status ListPrinter::Begin() {
  if (absl::Status status = WriteHead(); !status.ok()) return status;
  if (paper_.format == Format::kYaml) {
    paper_.out.Write(StrCat(list_.name(), ":\n"));
  } else if (paper_.format == Format::kJson) {
    paper_.out.Write(paper_.screen.terminal ? StrCat("\n  \"", list_.name(), "\": [")
                                            : StrCat("\"", list_.name(), "\":["));
  }
  return absl::OkStatus();
}

std::string ListPrinter::HeadOf(const Message& answer) const {
  std::string head = "{";
  for (int i = 0; i < list_.index(); ++i) {
    const auto& field = *answer.GetDescriptor()->field(i);
    StrAppend(&head, "\"", field.name(), "\":");
    transcode::JsonWriter(*answer.GetDescriptor(), &field).Append(head, answer);
    head.push_back(',');
  }
  return head;
}

std::string ListPrinter::TailOf(const Message& answer) const {
  const std::unique_ptr<Message> rest(answer.New());
  rest->CopyFrom(answer);
  rest->GetReflection()->ClearField(rest.get(), &list_);
  std::string json;
  answer_json_.Append(json, *rest);
  return json.substr(StrCat(HeadOf(answer), "\"", list_.name(), "\":[").size());
}

absl::Status ListPrinter::Finish(const Message& answer) {
  const std::string tail = TailOf(answer);
  // The other members as an object of their own.
  const std::string others = StrCat("{", tail.substr(tail.size() > 2 ? 2 : 1));
  if (paper_.format == Format::kYaml) {
    if (items_ == 0) {
      if (absl::Status status = WriteHead(); !status.ok()) return status;
      paper_.out.Write(StrCat(list_.name(), ": []\n"));
    }
    if (others != "{}") {
      const auto yaml = JsonToYaml(others);
      if (!yaml.ok()) return yaml.status();
      paper_.out.Write(*yaml);
    }
  } else if (paper_.format == Format::kJson) {
    if (items_ == 0) {
      if (absl::Status status = Begin(); !status.ok()) return status;
    }
    if (paper_.screen.terminal) {
      paper_.out.Write(items_ == 0 ? "]" : "\n  ]");
      paper_.out.Write(others == "{}" ? "\n}"
                                      : StrCat(",", IndentJson(others, Unsafe::kEscape).substr(1)));
    } else {
      paper_.out.Write(tail);
    }
    paper_.out.Write("\n");
  }
  return paper_.out.Flush();
}

}  // namespace god33::cli
