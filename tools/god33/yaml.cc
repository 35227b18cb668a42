#include "tools/god33/yaml.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "base/error.h"
#include "base/strings.h"
#include "json/value.h"
#include "tools/god33/visible.h"

namespace god33::cli {
namespace {

// Words that YAML 1.1 or 1.2 reads as something else than themselves.
bool IsReserved(std::string_view text) {
  constexpr std::array<std::string_view, 9> kWords{"true", "false", "null", "yes", "no",
                                                   "on",   "off",   "y",    "n"};
  const std::string lower = absl::AsciiStrToLower(ToAbsl(text));
  return std::find(kWords.begin(), kWords.end(), lower) != kWords.end();
}

// Whether every YAML reader takes the bare text for a string: a letter, then letters, digits and a
// few signs that mean nothing in YAML.
bool IsPlain(std::string_view text) {
  constexpr std::size_t kMostPlain = 200;
  if (text.empty() || text.size() > kMostPlain || !absl::ascii_isalpha(text[0])) return false;
  return !IsReserved(text) && std::all_of(text.begin(), text.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '.' || c == '-' || c == '_' || c == '/';
  });
}

bool HasUnsafe(std::string_view text) {
  while (!text.empty()) {
    const auto [code, bytes] = FirstCharacter(text);
    if (IsUnsafe(code)) return true;
    text.remove_prefix(bytes);
  }
  return false;
}

void EmitString(YAML::Emitter& out, const std::string& text) {
  if (!IsPlain(text)) out << YAML::DoubleQuoted;
  if (HasUnsafe(text)) out << YAML::EscapeNonAscii;
  out << text;
}

void Emit(YAML::Emitter& out, const json::Value& value);

// An object's members; of those with one key only the last.
std::vector<json::Member> DistinctMembers(const json::Value& object) {
  std::vector<json::Member> members;
  absl::flat_hash_map<std::string, std::size_t> last;
  for (const json::Member member : object.members()) {
    last[member.key()] = members.size();
    members.push_back(member);
  }
  if (last.size() == members.size()) return members;
  std::vector<json::Member> distinct;
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (last[members[i].key()] == i) distinct.push_back(members[i]);
  }
  return distinct;
}

// "[]" and "{}" stand behind their key, everything else below it.
void EmitObject(YAML::Emitter& out, const json::Value& object) {
  const std::vector<json::Member> members = DistinctMembers(object);
  if (members.empty()) out << YAML::Flow;
  out << YAML::BeginMap;
  for (const json::Member& member : members) {
    out << YAML::Key;
    EmitString(out, member.key());
    out << YAML::Value;
    Emit(out, member.value);
  }
  out << YAML::EndMap;
}

void EmitArray(YAML::Emitter& out, const json::Value& array) {
  const json::Elements elements = array.elements();
  if (!(elements.begin() != elements.end())) out << YAML::Flow;
  out << YAML::BeginSeq;
  for (const json::Value element : elements) Emit(out, element);
  out << YAML::EndSeq;
}

// Recursion is as deep as the JSON, which was limited when it was parsed.
void Emit(YAML::Emitter& out, const json::Value& value) {
  switch (value.kind()) {
    case json::Kind::kObject:
      return EmitObject(out, value);
    case json::Kind::kArray:
      return EmitArray(out, value);
    case json::Kind::kString:
      return EmitString(out, value.ToString());
    case json::Kind::kNumber:
      out << std::string(value.text());
      return;
    case json::Kind::kBool:
      out << value.ToBool();
      return;
    case json::Kind::kNull:
      out << YAML::Null;
  }
}

absl::StatusOr<std::string> Convert(std::string_view json, bool as_item) {
  const auto value = json::Value::Parse(json, json::kUtmostDepth);
  if (!value.ok()) {
    return MakeError(absl::StatusCode::kFailedPrecondition, "NOT_YAML",
                     StrCat("can't be written as YAML: ", MessageOf(value.status())));
  }
  YAML::Emitter out;
  out.SetNullFormat(YAML::LowerNull);
  if (as_item) out << YAML::BeginSeq;
  Emit(out, *value);
  if (as_item) out << YAML::EndSeq;
  if (!out.good()) {
    return MakeError(absl::StatusCode::kInternal, "NOT_YAML", out.GetLastError());
  }
  return StrCat(std::string_view(out.c_str(), out.size()), "\n");
}

}  // namespace

absl::StatusOr<std::string> JsonToYaml(std::string_view json) {
  return Convert(json, false);
}

absl::StatusOr<std::string> JsonToYamlItem(std::string_view json) {
  return Convert(json, true);
}

}  // namespace god33::cli
