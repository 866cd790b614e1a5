# Puts data files into the library as the objects of lib/core/data.h.
#
#   aiorch_embed(target symbol file)         const aio__packed aio__data_<symbol>
#   aiorch_embed_folder(target symbol glob)  const aio__packed aio__data_<symbol>[], in the order of the names, name NULL last
#
# Of SQL, lines that are comments stay out. Each object is a C file in the build folder, made anew when one of its inputs
# changes. Run as a script (cmake -DOUT=... -DSYMBOL=... -DMODE=one|list -P embed.cmake -- files...) this file writes one of them.

if(NOT CMAKE_SCRIPT_MODE_FILE)
  set(AIORCH_EMBED_SCRIPT "${CMAKE_CURRENT_LIST_FILE}")

  function(aiorch_embed_files target symbol mode)
    set(out "${CMAKE_CURRENT_BINARY_DIR}/data_${symbol}.c")
    add_custom_command(OUTPUT "${out}"
      COMMAND "${CMAKE_COMMAND}" "-DOUT=${out}" -DSYMBOL=${symbol} -DMODE=${mode} -P "${AIORCH_EMBED_SCRIPT}" -- ${ARGN}
      DEPENDS ${ARGN} "${AIORCH_EMBED_SCRIPT}"
      COMMENT "Embedding ${symbol}" VERBATIM)
    target_sources(${target} PRIVATE "${out}")
  endfunction()

  function(aiorch_embed target symbol file)
    aiorch_embed_files(${target} ${symbol} one "${file}")
  endfunction()

  function(aiorch_embed_folder target symbol glob)
    file(GLOB files CONFIGURE_DEPENDS "${glob}")
    list(SORT files COMPARE STRING)
    set(numbers "")
    foreach(file IN LISTS files)
      get_filename_component(name "${file}" NAME)
      if(NOT name MATCHES "^([0-9][0-9][0-9][0-9])_[a-z0-9_]+\\.[a-z]+$")
        message(FATAL_ERROR "${file}: the name must be NNNN_what_it_does.sql")
      elseif(CMAKE_MATCH_1 IN_LIST numbers)
        message(FATAL_ERROR "${file}: number ${CMAKE_MATCH_1} is taken by another file of that folder")
      endif()
      list(APPEND numbers ${CMAKE_MATCH_1})
    endforeach()
    if(NOT files)
      message(FATAL_ERROR "${glob}: there is no such file")
    endif()
    aiorch_embed_files(${target} ${symbol} list ${files})
  endfunction()

  return()
endif()

set(files "")
set(after_dashes FALSE)
math(EXPR last "${CMAKE_ARGC} - 1")
foreach(i RANGE ${last})
  if(after_dashes)
    list(APPEND files "${CMAKE_ARGV${i}}")
  elseif(CMAKE_ARGV${i} STREQUAL "--")
    set(after_dashes TRUE)
  endif()
endforeach()

# gzip: 10 bytes of header, among them the time, which must not be in a build that can be made again; the packed bytes;
# 8 bytes of check sum and length.
set(rows "")
set(from 0)
file(WRITE "${OUT}.all" "")
foreach(file IN LISTS files)
  get_filename_component(name "${file}" NAME)
  file(READ "${file}" text)
  file(SIZE "${file}" size)
  string(LENGTH "${text}" len)
  if(NOT size EQUAL len)
    message(FATAL_ERROR "${file}: it was not read byte by byte")
  endif()
  if(name MATCHES "\\.sql$") # a quarter of it is comments, which nobody reads there
    string(REGEX REPLACE "\n--[^\n]*" "" text "\n${text}")
    string(SUBSTRING "${text}" 1 -1 text)
    string(LENGTH "${text}" len)
  endif()
  file(APPEND "${OUT}.all" "${text}")
  list(APPEND rows "{\"${name}\", (const char *)bytes, sizeof bytes, ${len}, ${from}, ALL}")
  math(EXPR from "${from} + ${len}")
endforeach()
file(SIZE "${OUT}.all" all)
if(NOT all EQUAL from)
  message(FATAL_ERROR "${OUT}: the files were not read byte by byte")
endif()
file(ARCHIVE_CREATE OUTPUT "${OUT}.gz" PATHS "${OUT}.all" FORMAT raw COMPRESSION GZip COMPRESSION_LEVEL 9)
file(READ "${OUT}.gz" hex HEX)
file(REMOVE "${OUT}.gz" "${OUT}.all")
if(NOT hex MATCHES "^1f8b0800")
  message(FATAL_ERROR "${OUT}: packed with a header of another form than expected")
endif()
string(LENGTH "${hex}" digits)
math(EXPR digits "${digits} - 36")
string(SUBSTRING "${hex}" 20 ${digits} hex)
string(REGEX REPLACE "(..)" "0x\\1," bytes "${hex}")
# 16 bytes a line: some tools choke on a line of a megabyte.
set(line "0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,0x..,")
string(REGEX REPLACE "(${line})" "\\1\n" bytes "${bytes}")
set(arrays "enum { ALL = ${all} };\nstatic const unsigned char bytes[] = {\n${bytes}};\n")

if(MODE STREQUAL "one")
  set(object "const aio__packed aio__data_${SYMBOL} = ${rows};\n")
else()
  list(JOIN rows ",\n  " rows)
  set(object "const aio__packed aio__data_${SYMBOL}[] = {\n  ${rows},\n  {NULL, NULL, 0, 0, 0, 0},\n};\n")
endif()
file(WRITE "${OUT}" "/* Made by cmake/embed.cmake. */\n#include \"core/data.h\"\n\n${arrays}\n${object}")
