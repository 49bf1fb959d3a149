# Building Isthmus's own tests, examples and benchmarks. Nothing here is installed or seen by a consumer.

find_program(ISTHMUS_CCACHE ccache)
if(ISTHMUS_CCACHE AND NOT DEFINED CMAKE_CXX_COMPILER_LAUNCHER)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ISTHMUS_CCACHE})
endif()

enable_language(CXX)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
find_package(Threads REQUIRED)

# By default g++ collects garbage each time that 128 MB more are in use: up to 7% of its time. The unit is 1 kB.
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  add_compile_options(--param=ggc-min-heapsize=400000)
endif()

# Everything of our own is compiled with this; a consumer never is.
add_library(isthmus_warnings INTERFACE)
target_compile_options(isthmus_warnings INTERFACE -Wall -Wextra -Wconversion -Wshadow -Werror)

# isthmus_check_headers(target library header...): one translation unit per header, so that each compiles by itself,
# and is included twice, so that each has its guard.
function(isthmus_check_headers target library)
  foreach(header IN LISTS ARGN)
    string(MAKE_C_IDENTIFIER ${header} name)
    set(unit ${CMAKE_CURRENT_BINARY_DIR}/headers/${name}.cpp)
    file(CONFIGURE OUTPUT ${unit} CONTENT "#include <isthmus/${header}>\n#include <isthmus/${header}>\n")
    list(APPEND units ${unit})
  endforeach()
  add_library(${target} OBJECT ${units})
  target_link_libraries(${target} PRIVATE ${library} isthmus_warnings)
endfunction()

file(GLOB_RECURSE ISTHMUS_HEADERS CONFIGURE_DEPENDS
     RELATIVE ${PROJECT_SOURCE_DIR}/include/isthmus ${PROJECT_SOURCE_DIR}/include/isthmus/*.hpp)
# Asio, standalone, is for those who use it.
find_path(ISTHMUS_ASIO_INCLUDE NAMES asio/as_tuple.hpp asio/experimental/as_tuple.hpp) # the latter from 1.22 on
if(NOT ISTHMUS_ASIO_INCLUDE)
  message(STATUS "Asio was not found, so what needs it is neither built nor tested (Debian: libasio-dev)")
  list(FILTER ISTHMUS_HEADERS EXCLUDE REGEX "^(python/)?asio(/.*|\\.hpp)")
endif()
set(ISTHMUS_PYTHON_HEADERS ${ISTHMUS_HEADERS})
list(FILTER ISTHMUS_PYTHON_HEADERS INCLUDE REGEX "^(python|nanobind|pybind11)(/.*|\\.hpp)$")
list(FILTER ISTHMUS_HEADERS EXCLUDE REGEX "^(python|nanobind|pybind11)(/.*|\\.hpp)$")

# The binding libraries are asked where they are; they live in the virtual environment of the chosen interpreter.
if(ISTHMUS_PYTHON_TESTS OR ISTHMUS_BUILD_EXAMPLES OR ISTHMUS_BUILD_BENCH)
  find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)
  execute_process(COMMAND ${Python_EXECUTABLE} -m nanobind --cmake_dir OUTPUT_VARIABLE nanobind_ROOT
                  OUTPUT_STRIP_TRAILING_WHITESPACE COMMAND_ERROR_IS_FATAL ANY)
  find_package(nanobind CONFIG REQUIRED)
endif()

enable_testing()
if(ISTHMUS_BUILD_TESTS)
  add_subdirectory(tests/cpp)
  add_subdirectory(tests/fuzz)
  if(NOT ISTHMUS_BUILD_EXAMPLES)
    add_subdirectory(examples/sansio/tests)
  endif()
endif()
if(ISTHMUS_PYTHON_TESTS)
  add_subdirectory(tests/python)
  add_subdirectory(tests/passthrough)
endif()
if(ISTHMUS_BUILD_TESTS OR ISTHMUS_PYTHON_TESTS)
  add_subdirectory(tests/soak)
endif()
if(ISTHMUS_BUILD_EXAMPLES)
  add_subdirectory(examples)
endif()
if(ISTHMUS_BUILD_BENCH)
  add_subdirectory(bench)
endif()
