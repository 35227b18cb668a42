#pragma once

#include <vector>

#include "transcode/openapi.h"

namespace god33::gateway {

// For the description of the API: the routes that the gateway answers by hand, which are the live stream
// (live.h, live_frames.h, live_request.h) and /healthz.
std::vector<transcode::HandMadeRoute> HandMadeRoutes();

}  // namespace god33::gateway
