#pragma once

#include <string>

#include "god33/store/v1/projection.pb.h"
#include "tools/god33/printer.h"

namespace god33::cli {

// Projections, and jobs on them, for people.
std::string ProjectionDetails(const store::v1::GetProjectionsResponse& projections);
ListView ProjectionJobView();
std::string ProjectionJobDetails(const store::v1::ProjectionJob& job);

// One line about a running job: "folding: 1200 of 5000 (24 %)".
std::string ProgressOf(const store::v1::ProjectionJob& job);

}  // namespace god33::cli
