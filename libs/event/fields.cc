#include "event/fields.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/strings.h"
#include "json/write.h"

namespace god33::event {

Fields::Fields(const json::Value& object) {
  for (const json::Member member : object.members()) {
    const auto [position, inserted] = index_.try_emplace(member.key(), entries_.size());
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

void AddToMeta(std::string& meta, const std::vector<NewMember>& members) {
  if (members.empty()) return;
  std::string merged;
  json::Writer writer(merged);
  writer.BeginObject();
  absl::flat_hash_set<std::string> keys;
  const auto add = [&](std::string key, std::string_view json) {
    while (!keys.insert(key).second) key.push_back('_');
    writer.Key(key);
    writer.Raw(json);
  };
  if (!meta.empty()) {
    const json::Value old = json::Value::Checked(meta);
    if (old.is_object()) {
      for (const json::Member member : old.members()) add(member.key(), member.value.text());
    } else {
      add("meta", old.text());
    }
  }
  for (const NewMember& member : members) add(member.key, member.json);
  writer.EndObject();
  meta = std::move(merged);
}

}  // namespace god33::event
