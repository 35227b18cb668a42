#include "event/fields.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/strings.h"
#include "json/text.h"
#include "json/write.h"

namespace god33::event {
namespace {

constexpr std::size_t kFewMembers = 16;

// Keys that differ in half a UTF-16 pair are different ones.
std::string Unescaped(std::string_view quoted) {
  return json::Unescape(quoted, json::LoneSurrogate::kKeep);
}

// The keys of one object. Takes no longer where somebody has taken k, k_, k__ and so on.
class Keys {
 public:
  void Add(std::string_view key) {
    const auto [tails, count] = Split(key);
    tails->try_emplace(count, count + 1);
  }

  // Adds the key with so many '_' behind it that it is a new one; returns how many.
  std::size_t AddNew(std::string_view key) {
    const auto [tails, count] = Split(key);
    std::size_t free = count;
    for (auto next = tails->find(free); next != tails->end(); next = tails->find(free)) {
      free = next->second;
    }
    // Who comes by again goes there in one step.
    for (std::size_t at = count; at != free;) at = std::exchange((*tails)[at], free);
    tails->emplace(free, free + 1);
    return free - count;
  }

 private:
  // Keys that differ only in how many '_' they end with, by that number: where to look for a free one.
  using Tails = absl::flat_hash_map<std::size_t, std::size_t>;

  std::pair<Tails*, std::size_t> Split(std::string_view key) {
    const std::size_t stem = key.find_last_not_of('_') + 1;
    return {&tails_[std::string(key.substr(0, stem))], key.size() - stem};
  }

  absl::flat_hash_map<std::string, Tails> tails_;  // by what is before the '_'
};

}  // namespace

Fields::Fields(const json::Value& object) {
  entries_.reserve(kFewMembers);
  for (const json::Member member : object.members()) Add(member);
}

void Fields::Add(const json::Member& member) {
  const std::string_view key = KeyOf(member);
  const std::size_t i = IndexOf(key);
  if (i < entries_.size()) {
    entries_[i].member = member;
    return;
  }
  entries_.push_back({key, member});
  if (entries_.size() <= kFewMembers) return;
  for (std::size_t n = index_.size(); n < entries_.size(); ++n) {
    index_.emplace(ToAbsl(entries_[n].key), n);
  }
}

std::string_view Fields::KeyOf(const json::Member& member) {
  const std::string_view quoted = member.raw_key;
  if (quoted.find('\\') == std::string_view::npos) return quoted.substr(1, quoted.size() - 2);
  return unescaped_.emplace_front(Unescaped(quoted));
}

// entries_.size(): there is none.
std::size_t Fields::IndexOf(std::string_view key) const {
  if (index_.empty()) {
    const auto found = std::find_if(entries_.begin(), entries_.end(),
                                    [key](const Entry& entry) { return entry.key == key; });
    return static_cast<std::size_t>(found - entries_.begin());
  }
  const auto found = index_.find(ToAbsl(key));
  return found == index_.end() ? entries_.size() : found->second;
}

const Fields::Entry* Fields::Find(std::string_view key) const {
  const std::size_t i = IndexOf(key);
  if (i == entries_.size() || entries_[i].member.value.is_null()) return nullptr;
  return &entries_[i];
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
  Keys keys;
  if (!meta.empty()) {
    const json::Value old = json::Value::Checked(meta);
    if (old.is_object()) {
      for (const json::Member member : old.members()) {
        keys.Add(Unescaped(member.raw_key));
        writer.RawKey(member.raw_key);
        writer.Raw(member.value.text());
      }
    } else {
      keys.Add("meta");
      writer.Key("meta");
      writer.Raw(old.text());
    }
  }
  for (const NewMember& member : members) {
    std::string quoted = member.key;
    quoted.insert(quoted.size() - 1, keys.AddNew(Unescaped(quoted)), '_');
    writer.RawKey(quoted);
    writer.Raw(member.json);
  }
  writer.EndObject();
  meta = std::move(merged);
}

}  // namespace god33::event
