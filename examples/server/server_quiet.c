#include "server_quiet.h"

void quiet_begin(server_quiet *quiet, int64_t now_ms) { *quiet = (server_quiet){.looked_ms = now_ms}; }

int quiet_wait_ms(const server_quiet *quiet) { return quiet->ms >= QUIET_MS ? 0 : QUIET_STEP_MS; }

/* The last look waits for nothing: between it and the end there is no time in which anything could come unseen, but that of a few system calls. */
bool quiet_look(server_quiet *quiet, int64_t now_ms, bool busy, bool came) {
  int64_t step = quiet->step_ms = now_ms - quiet->looked_ms;
  quiet->looked_ms = now_ms;
  if (busy) {
    quiet->ms = 0;
    quiet->looks = 0;
    return false;
  }
  if (quiet->ms >= QUIET_MS) return !came || ++quiet->looks >= QUIET_LOOKS;
  quiet->ms += step < QUIET_STEP_MS ? step : QUIET_STEP_MS;
  return false;
}

bool quiet_cut(server_quiet *quiet) {
  if (!quiet->cutting) {
    quiet->cutting = true;
    return false;
  }
  quiet->cut_ms += quiet->step_ms < CUT_STEP_MS ? quiet->step_ms : CUT_STEP_MS;
  return quiet->cut_ms >= CUT_MS;
}
