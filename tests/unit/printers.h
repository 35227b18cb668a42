#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "base/uuid.h"

// How Catch shows the project's values when a check fails.

template <>
struct Catch::StringMaker<god33::Uuid> {
  static std::string convert(const god33::Uuid& id) { return id.ToString(); }
};
