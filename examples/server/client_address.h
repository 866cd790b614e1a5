/*
 * Addresses: lists of networks ("10.0.0.0/8, ::1"), and who a request came from when it passed through proxies that are trusted.
 */
#ifndef CLIENT_ADDRESS_H
#define CLIENT_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

enum { ADDRESS_BYTES = 16, ADDRESS_TEXT_MAX = 64, NETWORKS_MAX = 64 };

/* IPv4 as ::ffff:a.b.c.d, so that one form holds for all. */
typedef struct net_address {
  unsigned char bytes[ADDRESS_BYTES];
} net_address;

typedef struct net_list {
  size_t count;
  struct {
    net_address base;
    int bits;
  } items[NETWORKS_MAX];
} net_list;

/* An address as text, also "[::1]" and with a port behind it ("10.0.0.1:80", "[::1]:80"), as some proxies write it. */
bool net_address_read(const char *text, size_t len, net_address *out);
void net_address_text(const net_address *address, char out[ADDRESS_TEXT_MAX]);
/* Networks or addresses, separated by commas. False: `wrong` is where the first that is none begins. */
bool net_list_read(const char *text, net_list *out, const char **wrong);
bool net_list_has(const net_list *list, const net_address *address);

/*
 * Whose request it is: the peer, or, when that is a trusted proxy, the last address of X-Forwarded-For that is none. What stands
 * before that one anybody may have written, so it is not looked at. A peer that has no address (a socket in the file system) is
 * trusted as "127.0.0.1" is. False when there is no address to be found: then nobody may be called anonymous.
 */
bool client_address_of(const net_list *trusted, const char *peer, const char *forwarded_for, net_address *out);
/* The network that one client has to itself: IPv4 as it is, IPv6 its /64, since every household has that many. */
void client_address_group(const net_address *address, net_address *out);

#endif
