# How a test is made: in a fresh folder of its own, away from the user's files and keys, skipped by exit code 77.

set(AIORCH_TESTS_DIR "${PROJECT_SOURCE_DIR}/tests")

# Python: the system's before any other, since the packages that the tests need come from the distribution.
find_program(AIORCH_PYTHON NAMES python3 PATHS /usr/bin NO_DEFAULT_PATH)
find_program(AIORCH_PYTHON NAMES python3 REQUIRED)

# aiorch_test(name LABELS ... [TIMEOUT s] COMMAND ...)
function(aiorch_test name)
  cmake_parse_arguments(arg "" "TIMEOUT" "LABELS;COMMAND" ${ARGN})
  if(NOT arg_TIMEOUT)
    set(arg_TIMEOUT 120)
  endif()
  set(tmp "${PROJECT_BINARY_DIR}/tests/tmp/${name}")
  add_test(NAME "${name}" COMMAND sh "${AIORCH_TESTS_DIR}/in_tmp.sh" "${tmp}" ${arg_COMMAND})
  set(environment
    "AIORCH_ROOT=${PROJECT_SOURCE_DIR}" "AIORCH_BUILD=${PROJECT_BINARY_DIR}" "AIORCH_PYTHON=${AIORCH_PYTHON}"
    "AIORCH_CC=${CMAKE_C_COMPILER}" "AIORCH_LIB=$<TARGET_FILE:aiorch>" "AIORCH_SANITIZE=${AIORCH_SANITIZE}"
    "AIORCH_TEST_MODELS=${PROJECT_SOURCE_DIR}/build/models"
    "ASAN_OPTIONS=detect_leaks=1:detect_stack_use_after_return=1:strict_string_checks=1"
    "UBSAN_OPTIONS=print_stacktrace=1" "TSAN_OPTIONS=suppressions=${AIORCH_TESTS_DIR}/tsan.supp:halt_on_error=1")
  if(TARGET aiorch_cli)
    list(APPEND environment "AIORCH_CLI=$<TARGET_FILE:aiorch_cli>")
  endif()
  set_tests_properties("${name}" PROPERTIES LABELS "${arg_LABELS}" TIMEOUT ${arg_TIMEOUT} SKIP_RETURN_CODE 77
    ENVIRONMENT "${environment}")
endfunction()

# aiorch_program(target source... LINK libraries...): an executable in the folder of the build that mirrors the source's.
function(aiorch_program target)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  list(GET arg_UNPARSED_ARGUMENTS 0 first)
  file(RELATIVE_PATH place "${PROJECT_SOURCE_DIR}" "${first}")
  get_filename_component(folder "${place}" DIRECTORY)
  get_filename_component(name "${place}" NAME_WE)
  add_executable(${target} ${arg_UNPARSED_ARGUMENTS})
  aiorch_warnings(${target})
  target_link_libraries(${target} PRIVATE ${arg_LINK})
  set_target_properties(${target} PROPERTIES OUTPUT_NAME "${name}"
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/${folder}")
endfunction()

# aiorch_c_tests(label root LINK libraries...): every root/**/test_*.c is a program and a test; the target aiorch_<label>
# builds them. One that starts threads gets the label "threads" too, and is what the thread sanitizer runs.
function(aiorch_c_tests label root)
  cmake_parse_arguments(arg "" "" "LINK" ${ARGN})
  file(GLOB_RECURSE files CONFIGURE_DEPENDS "${root}/test_*.c")
  list(FILTER files EXCLUDE REGEX "/support/")
  if(NOT AIORCH_WITH_POSTGRES)
    list(FILTER files EXCLUDE REGEX "/test_postgres[a-z_]*\\.c$")
  endif()
  if(NOT TARGET aiorch_server)
    list(FILTER files EXCLUDE REGEX "/unit/server/")
  endif()
  add_custom_target(aiorch_${label})
  foreach(file IN LISTS files)
    get_filename_component(target "${file}" NAME_WE)
    file(RELATIVE_PATH name "${AIORCH_TESTS_DIR}" "${file}")
    string(REPLACE ".c" "" name "${name}")
    aiorch_program(${target} "${file}" LINK ${arg_LINK})
    add_dependencies(aiorch_${label} ${target})
    set(labels ${label})
    file(STRINGS "${file}" threaded REGEX "pthread_create|thrd_create|label: threads" LIMIT_COUNT 1)
    if(threaded)
      list(APPEND labels threads)
      add_dependencies(aiorch_threads ${target})
    endif()
    set(timeout 300)
    if(target MATCHES "^test_postgres")
      set(timeout 900) # it starts a server, and some wait for it as long as a setting says
    endif()
    aiorch_test(${name} LABELS ${labels} TIMEOUT ${timeout} COMMAND $<TARGET_FILE:${target}>)
  endforeach()
endfunction()

# aiorch_script_tests(label folder [TIMEOUT s]): every folder/*.sh and folder/*.py is a test, but for names with a leading _.
function(aiorch_script_tests label folder)
  cmake_parse_arguments(arg "" "TIMEOUT" "" ${ARGN})
  file(GLOB files CONFIGURE_DEPENDS "${AIORCH_TESTS_DIR}/${folder}/*.sh" "${AIORCH_TESTS_DIR}/${folder}/*.py")
  list(FILTER files EXCLUDE REGEX "/_[^/]*$")
  foreach(file IN LISTS files)
    get_filename_component(name "${file}" NAME_WE)
    set(runner sh)
    if(file MATCHES "\\.py$")
      set(runner "${AIORCH_PYTHON}")
    endif()
    aiorch_test(${folder}/${name} LABELS ${label} TIMEOUT ${arg_TIMEOUT} COMMAND ${runner} "${file}")
  endforeach()
endfunction()
