#pragma once

#include "json/value.h"
#include "services/letta-bridge/backend.h"

namespace god33::letta::app_server {

// A message as the server lists it, or as it comes in the stream, there maybe a piece of one.
Message ReadMessage(json::Value message);

}  // namespace god33::letta::app_server
