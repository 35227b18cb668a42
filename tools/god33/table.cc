#include "tools/god33/table.h"

#include <algorithm>
#include <utility>

#include "base/strings.h"
#include "tools/god33/visible.h"

namespace god33::cli {
namespace {

constexpr std::string_view kGap = "  ";
constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kPlain = "\x1b[0m";

Row TitlesOf(const std::vector<Column>& columns) {
  Row titles;
  for (const Column& column : columns) titles.push_back(column.title);
  return titles;
}

}  // namespace

Table::Table(std::vector<Column> columns, const Screen& screen)
    : columns_(std::move(columns)), screen_(screen) {
  for (const Column& column : columns_) widths_.push_back(column.title.size());
}

std::string Table::Render(const std::vector<Row>& rows) {
  std::vector<Row> shown = rows;
  for (Row& row : shown) {
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      row[i] = Visible(row[i]);
      widths_[i] = std::max(widths_[i], DisplayWidth(row[i]));
    }
  }
  std::string text;
  if (std::exchange(header_due_, false)) {
    const std::string header = Line(TitlesOf(columns_));
    text = screen_.color ? StrCat(kBold, header, kPlain, "\n") : StrCat(header, "\n");
  }
  for (const Row& row : shown) StrAppend(&text, Line(row), "\n");
  return text;
}

std::string Table::Line(const Row& cells) const {
  std::string line;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string padding(widths_[i] - DisplayWidth(cells[i]), ' ');
    if (i != 0) line += kGap;
    line += columns_[i].right ? StrCat(padding, cells[i]) : StrCat(cells[i], padding);
  }
  line.erase(line.find_last_not_of(' ') + 1);
  return screen_.width == 0 ? line : CutToWidth(line, screen_.width);
}

void Details::Add(std::string_view name, std::string_view value) {
  if (!value.empty()) AddLines(name, {std::string(value)});
}

void Details::AddLines(std::string_view name, const std::vector<std::string>& lines) {
  if (!lines.empty()) entries_.push_back({std::string(name), lines});
}

std::string Details::Render() const {
  std::size_t width = 0;
  for (const Entry& entry : entries_) width = std::max(width, entry.name.size());
  std::string text;
  for (const Entry& entry : entries_) {
    std::string_view name = entry.name;
    for (const std::string& line : entry.lines) {
      StrAppend(&text, name, std::string(width - name.size(), ' '), kGap, Visible(line), "\n");
      name = "";
    }
  }
  return text;
}

}  // namespace god33::cli
