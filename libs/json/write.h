#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/strings.h"
#include "json/text.h"

namespace god33::json {

// Writes JSON by appending to a string; commas and colons come by themselves. The caller keeps the
// order of calls sensible: a Key before each value inside an object.
class Writer {
 public:
  explicit Writer(std::string& out) : out_(out) {}

  void BeginObject() { Open('{'); }
  void EndObject() { Close('}'); }
  void BeginArray() { Open('['); }
  void EndArray() { Close(']'); }

  void Key(std::string_view key) {
    Separate();
    AppendString(out_, key);
    out_.push_back(':');
    first_ = true;  // the value follows without a comma
  }

  // A key that is JSON text already, with its quotes.
  void RawKey(std::string_view quoted) {
    Separate();
    out_.append(quoted).push_back(':');
    first_ = true;
  }

  void String(std::string_view text) {
    Separate();
    AppendString(out_, text);
  }
  void Int(std::int64_t number) {
    Separate();
    StrAppend(&out_, number);
  }
  void Bool(bool value) { Raw(value ? "true" : "false"); }
  void Null() { Raw("null"); }

  // A value that is JSON text already.
  void Raw(std::string_view json) {
    Separate();
    out_.append(json);
  }

 private:
  void Separate() {
    if (!first_) out_.push_back(',');
    first_ = false;
  }
  void Open(char bracket) {
    Separate();
    out_.push_back(bracket);
    first_ = true;
  }
  void Close(char bracket) {
    out_.push_back(bracket);
    first_ = false;
  }

  std::string& out_;
  bool first_ = true;
};

}  // namespace god33::json
