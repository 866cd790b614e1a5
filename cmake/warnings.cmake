# aiorch_warnings(target): the warnings that every C file of the project is free of, with gcc and with clang.
function(aiorch_warnings target)
  target_compile_options(${target} PRIVATE
    -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wvla -Wstrict-prototypes -Wmissing-prototypes -Wcast-qual -Wundef
    -Wformat=2 -Wdouble-promotion $<$<BOOL:${AIORCH_WERROR}>:-Werror>)
  set_target_properties(${target} PROPERTIES C_STANDARD 11 C_STANDARD_REQUIRED ON C_EXTENSIONS OFF)
  target_compile_definitions(${target} PRIVATE _GNU_SOURCE)
endfunction()
