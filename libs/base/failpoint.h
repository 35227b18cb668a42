#pragma once

#include <string_view>

// Places where a test can make a service go wrong in a way that a reviewer might overlook, to prove that the
// checker of tests/chaos finds what follows from it. Production executables link failpoint.cc, where none is ever
// reached; those that can go wrong are built by tests/chaos and never installed.

namespace god33::failpoint {

// Whether to go wrong at the failpoint `name`. What is asked once a batch costs nothing that counts. May block, or
// end the process, where a test wants that. Thread-safe.
bool Reached(std::string_view name);

}  // namespace god33::failpoint
