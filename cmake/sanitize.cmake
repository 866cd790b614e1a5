# AIORCH_SANITIZE: instruments the library and everything that is built with it; any finding ends the process.
if(AIORCH_SANITIZE)
  if(NOT AIORCH_SANITIZE MATCHES "^(address|undefined|address,undefined|undefined,address|thread)$")
    message(FATAL_ERROR "AIORCH_SANITIZE is \"${AIORCH_SANITIZE}\"; it can be address, undefined, address,undefined or thread")
  endif()
  add_compile_options(-fsanitize=${AIORCH_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -g)
  add_link_options(-fsanitize=${AIORCH_SANITIZE})
endif()
