#pragma once

#include <string>

#include "god33/letta/v1/letta_bridge.pb.h"
#include "tools/god33/printer.h"

namespace god33::cli {

// What letta-bridge tells, for people.
ListView TaskView();
std::string TaskDetails(const letta::v1::Task& task);
ListView LettaSessionView();
std::string LettaSessionDetails(const letta::v1::LettaSession& session);
ListView FeedbackView();
std::string FeedbackDetails(const letta::v1::Feedback& feedback);
ListView LettaCheckpointView();
std::string LettaCheckpointDetails(const letta::v1::LettaCheckpoint& checkpoint);
std::string RetentionDetails(const letta::v1::GetCheckpointRetentionResponse& plan);
std::string AgentPoolText(const letta::v1::GetAgentPoolResponse& pool, const Screen& screen);

}  // namespace god33::cli
