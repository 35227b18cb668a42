#pragma once

#include <string>

#include "json/value.h"

namespace god33::letta::app_server {

// The server's own tool for asking a human.
inline constexpr char kQuestionTool[] = "AskUserQuestion";

// Its input, {questions[{question, header, options[{label, description}]}]}, as the arguments of ask_human:
// {question, options[], context}. Several questions become one, numbered, and so do their options.
std::string QuestionArguments(json::Value input);

}  // namespace god33::letta::app_server
