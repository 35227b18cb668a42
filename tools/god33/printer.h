#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "google/protobuf/message.h"
#include "tools/god33/output.h"
#include "tools/god33/table.h"
#include "transcode/json_writer.h"

namespace god33::cli {

enum class Format {
  kTable,  // for people
  kJson,   // what REST answers: byte for byte when piped, indented on a terminal
  kJsonl,  // one object a line; of a list, one of its items a line
  kYaml,
};

// "table", "json", "jsonl" or "yaml".
Format FormatNamed(std::string_view name);

// Where and how results are printed.
struct Paper {
  Format format = Format::kTable;
  Screen screen;
  Output& out;
};

// Prints one JSON object. `table` makes the form for people.
absl::Status PrintJson(const Paper& paper, std::string_view json,
                       const std::function<std::string()>& table);

// The same for a message, whose JSON is that of REST.
absl::Status PrintMessage(const Paper& paper, const google::protobuf::Message& message,
                          const std::function<std::string()>& table);

// How the items of a list look in a table.
struct ListView {
  std::vector<Column> columns;
  std::function<Row(const google::protobuf::Message& item)> row;
};

// Prints the answer of a List method, page by page as the pages come, as if it had been one answer:
// what the first answer says before the list, the items of all pages, then what the last answer says
// behind them (total, position, ...).
class ListPrinter {
 public:
  // `answer` is the type of the method's responses; its first repeated field is the list.
  ListPrinter(const Paper& paper, const google::protobuf::Descriptor& answer, ListView view);

  // Prints the items of a page and hands them over to the reader at once.
  absl::Status AddPage(const google::protobuf::Message& answer);

  // To be called once, with the last page, after AddPage.
  absl::Status Finish(const google::protobuf::Message& answer);

 private:
  absl::Status AddItem(const google::protobuf::Message& item);

  // Before the first item, or before the end if there is none.
  absl::Status Begin();
  absl::Status WriteHead();

  // The members of the answer before its list as a JSON object without its end: {"root_event":{...},
  std::string HeadOf(const google::protobuf::Message& answer) const;

  // The answer's JSON behind its list: "]" and the other members.
  std::string TailOf(const google::protobuf::Message& answer) const;

  Paper paper_;
  const google::protobuf::FieldDescriptor& list_;
  ListView view_;
  Table table_;
  transcode::JsonWriter item_json_;
  transcode::JsonWriter answer_json_;
  std::string head_;  // of the first answer
  std::size_t items_ = 0;
};

}  // namespace god33::cli
