#include "event/fields.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/strings.h"
#include "json/text.h"
#include "json/write.h"

namespace god33::event {
namespace {

// Keys that differ in half a UTF-16 pair are different ones.
std::string KeyOf(std::string_view quoted) {
  return json::Unescape(quoted, json::LoneSurrogate::kKeep);
}

}  // namespace

Fields::Fields(const json::Value& object) {
  for (const json::Member member : object.members()) {
    const auto [position, inserted] = index_.try_emplace(KeyOf(member.raw_key), entries_.size());
    if (inserted) {
      entries_.push_back({member});
    } else {
      entries_[position->second].member = member;
    }
  }
}

const Fields::Entry* Fields::Find(std::string_view key) const {
  const auto found = index_.find(ToAbsl(key));
  if (found == index_.end()) return nullptr;
  const Entry& entry = entries_[found->second];
  return entry.member.value.is_null() ? nullptr : &entry;
}

std::optional<json::Value> Fields::Peek(std::string_view key) const {
  const Entry* entry = Find(key);
  return entry ? std::optional(entry->member.value) : std::nullopt;
}

std::optional<json::Value> Fields::Take(std::string_view key) {
  const Entry* entry = Find(key);
  if (entry == nullptr) return std::nullopt;
  entries_[static_cast<std::size_t>(entry - entries_.data())].taken = true;
  return entry->member.value;
}

std::optional<std::string> Fields::TakeString(std::string_view key) {
  const auto value = Peek(key);
  if (!value || !value->is_string()) return std::nullopt;
  Take(key);
  return value->ToString();
}

std::vector<json::Member> Fields::Rest() const {
  std::vector<json::Member> rest;
  for (const Entry& entry : entries_) {
    if (!entry.taken && !entry.member.value.is_null()) rest.push_back(entry.member);
  }
  return rest;
}

void Fields::TakeRest() {
  for (Entry& entry : entries_) entry.taken = true;
}

void AddToMeta(std::string& meta, const std::vector<NewMember>& members) {
  if (members.empty()) return;
  std::string merged;
  json::Writer writer(merged);
  writer.BeginObject();
  absl::flat_hash_set<std::string> keys;
  if (!meta.empty()) {
    const json::Value old = json::Value::Checked(meta);
    if (old.is_object()) {
      for (const json::Member member : old.members()) {
        keys.insert(KeyOf(member.raw_key));
        writer.RawKey(member.raw_key);
        writer.Raw(member.value.text());
      }
    } else {
      keys.insert("meta");
      writer.Key("meta");
      writer.Raw(old.text());
    }
  }
  for (const NewMember& member : members) {
    std::string quoted = member.key;
    for (std::string key = KeyOf(quoted); !keys.insert(key).second; key.push_back('_')) {
      quoted.insert(quoted.size() - 1, 1, '_');
    }
    writer.RawKey(quoted);
    writer.Raw(member.json);
  }
  writer.EndObject();
  meta = std::move(merged);
}

}  // namespace god33::event
