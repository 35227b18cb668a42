#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>
#include <vector>

#include "tools/god33/pages.h"

namespace god33::cli {

// Adds a noun ("event") or, to a noun, a verb ("list"). `more` stands below the help: examples.
// Options of all commands may also stand behind the verb.
CLI::App& AddCommand(CLI::App& parent, const std::string& name, const std::string& description,
                     const std::string& more);

// The same for a noun: one of its verbs must follow.
CLI::App& AddNoun(CLI::App& root, const std::string& name, const std::string& description);

// An option that may be given several times, with one value each.
CLI::Option* AddRepeated(CLI::App& command, const std::string& name,
                         std::vector<std::string>& values, const std::string& help);

// --limit (up to `most`), --page-token, --all and, for lists of the log, --min-position.
void AddPaging(CLI::App& command, Paging& paging, int most = 1000);
void AddPagingWithoutPosition(CLI::App& command, Paging& paging, int most = 1000);
void AddMinPosition(CLI::App& command, std::int64_t& position);

// --order of a list by position.
void AddOrder(CLI::App& command, std::string& order);

// Checks of single arguments, with an error that says what was expected. Those of filters don't take
// empty text: a shell variable that is not set must not turn a filter off.
CLI::Validator IsText();  // in UTF-8
CLI::Validator IsUuid();
CLI::Validator IsTypePattern();

// For a page token: empty is the first page, as in the API.
CLI::Validator IsTextOrNothing();

}  // namespace god33::cli
