# Warnings are errors, in our code only: the packages' headers come in as system headers.
add_library(strict INTERFACE)
target_compile_options(strict INTERFACE -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wsign-conversion
  -Wnon-virtual-dtor -Wold-style-cast -Woverloaded-virtual -Wnull-dereference -Wcast-align -Werror)
# g++ 12 sees uninitialised values in every other std::optional (GCC bug 80635); clang-tidy and the sanitizers look for real ones.
target_compile_options(strict INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
# And null pointers in Asio's scheduler, inlined from its headers; address sanitizer and clang's analyzer (make analyze) look for ours.
target_compile_options(strict INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-null-dereference>)
# ... and, where it inlined the one and not the other, that a coroutine's frame is freed by another operator than it was made by.
target_compile_options(strict INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-mismatched-new-delete>)

# room(NAME USES rooms... LIBS packages...): one static library of src/NAME/*.cpp.
# Its headers are reached as "NAME/x.h" through a folder that holds a link to this room alone, so that a target
# sees only the rooms it links.
function(room name)
  cmake_parse_arguments(ROOM "" "" "USES;LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/src/${name}/*.cpp)
  set(door ${CMAKE_BINARY_DIR}/rooms/${name})
  file(MAKE_DIRECTORY ${door})
  file(CREATE_LINK ${CMAKE_SOURCE_DIR}/src/${name} ${door}/${name} SYMBOLIC)
  if(sources)
    add_library(${name} STATIC ${sources})
    set(scope PUBLIC)
    target_link_libraries(${name} PRIVATE strict)
  else()
    add_library(${name} INTERFACE)
    set(scope INTERFACE)
  endif()
  target_include_directories(${name} ${scope} ${door})
  target_link_libraries(${name} ${scope} ${ROOM_USES} ${ROOM_LIBS})
endfunction()

# room_test(ROOM [LIBS more...]): tests/ROOM/*.cpp as one GoogleTest program, a ctest entry per case. ROOM may also be a
# folder of tests that is no room.
function(room_test name)
  cmake_parse_arguments(TEST "" "" "LIBS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/${name}/*.cpp)
  if(NOT sources)
    return()
  endif()
  if(TARGET ${name})
    list(PREPEND TEST_LIBS ${name})
  endif()
  add_executable(test_${name} ${sources})
  target_link_libraries(test_${name} PRIVATE ${TEST_LIBS} testing strict GTest::gtest GTest::gmock GTest::gtest_main)
  # The sanitizers look at the rooms: in the tests' own code undefined behaviour took 40 % of the compile time
  # (rest_test.cpp in 20 s of CPU instead of 33), and the optimiser a third of what was left.
  if(CMAKE_CXX_FLAGS MATCHES "-fsanitize=")
    target_compile_options(test_${name} PRIVATE -fno-sanitize=undefined -O0)
  endif()
  gtest_discover_tests(test_${name} TEST_PREFIX "${name}." PROPERTIES TIMEOUT 600 DISCOVERY_TIMEOUT 60)
endfunction()
