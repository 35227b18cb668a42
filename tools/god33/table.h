#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace god33::cli {

// What a screen can show.
struct Screen {
  bool terminal = false;
  bool color = false;      // only on a terminal
  std::size_t width = 0;   // columns; 0: no limit
  std::size_t height = 0;  // rows; 0: no limit
  bool ascii = false;      // by the locale it has no UTF-8: lines are drawn in ASCII
  bool cursor = false;     // a terminal whose cursor can be moved
};

struct Column {
  std::string title;
  bool right = false;  // for numbers
};

// One line of a table; a cell for each column.
using Row = std::vector<std::string>;

// Aligned columns under a header. Cells are made visible (visible.h); lines are cut to the screen's
// width. Rows may come in portions: a column is as wide as what it has held so far, so that the
// beginning of a long list can be shown before its end is known.
class Table {
 public:
  Table(std::vector<Column> columns, const Screen& screen);

  // The lines for these rows; the first call starts with the header.
  std::string Render(const std::vector<Row>& rows);

 private:
  std::string Line(const Row& cells) const;

  std::vector<Column> columns_;
  std::vector<std::size_t> widths_;
  Screen screen_;
  bool header_due_ = true;
};

// Names and values in two columns, for one thing in detail. Values are made visible; nothing is
// cut.
class Details {
 public:
  // Left out when `value` is empty.
  void Add(std::string_view name, std::string_view value);

  // A value of several lines, which stand below each other; left out when there are none.
  void AddLines(std::string_view name, const std::vector<std::string>& lines);

  std::string Render() const;

 private:
  struct Entry {
    std::string name;
    std::vector<std::string> lines;
  };
  std::vector<Entry> entries_;
};

}  // namespace god33::cli
