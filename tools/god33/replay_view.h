#pragma once

#include <string>

#include "absl/time/time.h"
#include "god33/store/v1/replay.pb.h"
#include "tools/god33/printer.h"

namespace god33::cli {

ListView ReplayView();

// One replay for people.
std::string ReplayDetails(const store::v1::Replay& replay);

// What a replay would do, one line: "300 events would be published on X; at 100 a second that takes 3s".
std::string ReplayForecast(const store::v1::Replay& replay);

// How a replay has ended, one line: "<id> completed: 300 of 300 published on X, 5 taken by no queue".
std::string ReplayEnd(const store::v1::Replay& replay);

// How far a running one is, one line: "180 of 300 published (60%), 1m20s left". On a terminal with a bar
// that leaves the text its place.
std::string ReplayProgress(const store::v1::Replay& replay, const Screen& screen);

// From 0 to 1: by the events, or by positions if it is not known how many there are.
double FractionOf(const store::v1::Replay& replay);

}  // namespace god33::cli
