#include "event/digest.h"

#include <algorithm>
#include <string>
#include <string_view>

#include "base/sha256.h"
#include "base/strings.h"
#include "json/canonical.h"

namespace god33::event {
namespace {

// Collects the normal form. Texts are framed by their length, so no content can imitate structure.
class Normal {
 public:
  explicit Normal(std::size_t expected_size) { form_.reserve(expected_size); }

  void Text(std::string_view text) { StrAppend(&form_, text.size(), ":", text); }

  void Optional(const std::optional<std::string>& text) {
    if (text) {
      Text(*text);
    } else {
      form_.push_back('-');
    }
  }

  void List(const std::vector<std::string>& texts) {
    StrAppend(&form_, texts.size(), "[");
    for (const std::string& text : texts) Text(text);
  }

  void Json(const std::string& text, json::Nulls nulls) {
    if (text.empty()) {
      form_.push_back('-');
    } else {
      json::AppendCanonical(form_, json::Value::Checked(text), nulls);
    }
  }

  void Number(std::int64_t number) { StrAppend(&form_, number, ";"); }
  void Mark(char c) { form_.push_back(c); }

  Uuid Digest() const {
    const Sha256Digest hash = Sha256(form_);
    Uuid digest;
    std::copy_n(hash.begin(), digest.bytes.size(), digest.bytes.begin());
    return digest;
  }

 private:
  std::string form_;
};

void AddContext(Normal& normal, const AgentContext& context) {
  normal.Optional(context.type);
  normal.Optional(context.name);
  normal.Optional(context.system_prompt);
  normal.Optional(context.instance_id);
  normal.List(context.mcp_servers);
  normal.List(context.file_references);
  normal.List(context.url_references);
  const CodeState code = context.code_state.value_or(CodeState());
  normal.Optional(code.repo_url);
  normal.Optional(code.branch);
  normal.Optional(code.working_diff);
  normal.Optional(code.branch_diff);
  normal.Optional(code.last_commit_hash);
  normal.Optional(context.checkpoint_id);
  normal.Json(context.meta, json::Nulls::kDrop);
}

}  // namespace

Uuid ContentDigest(const Envelope& envelope) {
  // Lengths and kinds take about as much as blanks, quotes and commas did; the rest of the envelope is small.
  Normal normal(envelope.payload.size() + envelope.payload.size() / 2 + 512);
  normal.Text(envelope.type);
  if (envelope.time_given) {
    normal.Number(absl::ToUnixMicros(envelope.time));
  } else {
    normal.Mark('-');
  }
  normal.Text(envelope.version);
  normal.Text(envelope.source.host);
  normal.Text(envelope.source.type);
  normal.Optional(envelope.source.app);
  normal.Json(envelope.source.meta, json::Nulls::kDrop);
  std::vector<Uuid> parents = envelope.parents;
  std::sort(parents.begin(), parents.end());
  normal.Number(static_cast<std::int64_t>(parents.size()));
  for (const Uuid& parent : parents) normal.Text(parent.View());
  AddContext(normal, envelope.agent_context.value_or(AgentContext()));
  normal.Json(envelope.payload, json::Nulls::kKeep);
  return normal.Digest();
}

}  // namespace god33::event
