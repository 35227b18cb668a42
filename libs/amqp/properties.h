#pragma once

#include <amqp.h>

#include <string>

namespace god33::amqp {

// AMQP's basic properties and headers as a JSON object: {"content_type":"...","headers":{...},...}.
// Bytes that are no UTF-8 become U+FFFD. The same for each delivery of a message: what the broker counts
// in its headers is left out.
std::string PropertiesToJson(const amqp_basic_properties_t& properties);

}  // namespace god33::amqp
