#pragma once

#include <forward_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "json/value.h"

namespace god33::event {

// The members of a JSON object, taken one by one; what is left over at the end has no place of its
// own. null counts as absent, and of duplicates the last counts.
class Fields {
 public:
  explicit Fields(const json::Value& object);
  Fields(const Fields&) = delete;
  Fields& operator=(const Fields&) = delete;

  // The member's value, which counts as used from now on.
  std::optional<json::Value> Take(std::string_view key);

  // The same, if it is a string; a value of another kind stays in the rest.
  std::optional<std::string> TakeString(std::string_view key);

  // The member's value without using it.
  std::optional<json::Value> Peek(std::string_view key) const;

  bool Has(std::string_view key) const { return Peek(key).has_value(); }

  // Members that nobody took, in their order.
  std::vector<json::Member> Rest() const;

  // Takes them all.
  void TakeRest();

 private:
  struct Entry {
    std::string_view key;  // unescaped
    json::Member member;
    bool taken = false;
  };
  void Add(const json::Member& member);
  std::string_view KeyOf(const json::Member& member);
  std::size_t IndexOf(std::string_view key) const;
  const Entry* Find(std::string_view key) const;

  std::vector<Entry> entries_;
  std::forward_list<std::string> unescaped_;  // keys written with escapes; addresses stay valid

  // By key, of objects with many members; few are looked through.
  absl::flat_hash_map<absl::string_view, std::size_t> index_;
};

// A member to be: the key, with its quotes, and the value as JSON text.
struct NewMember {
  std::string key;
  std::string json;
};

// Adds members to a JSON object, as text. `meta` may be empty (none) or any JSON value; one that is
// no object is kept as the member "meta". A key that is there already stays, the new one gets a '_'
// behind.
void AddToMeta(std::string& meta, const std::vector<NewMember>& members);

}  // namespace god33::event
