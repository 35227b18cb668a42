#pragma once

#include <cstddef>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"

namespace god33::json {

// Values nested deeper than this are refused: PostgreSQL and most clients parse by recursion.
inline constexpr std::size_t kMaxDepth = 1000;

// No more can be asked for where a text may be deeper than its parts.
inline constexpr std::size_t kUtmostDepth = 1024;

enum class Kind { kNull, kBool, kNumber, kString, kArray, kObject };

// "null", "a boolean", "a number", ...: for messages.
std::string_view Describe(Kind kind);

struct Member;
class Members;
class Elements;

// One JSON value as a view of its own text, which must outlive it. Nothing is converted until it is
// asked for, so keys, order, duplicates, every digit and every escape are still there. A Value can
// only be had from text that was checked as a whole; reading it can't fail. Cheap to copy.
class Value {
 public:
  // Checks that `text` is one RFC 8259 value (blanks around it allowed) in valid UTF-8, nested at
  // most `most_depth` deep. Escapes may name \u0000 and lone surrogates: producers send them, and the
  // text keeps them. InvalidArgument tells the byte and what was expected there. Takes no
  // recursion.
  static absl::StatusOr<Value> Parse(std::string_view text, std::size_t most_depth = kMaxDepth);

  // The same for text that is known to have passed Parse before, such as an envelope's payload or a
  // json column: spares checking it again. On any other text, reading the value is undefined.
  static Value Checked(std::string_view text);

  Kind kind() const;
  bool is_null() const { return kind() == Kind::kNull; }
  bool is_object() const { return kind() == Kind::kObject; }
  bool is_string() const { return kind() == Kind::kString; }

  // The value's text, without blanks around it.
  std::string_view text() const { return text_; }

  // Objects only: the members in their order, duplicates included.
  Members members() const;

  // Objects only: the value of the last member with this key, as JavaScript and Python read
  // duplicates.
  std::optional<Value> Find(std::string_view key) const;

  // Arrays only.
  Elements elements() const;

  // Strings only: the text without quotes and escapes, in UTF-8; a lone surrogate becomes U+FFFD.
  std::string ToString() const;

  // Booleans only.
  bool ToBool() const { return text_[0] == 't'; }

  // The number if it is an integer that fits, written without fraction and exponent.
  std::optional<std::int64_t> ToInt64() const;

 private:
  friend class Members;
  friend class Elements;
  explicit Value(std::string_view text) : text_(text) {}

  std::string_view text_;
};

// A member of an object.
struct Member {
  // The key as written, with quotes and escapes.
  std::string_view raw_key;
  Value value;

  // The key without quotes and escapes.
  std::string key() const;

  // Whether the key is `name`; costs no allocation when it has no escapes.
  bool Is(std::string_view name) const;
};

// The members of an object, for range-for.
class Members {
 public:
  class Iterator {
   public:
    using value_type = Member;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    Iterator& operator++();
    Member operator*() const { return Member{key_, Value(value_)}; }
    friend bool operator!=(const Iterator& a, const Iterator& b) { return a.at_ != b.at_; }

   private:
    friend class Members;
    explicit Iterator(const char* at) : at_(at) {}
    void Read();

    const char* at_;  // at the key's opening quote, or at the closing brace
    std::string_view key_;
    std::string_view value_;
  };

  explicit Members(std::string_view object) : object_(object) {}
  Iterator begin() const;
  Iterator end() const { return Iterator(object_.data() + object_.size() - 1); }

 private:
  std::string_view object_;
};

// The elements of an array, for range-for.
class Elements {
 public:
  class Iterator {
   public:
    using value_type = Value;
    using difference_type = std::ptrdiff_t;
    using iterator_category = std::input_iterator_tag;

    Iterator& operator++();
    Value operator*() const { return Value(value_); }
    friend bool operator!=(const Iterator& a, const Iterator& b) { return a.at_ != b.at_; }

   private:
    friend class Elements;
    explicit Iterator(const char* at) : at_(at) {}
    void Read();

    const char* at_;  // at the element's first character, or at the closing bracket
    std::string_view value_;
  };

  explicit Elements(std::string_view array) : array_(array) {}
  Iterator begin() const;
  Iterator end() const { return Iterator(array_.data() + array_.size() - 1); }

 private:
  std::string_view array_;
};

}  // namespace god33::json
