#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace god33::transcode {

// A path cut at its slashes, each segment as sent: percent-encoded, without the leading '/'.
using RawSegments = std::vector<std::string_view>;

RawSegments SplitPath(std::string_view path);

// A path template of google.api.http (google/api/http.proto, "Path template syntax"):
//   "/v1/{name=shelves/*}/books/{book.id}:archive", "/files/{path=**}"
// '*' is one segment, '**' any number of them, at the end only. An empty segment of a path ("//", a
// trailing '/') matches neither.
class PathTemplate {
 public:
  // A field that takes part of the path.
  struct Variable {
    std::string field_path;  // "book.id"
    std::size_t begin = 0;   // its first segment
    std::size_t end = 0;     // behind its last; for one that ends in '**', that of the template
    bool many = false;       // anything but a single '*'
  };

  static absl::StatusOr<PathTemplate> Parse(std::string_view text);

  // The template as given.
  const std::string& text() const { return text_; }

  const std::vector<Variable>& variables() const { return variables_; }

  // Equal for two templates that match the same paths.
  std::string Shape() const;

  // Literals match what they are when decoded: "%65vents" is "events".
  bool Matches(const RawSegments& path) const;

  // The variables' values, in their order, in a path that matches; decoded after splitting: "a%2Fb"
  // is one segment with the value "a/b". In a variable of many segments %2F stays, as
  // google.api.http says. InvalidArgument for a malformed percent encoding, with the variable's
  // field.
  absl::StatusOr<std::vector<std::string>> Extract(const RawSegments& path) const;

  // Whether `a` is to be tried before `b`: a verb before none, then from the left a literal before
  // '*' before '**'. A strict weak order.
  friend bool IsMoreSpecific(const PathTemplate& a, const PathTemplate& b);

 private:
  friend class PathTemplateParser;

  enum class Kind { kLiteral, kOne, kMany };
  struct Segment {
    Kind kind = Kind::kLiteral;
    std::string literal;
  };

  // Takes the verb off the path. False if it has another one.
  bool CutVerb(RawSegments& path) const;

  std::string text_;
  std::vector<Segment> segments_;
  std::vector<Variable> variables_;
  std::string verb_;
};

}  // namespace god33::transcode
