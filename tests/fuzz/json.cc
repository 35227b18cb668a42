#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "fuzz/fuzz.h"
#include "json/canonical.h"
#include "json/check.h"
#include "json/text.h"
#include "json/value.h"
#include "json/write.h"

// JSON text, compared with simdjson, with itself written in another way, and with what its canonical form
// says: one from which the value can be had back is the form of no other value.

namespace god33::json {
namespace {

// What simdjson takes is JSON; what it refuses is none, except what it can't hold: numbers beyond 64 bits
// and a double, lone surrogates.
void CompareWithSimdjson(std::string_view text, bool ours) {
  static simdjson::dom::parser& parser = *new simdjson::dom::parser();
  const simdjson::error_code error =
      parser.parse(simdjson::padded_string(text.data(), text.size())).error();
  if (error == simdjson::SUCCESS) {
    fuzz::Check(ours || Check(text, kUtmostDepth).ok(), "what simdjson takes is JSON", text);
  } else if (ours) {
    fuzz::Check(error == simdjson::NUMBER_ERROR || error == simdjson::STRING_ERROR,
                "what is taken is JSON to simdjson", simdjson::error_message(error));
  }
}

// Every character escaped; `text` is UTF-8 that may hold halves of UTF-16 pairs.
std::string Escaped(std::string_view text) {
  std::string out = "\"";
  const auto unit = [&out](std::uint32_t code) {
    char digits[8];
    std::snprintf(digits, sizeof digits, "\\u%04X", code & 0xFFFF);
    out += digits;
  };
  for (std::size_t at = 0; at < text.size();) {
    const auto lead = static_cast<unsigned char>(text[at]);
    const int more = lead < 0x80 ? 0 : lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
    std::uint32_t code = more == 0 ? lead : lead & (0x3Fu >> more);
    for (++at; at < text.size() && (text[at] & 0xC0) == 0x80; ++at) {
      code = code << 6 | (static_cast<unsigned char>(text[at]) & 0x3F);
    }
    if (code >= 0x10000) {
      unit(0xD800 + ((code - 0x10000) >> 10));
      unit(0xDC00 + ((code - 0x10000) & 0x3FF));
    } else {
      unit(code);
    }
  }
  return out + '"';
}

std::string OtherNumber(std::string_view text) {
  std::string number(text);
  if (number.find_first_of("eE") != std::string::npos) return number;
  return number + (number.find('.') == std::string::npos ? ".00e+0" : "0E-0");
}

// The same value in other words: other blanks and escapes, other order of members.
void WriteOtherwise(Writer& writer, const Value& value) {
  switch (value.kind()) {
    case Kind::kObject: {
      std::vector<std::pair<std::string, Value>> members;
      for (const Member member : value.members()) {
        members.emplace_back(Unescape(member.raw_key, LoneSurrogate::kKeep), member.value);
      }
      std::stable_sort(members.begin(), members.end(),
                       [](const auto& a, const auto& b) { return a.first > b.first; });
      writer.BeginObject();
      for (const auto& [key, inner] : members) {
        writer.RawKey(Escaped(key) + " \n");
        WriteOtherwise(writer, inner);
      }
      return writer.EndObject();
    }
    case Kind::kArray:
      writer.BeginArray();
      for (const Value element : value.elements()) WriteOtherwise(writer, element);
      return writer.EndArray();
    case Kind::kString:
      return writer.Raw(Escaped(Unescape(value.text(), LoneSurrogate::kKeep)));
    case Kind::kNumber:
      return writer.Raw(OtherNumber(value.text()));
    default:
      return writer.Raw(value.text());
  }
}

// Reads a canonical form and writes the JSON that it stands for.
class CanonicalReader {
 public:
  explicit CanonicalReader(std::string_view form) : rest_(form) {}

  std::string Read() {
    std::string json;
    Writer writer(json);
    Value(writer);
    fuzz::Check(rest_.empty(), "a canonical form is one value", rest_);
    return json;
  }

 private:
  void Value(Writer& writer) {
    const char tag = Next();
    switch (tag) {
      case 'z':
        return writer.Null();
      case 't':
      case 'f':
        return writer.Bool(tag == 't');
      case 'n':
      case 'N':
        return writer.Raw(Framed());
      case 's':
        return writer.Raw(Escaped(Framed()));
      case '[':
        writer.BeginArray();
        while (rest_.substr(0, 1) != "]") Value(writer);
        Next();
        return writer.EndArray();
      default:
        fuzz::Check(tag == '{', "a canonical form has known tags", rest_);
        writer.BeginObject();
        for (std::size_t left = Size(); left > 0; --left) {
          fuzz::Check(Next() == 's', "a key is a string", rest_);
          writer.RawKey(Escaped(Framed()));
          Value(writer);
        }
        writer.EndObject();
    }
  }

  char Next() {
    fuzz::Check(!rest_.empty(), "a canonical form has an end");
    const char c = rest_[0];
    rest_.remove_prefix(1);
    return c;
  }

  // A number, and the ':' behind it.
  std::size_t Size() {
    std::size_t size = 0;
    const auto digits = fuzz::Take(rest_, ':');
    const auto error = std::from_chars(digits.data(), digits.data() + digits.size(), size).ec;
    fuzz::Check(error == std::errc(), "a size is a number", digits);
    return size;
  }

  std::string_view Framed() {
    const std::size_t size = Size();
    fuzz::Check(size <= rest_.size(), "a text is as long as it says");
    const std::string_view text = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return text;
  }

  std::string_view rest_;
};

std::string Canonical(std::string_view text, Nulls nulls) {
  const auto value = Value::Parse(text);
  fuzz::Check(value.ok(), "what is written is JSON", text);
  std::string form;
  AppendCanonical(form, *value, nulls);
  return form;
}

void CheckForms(const Value& value) {
  std::string otherwise;
  Writer writer(otherwise);
  WriteOtherwise(writer, value);
  for (const Nulls nulls : {Nulls::kKeep, Nulls::kDrop}) {
    const std::string form = Canonical(value.text(), nulls);
    fuzz::Check(Canonical(otherwise, nulls) == form, "one value has one form", otherwise);
    fuzz::Check(Canonical(CanonicalReader(form).Read(), nulls) == form,
                "a form has its value in it", form);
  }
}

// A text as a JSON string: what was UTF-8 comes back.
void CheckString(std::string_view text) {
  std::string quoted;
  AppendString(quoted, text);
  const auto value = Value::Parse(quoted);
  fuzz::Check(value.ok() && value->is_string(), "any text can be written as a string", quoted);
  const std::string back = value->ToString();
  if (ValidPrefix(text) == text.size()) {
    fuzz::Check(back == text, "a string comes back", quoted);
  } else {
    fuzz::Check(ValidPrefix(back) == back.size(), "a string is mended", quoted);
  }
  const std::string clean = CleanText(text);
  fuzz::Check(ValidPrefix(clean) == clean.size() && clean.find('\0') == std::string::npos,
              "clean text is clean", clean);
}

}  // namespace
}  // namespace god33::json

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text = god33::fuzz::Text(data, size);
  const auto value = god33::json::Value::Parse(text);
  god33::json::CompareWithSimdjson(text, value.ok());
  if (value.ok()) god33::json::CheckForms(*value);
  god33::json::CheckString(text);
  return 0;
}
