/* driver/tap.h - Linux TAP and TUN without offloads (those are a later issue). */
#ifndef DRIVER_TAP_H
#define DRIVER_TAP_H
#include <viaduct/driver.h>
/* Open (or create, with the right) the device; tun: IP packets instead of frames. Sets it up. NULL with errno. */
struct via_driver *tap_open(const char *ifname, bool tun);
void tap_close(struct via_driver *d);
int tap_fd(const struct via_driver *d); /* to watch for EPOLLIN */
#endif
