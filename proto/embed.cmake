# cmake -DFROM=<file> -DTO=<file.cc> -DNAME=<function> -P embed.cmake: the bytes of a file as a C++ function.
file(READ ${FROM} bytes HEX)
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE ${TO} "#include <string_view>

namespace god33 {

std::string_view ${NAME}() {
  static constexpr unsigned char bytes[] = {
${bytes}
  };
  return {reinterpret_cast<const char*>(bytes), sizeof bytes};
}

}  // namespace god33
")
