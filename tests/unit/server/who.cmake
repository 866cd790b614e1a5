# What of the server says who is calling, without its sockets, and its tests.
set(server_who "")
foreach(name address_limit api_keys client_address cors host_names http_problem identity json_web_token jwks_fetch jwks_source key_store key_text keys_sqlite
             rate_headers server_crypto server_memory server_quiet server_settings server_workers tenant_share)
  list(APPEND server_who "${PROJECT_SOURCE_DIR}/examples/server/${name}.c")
endforeach()
foreach(name bytes format interrupt json_print json_read nearest)
  list(APPEND server_who "${PROJECT_SOURCE_DIR}/examples/cli/${name}.c")
endforeach()
add_library(aiorch_server_who STATIC ${server_who} "${CMAKE_CURRENT_SOURCE_DIR}/unit/server/support/made_tokens.c")
aiorch_warnings(aiorch_server_who)
pkg_check_modules(AIORCH_SERVER_WHO REQUIRED IMPORTED_TARGET cjose libcrypto libcurl sqlite3)
target_include_directories(aiorch_server_who PUBLIC
  "${PROJECT_SOURCE_DIR}/examples/server" "${PROJECT_SOURCE_DIR}/examples/cli" "${CMAKE_CURRENT_SOURCE_DIR}/unit/server")
target_link_libraries(aiorch_server_who PUBLIC aiorch_testing PkgConfig::AIORCH_SERVER_WHO)
foreach(name address_limit api_keys client_address cors host_names identity json_web_token jwks_source key_text rate_headers server_memory server_quiet server_workers tenant_share)
  target_link_libraries(test_${name} PRIVATE aiorch_server_who)
endforeach()
# The front over sockets, without the server behind it.
pkg_check_modules(AIORCH_SERVER_FRONT REQUIRED IMPORTED_TARGET libmicrohttpd gnutls)
foreach(name http_body http_conns http_first http_front http_life http_page)
  target_sources(test_http_life PRIVATE "${PROJECT_SOURCE_DIR}/examples/server/${name}.c")
endforeach()
target_link_libraries(test_http_life PRIVATE aiorch_server_who PkgConfig::AIORCH_SERVER_FRONT)
