/* See flight.h. */
#include "generate/flight.h"

#include "generate/retry.h"

static bool is_led(const aio__flight *flight, int64_t now_ms) {
  return flight->state == AIO__FLIGHT_LED && now_ms < flight->led_until_ms;
}

bool aio__flight_open(const aio__flight *flight) {
  return flight->state != AIO__FLIGHT_LANDED && flight->state != AIO__FLIGHT_FAILED;
}

uint64_t aio__flight_join(aio__flight *flight) {
  flight->members++;
  return ++flight->last_id;
}

aio__flight_role aio__flight_ask(const aio__flight *flight, uint64_t id, int64_t now_ms) {
  switch (flight->state) {
    case AIO__FLIGHT_OUT: return AIO__FLIGHT_READS;
    case AIO__FLIGHT_LANDED: return AIO__FLIGHT_TAKES;
    case AIO__FLIGHT_FAILED: return AIO__FLIGHT_SHARES;
    default: break;
  }
  if (flight->state == AIO__FLIGHT_LED && flight->leader == id) return AIO__FLIGHT_LEADS;
  return is_led(flight, now_ms) || now_ms < flight->paused_until_ms ? AIO__FLIGHT_WAITS : AIO__FLIGHT_LEADS;
}

int64_t aio__flight_waits_until(const aio__flight *flight, int64_t now_ms) {
  return is_led(flight, now_ms) ? flight->led_until_ms : flight->paused_until_ms;
}

bool aio__flight_lead(aio__flight *flight, uint64_t id, int64_t until_ms, int64_t now_ms) {
  if (aio__flight_ask(flight, id, now_ms) != AIO__FLIGHT_LEADS) return false;
  flight->state = AIO__FLIGHT_LED;
  flight->leader = id;
  flight->led_until_ms = until_ms;
  return true;
}

bool aio__flight_launch(aio__flight *flight, uint64_t id) {
  if (flight->state != AIO__FLIGHT_LED || flight->leader != id) return false;
  flight->state = AIO__FLIGHT_OUT;
  flight->round++;
  return true;
}

void aio__flight_landed(aio__flight *flight) {
  if (flight->state == AIO__FLIGHT_OUT) flight->state = AIO__FLIGHT_LANDED;
}

void aio__flight_attempt_failed(aio__flight *flight, int64_t retry_after_ms, int64_t now_ms) {
  if (flight->state != AIO__FLIGHT_OUT) return;
  int64_t pause_ms = AIO__RETRY_BASE_MS;
  for (int i = 0; i < flight->failed && pause_ms < AIO__RETRY_CAP_MS; i++) pause_ms *= 2;
  if (retry_after_ms > pause_ms) pause_ms = retry_after_ms;
  if (pause_ms > AIO__RETRY_CAP_MS) pause_ms = AIO__RETRY_CAP_MS;
  flight->failed++;
  flight->paused_until_ms = now_ms + pause_ms;
  flight->led_until_ms = now_ms + AIO__FLIGHT_LEASE_MS;
  flight->state = flight->leader ? AIO__FLIGHT_LED : AIO__FLIGHT_FREE;
}

void aio__flight_gave_up(aio__flight *flight, uint64_t id, bool shared) {
  bool free = flight->state == AIO__FLIGHT_FREE;
  bool leads = flight->state == AIO__FLIGHT_LED && flight->leader == id;
  if (!free && !leads) return; /* another is at it: its failure is not theirs */
  flight->state = shared ? AIO__FLIGHT_FAILED : AIO__FLIGHT_FREE;
  flight->leader = 0;
}

aio__flight_left aio__flight_leave(aio__flight *flight, uint64_t id) {
  bool leader = flight->leader == id, out = flight->state == AIO__FLIGHT_OUT;
  flight->members--;
  if (leader) flight->leader = 0;
  if (leader && flight->state == AIO__FLIGHT_LED) flight->state = AIO__FLIGHT_FREE;
  if (flight->members == 0) return out ? AIO__FLIGHT_ABORTED : AIO__FLIGHT_EMPTY;
  return leader && out ? AIO__FLIGHT_ORPHANED : AIO__FLIGHT_GOES_ON;
}
