# How every target of this project is built: language level, warnings, sanitizers, and the rule that
# dependencies point inwards (STYLE: domain code links base and Abseil only), which fails the
# configure step when it is broken.

set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release)
endif()

find_program(CCACHE ccache)
if(CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE})
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()

find_package(Threads REQUIRED)
find_package(OpenSSL REQUIRED)
find_package(absl REQUIRED)
# FindProtobuf must come before gRPC's config: Debian 12 ships no protobuf-config.cmake.
find_package(Protobuf REQUIRED)
find_package(gRPC CONFIG REQUIRED)
find_package(PostgreSQL REQUIRED)
find_package(rabbitmq-c REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(prometheus-cpp REQUIRED)
find_package(spdlog REQUIRED)
find_package(simdjson REQUIRED)
find_package(CLI11 REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(ZLIB REQUIRED)

if(GOD33_SANITIZER)
  add_compile_options(-fsanitize=${GOD33_SANITIZER} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${GOD33_SANITIZER})
endif()
add_link_options(-Wl,--as-needed)

# Designated initializers leave out what keeps its default; GCC 12 calls that missing. Its warnings about
# overlapping copies are wrong for std::string (GCC bug 105329). Clang's -Wconversion looks at signs, too;
# GCC's does not, and one must not pass what the other refuses.
set(GOD33_WARNINGS -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Werror
  -Wno-missing-field-initializers $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<CXX_COMPILER_ID:Clang>:-Wno-sign-conversion>)

# god33_count_coverage(<target>): the test `coverage` counts which of its lines run.
function(god33_count_coverage target)
  if(GOD33_COVERAGE)
    # What runs outside of that test counts for nothing.
    target_compile_options(${target} PRIVATE -fprofile-instr-generate=/dev/null -fcoverage-mapping)
    target_link_options(${target} INTERFACE -fprofile-instr-generate)
  endif()
endfunction()

# god33_library(<name> [DOMAIN] SOURCES ... DEPS ...): the library libs/<name>, linked as god33::<name>.
# DOMAIN marks pure code: it may link god33::base, god33::json, other DOMAIN libraries and Abseil.
function(god33_library name)
  cmake_parse_arguments(arg "DOMAIN" "" "SOURCES;DEPS" ${ARGN})
  add_library(god33_${name} STATIC ${arg_SOURCES})
  add_library(god33::${name} ALIAS god33_${name})
  target_include_directories(god33_${name} PUBLIC ${PROJECT_SOURCE_DIR}/libs)
  target_compile_options(god33_${name} PRIVATE ${GOD33_WARNINGS})
  target_link_libraries(god33_${name} PUBLIC ${arg_DEPS})
  if(arg_DOMAIN OR name MATCHES "^(base|json)$")
    god33_count_coverage(god33_${name})
  endif()
  if(arg_DOMAIN)
    set_property(GLOBAL APPEND PROPERTY GOD33_DOMAIN god33::${name})
    get_property(domain GLOBAL PROPERTY GOD33_DOMAIN)
    foreach(dep IN LISTS arg_DEPS)
      if(NOT dep IN_LIST domain AND NOT dep MATCHES "^(god33::(base|json)|absl::.*)$")
        message(FATAL_ERROR "domain library '${name}' may not link '${dep}': "
          "domain code links god33::base, god33::json, other domain code and Abseil only")
      endif()
    endforeach()
  endif()
endfunction()

# god33_executable(<name> SOURCES ... DEPS ...): an executable in build/<preset>/bin.
function(god33_executable name)
  cmake_parse_arguments(arg "" "" "SOURCES;DEPS" ${ARGN})
  add_executable(${name} ${arg_SOURCES})
  target_compile_options(${name} PRIVATE ${GOD33_WARNINGS})
  target_link_libraries(${name} PRIVATE ${arg_DEPS})
endfunction()
