/*
 * Ctrl-C: the first asks the command to end tidily (a run is cancelled, an ingest finishes its document), the second
 * ends the program at once. Only this program sets handlers; the library never does.
 */
#include "cli.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t interrupts;

static void on_interrupt(int signal_number) {
  (void)signal_number;
  if (interrupts++ > 0) _exit(CLI_EXIT_INTERRUPTED);
}

void cli_interrupt_init(void) {
  struct sigaction action = {.sa_handler = on_interrupt};
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, NULL); /* without SA_RESTART: a read from the terminal ends too */
}

bool cli_interrupted(void) { return interrupts > 0; }

void cli_interrupt_forget(void) { interrupts = 0; }

bool cli_wait_readable(int fd) {
  sigset_t interrupt, before;
  struct pollfd readable = {.fd = fd, .events = POLLIN};
  sigemptyset(&interrupt);
  sigaddset(&interrupt, SIGINT);
  sigprocmask(SIG_BLOCK, &interrupt, &before); /* a Ctrl-C between the look at it and the wait must not be lost */
  while (!cli_interrupted() && ppoll(&readable, 1, NULL, &before) < 0 && errno == EINTR) continue;
  sigprocmask(SIG_SETMASK, &before, NULL);
  return !cli_interrupted();
}
