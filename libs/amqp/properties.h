#pragma once

#include <amqp.h>

#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "json/value.h"

namespace god33::amqp {

// AMQP's basic properties and headers as a JSON object: {"content_type":"...","headers":{...},...}.
// Bytes that are no UTF-8 become U+FFFD. The same for each delivery of a message: what the broker counts
// in its headers is left out.
std::string PropertiesToJson(const amqp_basic_properties_t& properties);

// The reverse, for publishing a message again as it was: persistent, and without what is not the
// publisher's to say or would do harm:
//   expiration                  it would run out before anybody noticed
//   user_id                     the broker refuses any but its own connection's
//   reply_to amq.rabbitmq.*     belongs to a connection that has gone
//   x-death, x-first-death-*, x-last-death-*   the broker's own account
// JSON does not tell bytes from text or a header's time from a number: they go as text and as numbers.
// Short texts beyond AMQP's 255 bytes are cut; all headers are left out when they would not fit into
// one frame. Owns what properties() points to; move-only.
class CarriedProperties {
 public:
  // InvalidArgument if `json` is no object. `headers` replace those of the same names.
  static absl::StatusOr<CarriedProperties> FromJson(
      std::string_view json, const std::vector<std::pair<std::string, std::string>>& headers);

  CarriedProperties(CarriedProperties&&) = default;
  CarriedProperties& operator=(CarriedProperties&&) = default;

  const amqp_basic_properties_t& properties() const { return properties_; }

 private:
  using Entries = std::vector<amqp_table_entry_t>;

  CarriedProperties() = default;

  amqp_bytes_t Keep(std::string text);
  void SetText(std::string_view key, const std::string& text);
  void SetNumber(std::string_view key, const json::Value& value);
  void SetHeaders(const json::Value* original,
                  const std::vector<std::pair<std::string, std::string>>& headers);
  amqp_table_t Table(const json::Value& object, int depth);
  amqp_field_value_t Field(const json::Value& value, int depth);

  // Deques: addresses stay valid, also when the whole is moved.
  std::deque<std::string> texts_;
  std::deque<Entries> tables_;
  std::deque<std::vector<amqp_field_value_t>> arrays_;
  amqp_basic_properties_t properties_ = {};
  std::size_t header_bytes_ = 0;  // at most what the original headers take in a frame
};

}  // namespace god33::amqp
