#include "transcode/path_template.h"

#include <algorithm>

#include "base/error.h"
#include "base/strings.h"
#include "http/url.h"

namespace god33::transcode {
namespace {

bool IsFieldPathCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.';
}

bool MatchesLiteral(std::string_view raw, std::string_view literal) {
  if (raw.find('%') == std::string_view::npos) return raw == literal;
  const auto decoded = http::PercentDecode(raw);
  return decoded.ok() && *decoded == literal;
}

// Decodes all but slashes.
absl::StatusOr<std::string> DecodeKeepingSlashes(std::string_view raw) {
  std::string kept;
  for (;;) {
    const std::size_t slash = std::min(raw.find("%2F"), raw.find("%2f"));
    const auto decoded = http::PercentDecode(raw.substr(0, slash));
    if (!decoded.ok()) return decoded.status();
    kept += *decoded;
    if (slash == std::string_view::npos) return kept;
    kept += raw.substr(slash, 3);
    raw.remove_prefix(slash + 3);
  }
}

}  // namespace

RawSegments SplitPath(std::string_view path) {
  RawSegments segments;
  if (!path.empty() && path[0] == '/') path.remove_prefix(1);
  for (;;) {
    const std::size_t slash = path.find('/');
    segments.push_back(path.substr(0, slash));
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

// Recursive descent over the grammar of google/api/http.proto.
class PathTemplateParser {
 public:
  explicit PathTemplateParser(std::string_view text) : rest_(text) { result_.text_ = text; }

  absl::StatusOr<PathTemplate> Run() {
    if (!Take('/')) return Expected("a leading '/'");
    if (absl::Status status = Segments(/*in_variable=*/false); !status.ok()) return status;
    if (Take(':')) {
      result_.verb_ = Literal();
      if (result_.verb_.empty()) return Expected("a verb after ':'");
    }
    if (!rest_.empty()) return Expected("'/', ':' or the end");
    for (const auto& segment : result_.segments_) {
      if (segment.kind == Kind::kMany && &segment != &result_.segments_.back()) {
        return InvalidArgument(
            StrCat("path template \"", result_.text_, "\": '**' must come last"));
      }
    }
    return std::move(result_);
  }

 private:
  using Kind = PathTemplate::Kind;

  absl::Status Segments(bool in_variable) {
    do {
      if (absl::Status status = Segment(in_variable); !status.ok()) return status;
    } while (Take('/'));
    return absl::OkStatus();
  }

  absl::Status Segment(bool in_variable) {
    if (Take('*')) {
      result_.segments_.push_back({Take('*') ? Kind::kMany : Kind::kOne, ""});
      return absl::OkStatus();
    }
    if (Take('{')) {
      if (in_variable) return Expected("no variable inside a variable");
      return Variable();
    }
    std::string literal = Literal();
    if (literal.empty()) return Expected("a literal, '*', '**' or '{'");
    result_.segments_.push_back({Kind::kLiteral, std::move(literal)});
    return absl::OkStatus();
  }

  absl::Status Variable() {
    PathTemplate::Variable variable{.begin = result_.segments_.size()};
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), IsFieldPathCharacter);
    variable.field_path = std::string(rest_.begin(), end);
    rest_.remove_prefix(variable.field_path.size());
    if (variable.field_path.empty()) return Expected("a field's name");
    if (Take('=')) {
      if (absl::Status status = Segments(/*in_variable=*/true); !status.ok()) return status;
    } else {
      result_.segments_.push_back({Kind::kOne, ""});
    }
    if (!Take('}')) return Expected("'}'");
    variable.end = result_.segments_.size();
    variable.many =
        variable.end - variable.begin != 1 || result_.segments_.back().kind != Kind::kOne;
    for (const auto& other : result_.variables_) {
      if (other.field_path == variable.field_path) {
        return Expected(StrCat("\"", variable.field_path, "\" only once"));
      }
    }
    result_.variables_.push_back(std::move(variable));
    return absl::OkStatus();
  }

  std::string Literal() {
    const std::string_view literal = rest_.substr(0, rest_.find_first_of("/:*{}="));
    rest_.remove_prefix(literal.size());
    return std::string(literal);
  }

  bool Take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  absl::Status Expected(std::string_view what) const {
    return InvalidArgument(StrCat("path template \"", result_.text_, "\": at byte ",
                                  result_.text_.size() - rest_.size(), ": expected ", what));
  }

  std::string_view rest_;
  PathTemplate result_;
};

absl::StatusOr<PathTemplate> PathTemplate::Parse(std::string_view text) {
  return PathTemplateParser(text).Run();
}

std::string PathTemplate::Shape() const {
  std::string shape;
  for (const Segment& segment : segments_) {
    shape += '/';
    shape += segment.kind == Kind::kOne    ? "*"
             : segment.kind == Kind::kMany ? "**"
                                           : segment.literal;
  }
  if (!verb_.empty()) StrAppend(&shape, ":", verb_);
  return shape;
}

bool PathTemplate::CutVerb(RawSegments& path) const {
  if (verb_.empty()) return true;
  std::string_view& last = path.back();
  const std::size_t colon = last.rfind(':');
  if (colon == std::string_view::npos || last.substr(colon + 1) != verb_) return false;
  last = last.substr(0, colon);
  return true;
}

bool PathTemplate::Matches(const RawSegments& path) const {
  const bool open = segments_.back().kind == Kind::kMany;
  const std::size_t fixed = segments_.size() - (open ? 1 : 0);
  if (path.size() < fixed || (!open && path.size() > fixed)) return false;
  RawSegments cut = path;
  if (!CutVerb(cut)) return false;
  for (std::size_t i = 0; i < cut.size(); ++i) {
    if (cut[i].empty()) return false;
    if (i < fixed && segments_[i].kind == Kind::kLiteral &&
        !MatchesLiteral(cut[i], segments_[i].literal)) {
      return false;
    }
  }
  return true;
}

absl::StatusOr<std::vector<std::string>> PathTemplate::Extract(const RawSegments& path) const {
  RawSegments cut = path;
  CutVerb(cut);
  std::vector<std::string> values;
  for (const Variable& variable : variables_) {
    const bool open = variable.end == segments_.size() && segments_.back().kind == Kind::kMany;
    const auto begin = cut.begin() + static_cast<std::ptrdiff_t>(variable.begin);
    const auto end = open ? cut.end() : cut.begin() + static_cast<std::ptrdiff_t>(variable.end);
    std::string raw;
    for (auto segment = begin; segment != end; ++segment) {
      if (segment != begin) raw += '/';
      raw += *segment;
    }
    auto value = variable.many ? DecodeKeepingSlashes(raw) : http::PercentDecode(raw);
    if (!value.ok()) return InvalidField(variable.field_path, MessageOf(value.status()));
    values.push_back(*std::move(value));
  }
  return values;
}

bool IsMoreSpecific(const PathTemplate& a, const PathTemplate& b) {
  if (a.verb_.empty() != b.verb_.empty()) return b.verb_.empty();
  const std::size_t common = std::min(a.segments_.size(), b.segments_.size());
  for (std::size_t i = 0; i < common; ++i) {
    if (a.segments_[i].kind != b.segments_[i].kind)
      return a.segments_[i].kind < b.segments_[i].kind;
  }
  return a.segments_.size() < b.segments_.size();
}

}  // namespace god33::transcode
