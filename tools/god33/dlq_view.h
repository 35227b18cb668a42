#pragma once

#include <string>

#include "god33/store/v1/dead_letters.pb.h"
#include "tools/god33/printer.h"

namespace god33::cli {

// Dead letters for people.
ListView DeadLetterView();
std::string DeadLetterDetails(const store::v1::DeadLetter& letter);

}  // namespace god33::cli
